"""Writing a stream of items into a store that others may be writing to.

Whatever is there and the same is passed over, so an import may be broken off and run again. What is
there and differs is kept, or replaced where `overwrite` says so, or where the journal of a pull
shows that it was the pull that wrote it. Each row is committed with a check of what it takes the
place of: a client that writes at that moment wins. Bodies are verified before their row is
committed; one that is not what its record says is refused by name, and the rest goes on.

Small objects are written many at a time, larger ones in pieces and one after the other. A crash
leaves whole objects, and blobs that the sweep finds.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import msgspec

from aisle.core.errors import (
    AisleError,
    BucketNotFound,
    DigestMismatch,
    RowChanged,
    StoreUnavailable,
    WriteConflict,
)
from aisle.namespace import bodies, buckets, documents, objects, ownership
from aisle.namespace.conditions import WriteConditions
from aisle.namespace.records import (
    Bucket,
    Config,
    Object,
    Part,
    bucket_key,
    decode,
    encode,
    part_key,
    upload_key,
)
from aisle.namespace.store import CONFIG_KEY, RETRIES, BucketRow, Store
from aisle.namespace.transfer.frames import PIECE
from aisle.namespace.transfer.items import (
    BucketItem,
    ConfigItem,
    Item,
    ItemReader,
    ObjectItem,
    PartItem,
    UploadItem,
    Voided,
    shown,
    shown_item,
)
from aisle.namespace.transfer.journal import Journal, digest
from aisle.namespace.transfer.people import ClusterItem, People, PersonItem, RoleItem, Taken
from aisle.namespace.transfer.placing import discard, place, same_object, same_part
from aisle.namespace.transfer.verify import Unfit
from aisle.store.base import ABSENT, Change, Check, Put

_TOGETHER: Final = 32  # small objects under way, of up to `PIECE` bytes each


@dataclass(slots=True)
class Totals:
    """What an import has done. `bytes` are those written; `skipped` was there already; `kept`
    differs, and is the target's; `refused` was not what its record says, or has no place."""

    buckets: int = 0
    objects: int = 0
    uploads: int = 0
    parts: int = 0
    users: int = 0
    bytes: int = 0
    skipped: int = 0
    kept: int = 0
    refused: int = 0
    deleted: int = 0

    @property
    def changes(self) -> int:
        return self.buckets + self.objects + self.uploads + self.parts + self.users + self.deleted


class Kept(AisleError):
    """What is at the target is not to be replaced."""


@dataclass(frozen=True, slots=True)
class _IfReplaceable(WriteConditions):
    """Conditions of a write that a row of an object's present value decides."""

    replaceable: Callable[[bytes | None], bool] = bool

    @property
    def empty(self) -> bool:
        return False

    def check(self, current: Object | None, *, bucket: str, key: str) -> None:
        if not self.replaceable(encode(current) if current is not None else None):
            raise Kept("the object at the target is another")


class Import:
    """Takes items in. `tell` hears one line about everything that is kept or refused."""

    def __init__(
        self,
        store: Store,
        *,
        overwrite: bool = False,
        journal: Journal | None = None,
        tell: Callable[[str], None] = lambda line: None,
        totals: Totals | None = None,
        source: str = "",
    ) -> None:
        """`source` is the identity of the store that the items come from."""
        self.totals = totals if totals is not None else Totals()
        self._store = store
        self._overwrite = overwrite
        self._journal = journal
        self._tell = tell
        self._people = People(store, source, tell)
        self._source: Bucket | None = None
        self.bucket: BucketRow | None = None  # None: its contents are passed over
        self.upload: tuple[bytes, bytes] | None = None  # row key and row; likewise
        self._upload_id = b""
        self._running: set[asyncio.Task[None]] = set()

    async def run(self, reader: ItemReader) -> None:
        """Take in a whole stream, or as much of it as there is.

        Raises `StreamDamaged`, `StreamCut`, and `StoreError` if the target cannot go on.
        """
        try:
            async for item in reader.items():
                await self.take(item)
        finally:
            await self.settle()

    async def take(self, item: Item) -> None:
        """Take in one item. Its body is read when this returns, its row may not be committed."""
        match item:
            case ConfigItem(config):
                await self._config(config)
            case RoleItem() | ClusterItem() | PersonItem():
                self._count(await self._people.take(item))
            case BucketItem(bucket, given):
                if self._source is None or bucket != self._source:
                    self._source, self._upload_id = bucket, b""
                    self.bucket = await self._find_bucket(bucket)
                if given is not None and self.bucket is not None:
                    await self._documents(self.bucket, bucket, given)
            case UploadItem():
                if item.record.id != self._upload_id:
                    self._upload_id = item.record.id
                    self.upload = await self._find_upload(item) if self.bucket else None
            case ObjectItem() | PartItem():
                await self._body(item)

    # --- many at a time -------------------------------------------------------------------------

    async def _body(self, item: ObjectItem | PartItem) -> None:
        """Work on an item: beside others if its body is one piece, which is read here."""
        if self.bucket is None or (isinstance(item, PartItem) and self.upload is None):
            return
        if item.record.size > PIECE:
            await self._write(self.bucket, self.upload, item)
            return
        try:
            item = item._replace(body=await item.body.collect())
        except Voided as void:
            self._note_void(self.bucket, item, void)
            return
        while len(self._running) >= _TOGETHER:
            done, self._running = await asyncio.wait(
                self._running, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                task.result()
        self._running.add(asyncio.create_task(self._write(self.bucket, self.upload, item)))

    async def settle(self) -> None:
        """Wait for what is under way. Raises the first failure."""
        running, self._running = self._running, set()
        for result in await asyncio.gather(*running, return_exceptions=True):
            if isinstance(result, BaseException):
                raise result

    async def _write(
        self,
        bucket: BucketRow,
        upload: tuple[bytes, bytes] | None,
        item: ObjectItem | PartItem,
    ) -> None:
        """Write one item; what only this item is to blame for ends here."""
        try:
            if isinstance(item, ObjectItem):
                await self._object(bucket, item)
            elif upload is not None:
                await self._part(bucket, upload, item)
        except Kept:
            self.note_kept(bucket, item)
        except Voided as void:
            self._note_void(bucket, item, void)
        except (DigestMismatch, Unfit, BucketNotFound, WriteConflict) as error:
            self.refuse(shown_item(bucket.record, item), str(error))

    def _count(self, taken: Taken) -> None:
        self.totals.users += taken.users
        self.totals.skipped += taken.skipped
        self.totals.kept += taken.kept
        self.totals.refused += taken.refused

    def refuse(self, name: str, reason: str) -> None:
        self.totals.refused += 1
        self._tell(f"refused {name}: {reason}")

    def note_kept(self, bucket: BucketRow, item: ObjectItem | PartItem) -> None:
        self.totals.kept += 1
        self._tell(f"kept {shown_item(bucket.record, item)} as it is at the target")

    def _note_void(self, bucket: BucketRow, item: ObjectItem | PartItem, void: Voided) -> None:
        if str(void):
            reason = f"it could not be read at the source ({void})"
            self.refuse(shown_item(bucket.record, item), reason)

    # --- settings, buckets, uploads -------------------------------------------------------------

    async def _config(self, config: Config) -> None:
        for _ in range(RETRIES):
            raw = await self._store.index.get("config", CONFIG_KEY)
            old = decode(Config, raw) if raw is not None else None
            if old is not None and old.values == config.values:
                self.totals.skipped += 1
                return
            if old is not None and not self._overwrite:
                self.totals.kept += 1
                self._tell("kept the settings of the cluster: those at the target differ")
                return
            new = Config(old.version + 1 if old else config.version, config.values)
            check = Check("config", CONFIG_KEY, ABSENT if raw is None else raw)
            with suppress(RowChanged):
                await self._store.index.commit(check, Put("config", CONFIG_KEY, encode(new)))
                return
        raise WriteConflict("the settings of the cluster are being changed by too many writers")

    async def _find_bucket(self, source: Bucket) -> BucketRow | None:
        """The bucket at the target, made if need be; None if its contents have no place."""
        row_key = bucket_key(source.name, source.provider, source.namespace)
        entry = await self._journal.get("bucket", row_key) if self._journal else None
        name = shown(source)
        index = self._store.index
        for _ in range(RETRIES):
            raw = await index.get("bucket", row_key)
            if raw is not None:
                with suppress(RowChanged):
                    return await self._known_bucket(source, row_key, raw)
                continue
            if entry is not None:
                self.refuse(name, "it was deleted at the target")
                return None
            taken = await index.scan("bucket", prefix=f"{source.name}\0".encode(), limit=1)
            if taken:
                self.refuse(name, "the target has a bucket of this name from another provider")
                return None
            # Its id is a new one: what the target once had under the old one stays apart.
            record = msgspec.structs.replace(source, id=os.urandom(8), mark=b"")
            raw = encode(record)
            extra = self._entered("bucket", row_key, None, raw)
            try:
                await index.commit(
                    Check("bucket", row_key, ABSENT), Put("bucket", row_key, raw), *extra
                )
            except RowChanged:
                continue
            self.totals.buckets += 1
            return BucketRow(row_key, raw, record)
        raise WriteConflict(f"{name} is being changed by too many writers")

    async def _known_bucket(self, source: Bucket, row_key: bytes, raw: bytes) -> BucketRow:
        """A bucket that is there, made like the source's if it may be. Raises `RowChanged`."""
        record = decode(Bucket, raw)
        row = BucketRow(row_key, raw, record)
        wanted = msgspec.structs.replace(source, id=record.id, mark=record.mark)
        if wanted == record:
            self.totals.skipped += 1
            if self._journal and await self._journal.get("bucket", row_key) is None:
                await self._journal.adopt([("bucket", row_key, raw)])
            return row
        if not self._overwrite:
            self.totals.kept += 1
            self._tell(f"kept {shown(source)} as it is at the target: owner, age or props differ")
            return row
        new = encode(wanted)
        changes: list[Change] = [row.check, Put("bucket", row_key, new)]
        if wanted.owner != record.owner:  # what is in it stays its former owner's
            changes.append(Put("document", record.id + documents.SHARED, b"1"))
        await self._store.index.commit(*changes)
        self.totals.buckets += 1
        return BucketRow(row_key, new, wanted)

    async def _documents(
        self, row: BucketRow, source: Bucket, given: Mapping[bytes, bytes]
    ) -> None:
        """Give the bucket the source's documents, before anything is in it that they are about. One
        that was kept as it is keeps its own."""
        if msgspec.structs.replace(source, id=row.record.id, mark=row.record.mark) != row.record:
            return
        # Whether it is shared is up to what comes to be in it here.
        given = {kind: text for kind, text in given.items() if kind != documents.SHARED}
        present = dict((await documents.of(self._store, row)).raw)
        present.pop(documents.SHARED, None)
        if present == given:
            return
        if present and not self._overwrite:
            self.totals.kept += 1
            self._tell(f"kept {shown(source)} as it is at the target: its policy or ACL differs")
            return
        changes = {kind: given.get(kind) for kind in {*present, *given}}
        await documents.change(self._store, row, changes)

    async def _find_upload(self, item: UploadItem) -> tuple[bytes, bytes] | None:
        """The upload at the target, begun if need be; None if it has ended there."""
        bucket = self.bucket
        assert bucket is not None
        index = self._store.index
        record = item.record
        row_key = upload_key(bucket.record.id, item.key, record.id)
        entry = await self._journal.get("upload", row_key) if self._journal else None
        for _ in range(RETRIES):
            raw = await index.get("upload", row_key)
            if raw is not None:
                self.totals.skipped += 1
                return row_key, raw
            if entry is not None or await index.get("done", record.id) is not None:
                self.totals.kept += 1
                return None
            await ownership.note(self._store, bucket, record.owner)
            raw = encode(record)
            extra = self._entered("upload", row_key, None, raw)
            try:
                await index.commit(
                    *buckets.guard(bucket),
                    Check("upload", row_key, ABSENT),
                    Put("upload", row_key, raw),
                    *extra,
                )
            except RowChanged:
                try:
                    self.bucket = bucket = await buckets.refresh(self._store, bucket)
                except BucketNotFound:
                    self.refuse(shown(bucket.record, item.key), "its bucket was deleted")
                    return None
                continue
            self.totals.uploads += 1
            return row_key, raw
        raise WriteConflict("an upload is being changed by too many writers")

    def _entered(self, table: str, row_key: bytes, old: bytes | None, row: bytes) -> list[Change]:
        return self._journal.record(table, row_key, old, row) if self._journal else []

    # --- objects and parts ----------------------------------------------------------------------

    async def _object(self, bucket: BucketRow, item: ObjectItem) -> None:
        if bucket.record.behind is not None:
            raise Unfit(f"the bucket is a window on {bucket.record.behind}, which is left alone")
        row_key = bucket.record.id + item.key
        raw = await self._store.index.get("object", row_key)
        entry = await self._journal.get("object", row_key) if self._journal else None
        if raw is not None and same_object(decode(Object, raw), item.record):
            self.totals.skipped += 1
            if self._journal and entry is None:
                await self._journal.adopt([("object", row_key, raw)])
            return
        condition = _IfReplaceable(replaceable=lambda row: self.replaceable(row, entry))
        condition.check(decode(Object, raw) if raw is not None else None, bucket="", key="")
        await ownership.note(self._store, bucket, item.record.owner)
        placed = await place(self._store, item, owner=row_key)
        extents, parts, layout, extra = objects.layout_of(placed.extents, item.parts)
        record = msgspec.structs.replace(item.record, extents=extents, parts=parts, layout=layout)
        extra += placed.changes
        extra += self._entered("object", row_key, entry, encode(record))
        try:
            await objects.commit(
                self._store, bucket, item.key, None, lambda old, now: record, condition, *extra
            )
        except (StoreUnavailable, MemoryError):
            raise  # it may have been committed: the sweep decides what its bytes are
        except RowChanged:
            await discard(self._store, placed)
            raise Kept("another import is writing the same") from None
        except Exception:
            await discard(self._store, placed)
            raise
        self.totals.objects += 1
        self.totals.bytes += record.size

    async def _part(self, bucket: BucketRow, upload: tuple[bytes, bytes], item: PartItem) -> None:
        index = self._store.index
        row_key = part_key(item.upload.record.id, item.record.number)
        raw = await index.get("part", row_key)
        entry = await self._journal.get("part", row_key) if self._journal else None
        if raw is not None and same_part(decode(Part, raw), item.record):
            self.totals.skipped += 1
            if self._journal and entry is None:
                await self._journal.adopt([("part", row_key, raw)])
            return
        if not self.replaceable(raw, entry):
            raise Kept("the part at the target is another")
        placed = await place(self._store, item, owner=bucket.record.id + item.upload.key)
        record = msgspec.structs.replace(item.record, extents=placed.extents)
        new = encode(record)
        changes: list[Change] = [
            Check("upload", *upload),
            Check("part", row_key, ABSENT if raw is None else raw),
            Put("part", row_key, new),
            *placed.changes,
            *self._entered("part", row_key, entry, new),
        ]
        if raw is not None:
            changes += bodies.release(decode(Part, raw).extents, self._store.now())
        try:
            await index.commit(*changes)
        except (StoreUnavailable, MemoryError):
            raise
        except RowChanged:
            await discard(self._store, placed)
            raise Kept("the upload at the target has ended, or has another part") from None
        except Exception:
            await discard(self._store, placed)
            raise
        self.totals.parts += 1
        self.totals.bytes += record.size

    def replaceable(self, row: bytes | None, entry: bytes | None) -> bool:
        """Whether the import may write where `row` is now; `entry` is the journal's."""
        if self._journal is None:
            return row is None or self._overwrite
        if row is None:
            return entry is None  # else a client has deleted what the pull had written
        return entry == digest(row)
