"""Pulling a serving node's buckets into this store, pass by pass, while both serve.

A pass lists the rows of the source page by page, compares them with the target's, and asks for the
bytes of those that are missing or have changed since. It goes on after a lost connection with what
has not come yet. The journal tells what the pull itself has written: whatever else is at the target
is a client's, and stays. With `delete` an object or upload that has gone from the source goes here
too, if it is still as the pull wrote it; buckets are never removed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import msgspec

from aisle.core.errors import ConfigError
from aisle.namespace.records import Bucket, Object, Part, decode, encode, part_key
from aisle.namespace.store import Store, store_id
from aisle.namespace.transfer.deletions import Deletions, Listed
from aisle.namespace.transfer.frames import PIECE, FrameReader, StreamCut, StreamDamaged
from aisle.namespace.transfer.importing import Import
from aisle.namespace.transfer.items import (
    BucketItem,
    Cursor,
    Item,
    ItemBody,
    ItemReader,
    NoteItem,
    ObjectItem,
    PartItem,
    UploadItem,
)
from aisle.namespace.transfer.journal import Journal
from aisle.namespace.transfer.placing import same_object, same_part
from aisle.namespace.transfer.source import (
    AskedNote,
    AskedUpload,
    AskedVersion,
    Asking,
    Patience,
    Source,
    SourceLost,
)
from aisle.namespace.transfer.steady import SteadyBody, taken_up
from aisle.namespace.transfer.terms import Totals
from aisle.namespace.versions.ids import row_key as place_of

# Asked for in one request: so many objects and parts, so many bytes of names.
_ASKED: Final = 256
_ASKED_BYTES: Final = 64 << 10
_ASKED_NOTES: Final = 64


class Page(NamedTuple):
    """A page of rows: what it says of the source, its items, where the next one begins."""

    source: str
    items: list[Item]
    after: Cursor | None


@dataclass(slots=True)
class Group:
    """The items of one bucket in a page."""

    bucket: Bucket
    documents: Mapping[bytes, bytes] | None = None
    objects: list[ObjectItem] = field(default_factory=list)
    uploads: list[UploadItem] = field(default_factory=list)
    parts: list[PartItem] = field(default_factory=list)
    notes: list[NoteItem] = field(default_factory=list)


class Pull:
    """Passes over one source. `patience` is for how many seconds it may be out of reach."""

    def __init__(
        self,
        store: Store,
        source: Source,
        *,
        delete: bool = False,
        patience: float = 60.0,
        tell: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._store = store
        self._source = source
        self._delete = delete
        self._patience = patience
        self._tell = tell
        self._journal: Journal | None = None

    async def run_pass(self, totals: Totals) -> None:
        """One pass over everything, counted in `totals`. Raises `SourceLost`, `StreamDamaged`,
        and what the engines raise; running it again goes on."""
        page = await self._page(None)
        journal = await self._journal_of(page.source)
        target = Import(
            self._store, journal=journal, tell=self._tell, totals=totals, source=page.source
        )
        gone = Deletions(self._store, journal, totals)
        after: Cursor | None = None
        while True:
            if page.source != journal.source:
                raise ConfigError("the source has become another store")
            for group in await self._grouped(target, page.items):
                await target.take(BucketItem(group.bucket, group.documents))
                if target.bucket is None:
                    continue
                await self._fetch(target, group, await self._wanted(target, group))
                await self._fetch_notes(target, group, await target.lacking(group.notes))
                if self._delete and target.bucket.record.versions:
                    await gone.versions(target.bucket, group.objects, after, page.after)
                    gone.note_uploads(target.bucket, [item.record.id for item in group.uploads])
                elif self._delete:
                    keys = [item.key for item in group.objects]
                    listed = Listed.of(group.bucket, after, page.after)
                    await gone.objects(target.bucket, keys, listed)
                    gone.note_uploads(target.bucket, [item.record.id for item in group.uploads])
                if self._delete:
                    await gone.notes(target.bucket, group.notes, after, page.after)
            if page.after is None:
                break
            if page.after == after:
                raise StreamDamaged("the source tells the same page again and again")
            after = page.after
            page = await self._page(after)
        await gone.uploads()

    async def finish(self) -> None:
        """Forget what was pulled: from now on everything at the target is the target's."""
        if self._journal is not None:
            await self._journal.clear()

    async def _journal_of(self, source: str) -> Journal:
        if source == await store_id(self._store.index):
            raise ConfigError("the source is the very store that it is to be pulled into")
        if self._journal is None:
            self._journal = Journal(self._store, source)
        return self._journal

    # --- what the source has ----------------------------------------------------------------------

    async def _page(self, after: Cursor | None) -> Page:
        async def attempt() -> Page:
            async with self._source.heads(encode(after) if after else b"") as read:
                reader = ItemReader(FrameReader(read))
                start = await reader.begin()
                items = [item async for item in reader.items()]
            end = reader.end.after
            return Page(start.store, items, decode(Cursor, end) if end else None)

        patience = Patience(self._patience)
        while True:
            try:
                return await attempt()
            except (SourceLost, StreamCut, StreamDamaged) as error:
                await patience.wait(error)

    async def _grouped(self, target: Import, items: Iterable[Item]) -> list[Group]:
        groups: list[Group] = []
        for item in items:
            match item:
                case BucketItem(bucket, None):
                    groups.append(Group(bucket))
                case BucketItem(_, documents):
                    groups[-1].documents = documents
                case ObjectItem():
                    groups[-1].objects.append(item)
                case UploadItem():
                    groups[-1].uploads.append(item)
                case PartItem():
                    groups[-1].parts.append(item)
                case NoteItem():
                    groups[-1].notes.append(item)
                case _:
                    await target.take(item)
        return groups

    # --- what the target lacks --------------------------------------------------------------------

    async def _wanted(self, target: Import, group: Group) -> list[ObjectItem | PartItem]:
        """The objects and parts whose bytes to ask for; uploads are begun here."""
        bucket = target.bucket
        assert bucket is not None
        if bucket.record.versions:
            wanted = await self._lacking_versions(target, group.objects)
        else:
            keys = [bucket.record.id + item.key for item in group.objects]
            wanted = await self._lacking(target, "object", keys, group.objects)
        live = set[bytes]()
        for upload in group.uploads:
            await target.take(upload)
            if target.upload is not None:
                live.add(upload.record.id)
        parts = [item for item in group.parts if item.upload.record.id in live]
        keys = [part_key(item.upload.record.id, item.record.number) for item in parts]
        return wanted + await self._lacking(target, "part", keys, parts)

    async def _lacking(
        self,
        target: Import,
        table: str,
        keys: Sequence[bytes],
        items: Sequence[ObjectItem | PartItem],
    ) -> list[ObjectItem | PartItem]:
        """Those of `items` that are not at the target, and may be written there."""
        journal, bucket = self._journal, target.bucket
        assert journal is not None
        assert bucket is not None
        rows = await self._store.index.get_many(table, keys)
        entries = await journal.get_many(table, keys)
        wanted: list[ObjectItem | PartItem] = []
        known: list[tuple[str, bytes, bytes]] = []
        for key, item, row, entry in zip(keys, items, rows, entries, strict=True):
            if row is not None and _same(row, item):
                target.totals.skipped += 1
                if entry is None:
                    known.append((table, key, row))
            elif target.replaceable(row, entry):
                wanted.append(item)
            else:
                target.note_kept(bucket, item)
        await journal.adopt(known)
        return wanted

    async def _lacking_versions(
        self, target: Import, items: Sequence[ObjectItem]
    ) -> list[ObjectItem | PartItem]:
        """The same of versions, which may be current ones or former ones."""
        journal, bucket = self._journal, target.bucket
        assert journal is not None
        assert bucket is not None
        base, index = bucket.record.id, self._store.index
        places = [place_of(base, item.key, item.record.seq) for item in items]
        current = await index.get_many("object", [base + item.key for item in items])
        former = await index.get_many("version", places)
        entries = await journal.get_many("version", places)
        wanted: list[ObjectItem | PartItem] = []
        for item, place, top, below, entry in zip(
            items, places, current, former, entries, strict=True
        ):
            is_top = top is not None and decode(Object, top).seq == item.record.seq
            row = top if is_top else below
            if row is not None and _same(row, item):
                target.totals.skipped += 1
                if entry is None:
                    there = ("object", base + item.key) if is_top else ("version", place)
                    await journal.adopt_as(("version", place), (*there, row))
            elif target.replaceable(row, entry):
                wanted.append(item)
            else:
                target.note_kept(bucket, item)
        return wanted

    async def _fetch(
        self, target: Import, group: Group, wanted: Sequence[ObjectItem | PartItem]
    ) -> None:
        """Have the bytes sent and take them in; after a lost connection ask for what is left."""
        patience = Patience(self._patience)
        left = {_name(item): item for item in wanted}
        while left:
            asked = _first(left.values())
            try:
                async with self._source.bodies(_asking(group.bucket, asked)) as read:
                    reader = ItemReader(FrameReader(read))
                    await reader.begin()
                    patience.heard()
                    async for item in reader.items():
                        if not isinstance(item, ObjectItem | PartItem):
                            await target.take(item)
                        elif await self._take(target, group.bucket, item):
                            left.pop(_name(item), None)
                            patience.restore()
            except (SourceLost, StreamCut, StreamDamaged) as error:
                await patience.wait(error)
            else:
                for item in asked:  # what did not come is no longer there
                    left.pop(_name(item), None)
            finally:
                await target.settle()

    async def _fetch_notes(self, target: Import, group: Group, wanted: Sequence[NoteItem]) -> None:
        """The same of annotations, which come after their objects."""
        patience = Patience(self._patience)
        left = {(item.key, item.seq, item.name): item for item in wanted}
        while left:
            asked = list(left)[:_ASKED_NOTES]
            try:
                async with self._source.bodies(_asking_notes(group.bucket, asked)) as read:
                    reader = ItemReader(FrameReader(read))
                    await reader.begin()
                    patience.heard()
                    async for item in reader.items():
                        if isinstance(item, NoteItem):
                            await target.take(item)
                            left.pop((item.key, item.seq, item.name), None)
                            patience.restore()
            except (SourceLost, StreamCut, StreamDamaged) as error:
                await patience.wait(error)
            else:
                for name in asked:  # what did not come is no longer there
                    left.pop(name, None)

    async def _take(self, target: Import, bucket: Bucket, item: ObjectItem | PartItem) -> bool:
        """Take one item in; false if it was replaced at the source and comes again."""
        if item.record.size <= PIECE:
            await target.take(item)
            return not item.body.comes_again
        async with AsyncExitStack() as stack:

            async def reopen(offset: int) -> ItemBody | None:
                await stack.aclose()
                asking = _asking(bucket, [item], offset)
                read = await stack.enter_async_context(self._source.bodies(asking))
                return await taken_up(ItemReader(FrameReader(read)), stack, item, offset)

            body = SteadyBody(item.body, item.record.size, reopen, Patience(self._patience))
            await target.take(item._replace(body=body))
            return not body.comes_again


def _same(row: bytes, item: ObjectItem | PartItem) -> bool:
    if isinstance(item, ObjectItem):
        return same_object(decode(Object, row), item.record)
    return same_part(decode(Part, row), item.record)


def _name(item: ObjectItem | PartItem) -> tuple[bytes, bytes, int]:
    if isinstance(item, ObjectItem):
        return item.key, b"", item.record.seq if item.version else 0
    return item.upload.key, item.upload.record.id, item.record.number


def _first(items: Iterable[ObjectItem | PartItem]) -> list[ObjectItem | PartItem]:
    """As many as one request asks for."""
    asked: list[ObjectItem | PartItem] = []
    size = 0
    for item in items:
        size += len(_name(item)[0])
        if asked and (len(asked) == _ASKED or size > _ASKED_BYTES):
            break
        asked.append(item)
    return asked


def _asking_notes(bucket: Bucket, names: Iterable[tuple[bytes, int, bytes]]) -> bytes:
    asked = [AskedNote(key.decode(), seq, name.decode()) for key, seq, name in names]
    return msgspec.json.encode(Asking(bucket.name, bucket.provider, bucket.namespace, notes=asked))


def _asking(bucket: Bucket, items: Iterable[ObjectItem | PartItem], offset: int = 0) -> bytes:
    keys: list[str] = []
    versions: list[AskedVersion] = []
    by_id: dict[bytes, AskedUpload] = {}
    for item in items:
        if isinstance(item, ObjectItem):
            if item.version:
                versions.append(AskedVersion(item.key.decode(), item.record.seq))
            else:
                keys.append(item.key.decode())
            continue
        upload = item.upload
        fresh = AskedUpload(upload.key.decode(), upload.record.id.hex(), [])
        by_id.setdefault(upload.record.id, fresh).parts.append(item.record.number)
    uploads = list(by_id.values())
    asking = Asking(bucket.name, bucket.provider, bucket.namespace, keys, uploads, offset, versions)
    return msgspec.json.encode(asking)
