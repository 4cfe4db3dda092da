"""Writing a stream of items into a store that others may be writing to.

Whatever is there and the same is passed over, so an import may be broken off and run again; what
may be replaced is up to its `terms`. An item that is not what its record says is refused by name,
and the rest goes on. Only the order of things may live here: which items go together, and which
after one another. How they are written is up to `people`, `containers` and `contents`.

Small objects are written many at a time, larger ones in pieces and one after the other. A crash
leaves whole objects, and blobs that the sweep finds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from aisle.core.errors import BucketNotFound, DigestMismatch, ObjectLocked, WriteConflict
from aisle.namespace.records import Bucket
from aisle.namespace.store import BucketRow, Store
from aisle.namespace.transfer import containers, contents, notes
from aisle.namespace.transfer.containers import Upload
from aisle.namespace.transfer.frames import PIECE
from aisle.namespace.transfer.items import (
    BucketItem,
    ConfigItem,
    Item,
    ItemReader,
    NoteItem,
    ObjectItem,
    PartItem,
    UploadItem,
    Voided,
    shown_item,
    shown_note,
)
from aisle.namespace.transfer.journal import Journal
from aisle.namespace.transfer.people import ClusterItem, People, PersonItem, RoleItem, Taken
from aisle.namespace.transfer.terms import Kept, Terms, Totals
from aisle.namespace.transfer.verify import Unfit

_TOGETHER: Final = 32  # small objects under way, of up to `PIECE` bytes each


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
        self._terms = Terms(store, overwrite, journal, tell, self.totals)
        self._people = People(store, source, tell)
        self._source: Bucket | None = None
        self.bucket: BucketRow | None = None  # None: its contents are passed over
        self.upload: Upload | None = None  # likewise
        self._upload_id = b""
        self._running: set[asyncio.Task[None]] = set()
        self._version_of = b""  # the key of the last version

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
                await containers.take_config(self._terms, config)
            case RoleItem() | ClusterItem() | PersonItem():
                self._count(await self._people.take(item))
            case BucketItem(bucket, given):
                if self._source is None or bucket != self._source:
                    self._source, self._upload_id = bucket, b""
                    self.bucket = await containers.find_bucket(self._terms, bucket)
                if given is not None and self.bucket is not None:
                    await containers.take_documents(self._terms, self.bucket, bucket, given)
            case UploadItem():
                if item.record.id != self._upload_id:
                    self._upload_id = item.record.id
                    if self.bucket is None:
                        self.upload = None
                    else:
                        self.bucket, self.upload = await containers.find_upload(
                            self._terms, self.bucket, item
                        )
            case ObjectItem() | PartItem():
                await self._body(item)
            case NoteItem():
                await self._note(item)

    async def _note(self, item: NoteItem) -> None:
        """Write an annotation, once its object is there."""
        await self.settle()
        if self.bucket is None or self.bucket.record.behind is not None:
            return
        try:
            await notes.write(self._terms, self.bucket, item)
        except Kept:
            notes.note_kept(self._terms, self.bucket, item)
        except (DigestMismatch, Unfit, ObjectLocked, WriteConflict) as error:
            self._terms.refuse(shown_note(self.bucket.record, item), str(error))

    # --- many at a time -------------------------------------------------------------------------

    async def _body(self, item: ObjectItem | PartItem) -> None:
        """Work on an item: beside others if its body is one piece, which is read here."""
        if self.bucket is None or (isinstance(item, PartItem) and self.upload is None):
            return
        if isinstance(item, ObjectItem) and item.version:
            if item.key == self._version_of:  # those of a key come one after the other
                await self.settle()
            self._version_of = item.key
        if item.record.size > PIECE:
            await self._write(self.bucket, self.upload, item)
            return
        try:
            item = item._replace(body=await item.body.collect())
        except Voided as void:
            self._terms.note_void(self.bucket, item, void)
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
        upload: Upload | None,
        item: ObjectItem | PartItem,
    ) -> None:
        """Write one item; what only this item is to blame for ends here."""
        try:
            if isinstance(item, ObjectItem):
                await contents.write_object(self._terms, bucket, item)
            elif upload is not None:
                await contents.write_part(self._terms, bucket, upload, item)
        except Kept:
            self._terms.note_kept(bucket, item)
        except Voided as void:
            self._terms.note_void(bucket, item, void)
        except (DigestMismatch, Unfit, BucketNotFound, ObjectLocked, WriteConflict) as error:
            self._terms.refuse(shown_item(bucket.record, item), str(error))

    def _count(self, taken: Taken) -> None:
        self.totals.users += taken.users
        self.totals.skipped += taken.skipped
        self.totals.kept += taken.kept
        self.totals.refused += taken.refused

    # --- what a pull asks, which sees by itself what it need not fetch --------------------------

    def replaceable(self, row: bytes | None, entry: bytes | None) -> bool:
        return self._terms.replaceable(row, entry)

    def note_kept(self, bucket: BucketRow, item: ObjectItem | PartItem) -> None:
        self._terms.note_kept(bucket, item)

    async def lacking(self, items: Sequence[NoteItem]) -> list[NoteItem]:
        """The annotations whose texts to fetch."""
        if self.bucket is None or self.bucket.record.behind is not None:
            return []
        return await notes.lacking(self._terms, self.bucket, items)
