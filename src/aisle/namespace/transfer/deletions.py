"""What has gone from the source of a pull since an earlier pass, and so goes here.

Only what the journal shows to be the pull's own work is deleted, in the very batch that checks it
and forgets its entry. What a client has written or deleted in between stays as it is, and its entry
is forgotten. A bucket that has gone from the source stays with all that is in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from aisle.core.errors import ObjectLocked, RowChanged, UploadNotFound, WriteConflict
from aisle.namespace import buckets, layouts, locks, uploads
from aisle.namespace.records import Bucket, Object, Upload, bucket_key, decode, unescape_key
from aisle.namespace.store import BucketRow, Store
from aisle.namespace.transfer import notes
from aisle.namespace.transfer.items import Cursor, NoteItem, ObjectItem
from aisle.namespace.transfer.journal import Journal, digest
from aisle.namespace.transfer.terms import Totals
from aisle.namespace.uploads import MAX_PARTS, UploadRow
from aisle.namespace.versions import arrival, listing, removal
from aisle.namespace.versions.ids import row_key as place_of
from aisle.namespace.versions.ids import scope, seq_of
from aisle.store.base import Change, Check, Delete


class Listed(NamedTuple):
    """Which stretch of a bucket's objects a page has told: keys above `after`, up to `last`
    (`None`: to the end); `nothing` if it told of its uploads only."""

    after: bytes
    last: bytes | None
    nothing: bool

    @classmethod
    def of(cls, bucket: Bucket, after: Cursor | None, end: Cursor | None) -> Listed:
        """The stretch of a page that began behind `after` and ended at `end`."""
        row_key = bucket_key(bucket.name, bucket.provider, bucket.namespace)
        first, last = b"", None
        if after is not None and after.bucket == row_key:
            if after.upload:
                return cls(b"", None, True)
            first = after.key
        if end is not None and end.bucket == row_key and not end.upload:
            last = end.key
        return cls(first, last, False)


class Deletions:
    """Follows the deletions of one pass, counted in `totals.deleted`."""

    def __init__(self, store: Store, journal: Journal, totals: Totals) -> None:
        self._store = store
        self._journal = journal
        self._totals = totals
        self._uploads: dict[bytes, set[bytes]] = {}  # bucket id -> upload ids of the source

    async def objects(self, bucket: BucketRow, keys: Sequence[bytes], listed: Listed) -> None:
        """Delete what was pulled into a stretch of a bucket and is not among `keys` there."""
        if listed.nothing:
            return
        base = bucket.record.id
        present = set(keys)
        after = base + listed.after if listed.after else b""
        while entries := await self._journal.scan("object", base, after):
            after = entries[-1][0]
            for row_key, entry in entries:
                key = row_key[len(base) :]
                if listed.last is not None and key > listed.last:
                    return
                if key not in present:
                    await self._object(bucket, row_key, entry)

    async def versions(
        self,
        bucket: BucketRow,
        items: Sequence[ObjectItem],
        after: Cursor | None,
        end: Cursor | None,
    ) -> None:
        """The same of a bucket that has versions; `items` are those of the page that began behind
        `after` and ended at `end`."""
        base, row_key = bucket.record.id, bucket.key
        if after is not None and after.bucket == row_key and after.upload:
            return
        present = {place_of(base, item.key, item.record.seq) for item in items}
        start, last = b"", b""
        if after is not None and after.bucket == row_key and after.key:
            start = place_of(base, after.key, after.seq)
        if end is not None and end.bucket == row_key and not end.upload:
            last = place_of(base, end.key, end.seq)
        while entries := await self._journal.scan("version", base, start):
            start = entries[-1][0]
            for place, entry in entries:
                if last and place > last:
                    return
                if place not in present:
                    await self._version(bucket, place, entry)

    async def _version(self, bucket: BucketRow, place: bytes, entry: bytes) -> None:
        base, key = bucket.record.id, listing.key_of(place)
        forget = self._journal.forget("version", place)
        there = (await arrival.look(self._store, base, key, seq_of(place), null=False)).there
        if there is None or digest(there.raw) != entry:
            await self._store.index.commit(forget)
            return
        try:
            locks.check_removal(there.record, self._store.now())
            changes = await removal.changes_of(self._store, base, key, there)
            await self._store.index.commit(*buckets.guard(bucket), *changes, forget)
        except (ObjectLocked, RowChanged):
            return  # the next pass looks again
        self._totals.deleted += 1

    async def _object(self, bucket: BucketRow, row_key: bytes, entry: bytes) -> None:
        index = self._store.index
        forget = self._journal.forget("object", row_key)
        raw = await index.get("object", row_key)
        if raw is None or digest(raw) != entry:
            await index.commit(forget)
            return
        record, now = decode(Object, raw), self._store.now()
        # It may keep versions by now, which is up to the next pass.
        changes: list[Change] = [bucket.check, Check("object", row_key, raw)]
        changes += [Delete("object", row_key), forget]
        try:
            locks.check_removal(record, now)
            changes += await layouts.release(self._store, record, now)
            await index.commit(*changes)
        except (ObjectLocked, RowChanged):
            return  # the next pass looks again, and forgets what a client has changed
        self._totals.deleted += 1

    async def notes(
        self,
        bucket: BucketRow,
        items: Sequence[NoteItem],
        after: Cursor | None,
        end: Cursor | None,
    ) -> None:
        """The same of annotations whose objects are still there; `items` are those of the page that
        began behind `after` and ended at `end`."""
        base, row_key = bucket.record.id, bucket.key
        if after is not None and after.bucket == row_key and after.upload:
            return
        present = {notes.entry_key(base, item) for item in items}
        start = last = (b"", 0)
        if after is not None and after.bucket == row_key and after.key:
            start = (after.key, -after.seq)
        if end is not None and end.bucket == row_key and not end.upload:
            last = (end.key, -end.seq)
        behind = scope(base, start[0])[:-1] if start[0] else b""
        while entries := await self._journal.scan(notes.TABLE, base, behind):
            behind = entries[-1][0]
            for entry_key, entry in entries:
                key, seq, identity, name = notes.object_of(entry_key)
                at = (key, -seq if bucket.record.versions else 0)
                if at <= start and start[0]:
                    continue  # of an earlier page
                if last[0] and at > last:
                    return
                if entry_key not in present:
                    await self._note(bucket, (key, seq, identity, name), entry_key, entry)

    async def _note(
        self,
        bucket: BucketRow,
        named: tuple[bytes, int, bytes, bytes],
        entry_key: bytes,
        entry: bytes,
    ) -> None:
        key, seq, identity, name = named
        place = await notes.place_at(self._store, bucket, key, seq, identity)
        there = await notes.present(self._store, place.record, name) if place else None
        forget = self._journal.forget(notes.TABLE, entry_key)
        if place is None or there is None or digest(notes.told(there)) != entry:
            await self._store.index.commit(forget)
            return
        try:
            locks.check_removal(place.record, self._store.now())
            changes = await notes.removal(self._store, place, name)
            await self._store.index.commit(*changes, forget)
        except (ObjectLocked, RowChanged):
            return  # the next pass looks again
        self._totals.deleted += 1

    def note_uploads(self, bucket: BucketRow, ids: Iterable[bytes]) -> None:
        """Note uploads that the source still has; call it for every page."""
        self._uploads.setdefault(bucket.record.id, set()).update(ids)

    async def uploads(self) -> None:
        """After the last page: abort what was pulled and has ended at the source, unless a client
        has gone on with it here."""
        for base, present in self._uploads.items():
            after = b""
            while entries := await self._journal.scan("upload", base, after):
                after = entries[-1][0]
                for row_key, entry in entries:
                    if row_key[-16:] not in present:
                        await self._upload(base, row_key, entry)

    async def _upload(self, base: bytes, row_key: bytes, entry: bytes) -> None:
        index = self._store.index
        raw = await index.get("upload", row_key)
        parts = await index.scan("part", prefix=row_key[-16:], limit=MAX_PARTS + 1)
        entries = await self._journal.get_many("part", [key for key, _ in parts])
        ours = all(digest(part) == known for (_, part), known in zip(parts, entries, strict=True))
        if raw is not None and digest(raw) == entry and ours:
            upload = UploadRow(
                row_key, raw, decode(Upload, raw), unescape_key(row_key[len(base) : -16])
            )
            try:
                await uploads.abort(self._store, upload)
            except (UploadNotFound, WriteConflict):
                return
            self._totals.deleted += 1
        forget = [self._journal.forget("part", key) for key, _ in parts]
        await index.commit(self._journal.forget("upload", row_key), *forget)
