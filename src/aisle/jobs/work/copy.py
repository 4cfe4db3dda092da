"""Work of `copy-bck` and `copy-listrange`: copy objects from one bucket to another, or to other
names in the same one, inside the store.

The cursor tells the phase and the place in it: first the copies, in the order of the selection, and
then, if the destination is to be synchronized with the source, a walk over the destination that
deletes what the source does not have. Copying an object once more is harmless.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import aclosing
from typing import Any, Final

from aisle.core.errors import AisleError, InvalidName, KeyTooLong, ObjectNotFound
from aisle.core.names import encode_key
from aisle.jobs.task import BUCKET, TO, Task
from aisle.jobs.work.selection import Item, Selection, listed, open_bucket, rows_of, scan
from aisle.jobs.work.together import OF_ONE, in_order, note_failure, width
from aisle.namespace import copies, destroy, objects
from aisle.namespace.objects import Description
from aisle.namespace.records import Listed, decode
from aisle.namespace.store import BucketRow
from aisle.namespace.windows import LOOK, READ

_COPY: Final = "copy:"
_SYNC: Final = "sync:"


class Renaming:
    """How the name of a copy is made of that of its source: AIStore's `ext` and `prepend`."""

    def __init__(self, args: Mapping[str, Any]) -> None:
        self.prepend: str = args.get("prepend", "")
        self._ext: Mapping[str, str] = args.get("ext") or {}

    def target(self, name: str) -> str:
        stem, dot, ext = name.rpartition(".")
        if dot and ext in self._ext:
            name = f"{stem}.{self._ext[ext]}"
        return self.prepend + name

    def sources(self, name: str) -> Iterator[str]:
        """The names whose copy would be called `name`, which begins with `prepend`."""
        own = name[len(self.prepend) :]
        stem, dot, ext = own.rpartition(".")
        if not (dot and ext in self._ext):
            yield own
        if dot:
            yield from (f"{stem}.{old}" for old, new in self._ext.items() if new == ext)


class _Copying:
    """One run of a job: the two buckets, and what it was asked."""

    def __init__(self, task: Task, source: BucketRow, to: BucketRow | None) -> None:
        args = task.args
        self.task = task
        self.store = task.store
        self.source = source
        self.to = to  # none for a dry run
        self.selection = Selection(args)
        self.renaming = Renaming(args)
        self.go_on: bool = args.get("coer", False)
        self.synchronize: bool = args.get("synchronize", False)
        self.at_once = width(args.get("num_workers", 0))
        self.owner: str = args.get("owner", "")
        self.within = args[TO] == args[BUCKET]
        self.all: bool = args.get("all", True)  # what is in a remote bucket alone, too
        self.how = READ._replace(latest=args.get("latest", False))
        # A copy that is here says nothing of what the remote bucket has by now.
        self._asks_remote = source.record.behind is not None and self.how.latest

    async def run(self) -> None:
        cursor = self.task.progress.cursor
        if not cursor.startswith(_SYNC):
            await self._copy_all(cursor.removeprefix(_COPY))
        prefix = self.selection.prefix
        if self.synchronize and self.to is not None and prefix is not None:
            await self._delete_absent(self.to, prefix, cursor)

    async def _copy_all(self, after: str) -> None:
        items = self._items(after)
        async with aclosing(in_order(items, self._copy, self.at_once)) as results:
            async for item, result in results:
                cursor = _COPY + item.after
                if isinstance(result, AisleError):
                    name = f"{self.source.name}/{item.name}"
                    await note_failure(self.task, name, result, go_on=self.go_on, cursor=cursor)
                elif result is None:
                    await self.task.advance(cursor=cursor)
                else:
                    await self.task.advance(1, result, cursor=cursor)

    async def _items(self, after: str) -> AsyncIterator[Item]:
        async for batch in self.selection.batches(self.store, self.source, after, remote=self.all):
            for item in batch:
                yield item

    async def _copy(self, item: Item) -> int | AisleError | None:
        """Copy an object; its size, or `None` if there was nothing to do, or why it failed."""
        try:
            target = encode_key(self.renaming.target(item.name))
            if self.within and (target == item.key or self._is_new(item)):
                return None
            try:
                return await self._copy_present(item, target)
            except ObjectNotFound:
                if item.raw is None or self._asks_remote:
                    await self._absent(item, target)
                    return None
                raise
        except OF_ONE as error:
            if isinstance(error, ObjectNotFound) and not self.selection.listed:
                return None  # it was deleted since it was listed
            return error

    async def _copy_present(self, item: Item, target: bytes) -> int:
        """Copy an object that is there; its size. Raises `ObjectNotFound`."""
        if item.absent:
            raise ObjectNotFound(self.source.record.name, item.name)
        if self.to is not None:
            return await self._copy_object(item.key, self.to, target)
        if item.raw is None and item.told is None:
            return (await objects.head(self.store, self.source, item.key)).size
        return item.size

    async def _copy_object(self, key: bytes, to: BucketRow, target: bytes) -> int:
        """Copy an object with all that is said of it; the copy is its maker's."""
        found, small = await objects.find_small(self.store, self.source, key, self.how)
        record = found.record
        description = Description(
            headers=record.headers,
            meta=record.meta,
            storage_class=record.storage_class,
            owner=self.owner,
            checksum_algorithm=next(iter(record.checksums), ""),
            tags=record.tags if to.record.behind is None else {},
        )
        await copies.copy(self.store, found, to, target, description, small=small)
        return record.size

    async def _absent(self, item: Item, target: bytes) -> None:
        """What was named does not exist: a mistake in a list, but not in a template."""
        if self.synchronize and self.to is not None:
            await destroy.delete_present(self.store, self.to, target, owner=self.owner)
        elif self.selection.listed:
            raise ObjectNotFound(self.source.record.name, item.name)

    def _is_new(self, item: Item) -> bool:
        """Whether an object has come since the job was begun: copies within a bucket lie in the
        way of the walk, and are not to be copied again."""
        if item.raw is None or item.remote:
            return False
        return decode(Listed, item.raw).mtime >= self.task.record.created

    async def _delete_absent(self, to: BucketRow, prefix: str, cursor: str) -> None:
        after = cursor.removeprefix(_SYNC) if cursor.startswith(_SYNC) else ""
        start = self.renaming.prepend + prefix
        async for batch in self._everything(to, start, after):
            lacking = await self._lacking(batch)
            if to.record.behind is None and not to.record.versions:
                rows = [(to.record.id + item.key, item.raw or b"") for item in lacking]
                await destroy.remove(self.store, to, rows)
            else:
                for item in lacking:
                    await destroy.delete_present(self.store, to, item.key, owner=self.owner)
            await self.task.advance(cursor=_SYNC + batch[-1].after)

    def _everything(self, to: BucketRow, prefix: str, after: str) -> AsyncIterator[list[Item]]:
        if to.record.behind is not None:
            return listed(self.store, to, prefix, after)
        return scan(self.store, to, prefix, after.encode("utf-8", "surrogateescape"))

    async def _lacking(self, batch: list[Item]) -> list[Item]:
        """Those of a batch of the destination that are no copy of anything in the source."""
        pairs = [(item, name) for item in batch for name in self.renaming.sources(item.name)]
        backed: set[str] = set()
        if not self._asks_remote:
            rows = await rows_of(self.store, self.source, [name for _, name in pairs])
            found = zip(pairs, rows, strict=True)
            backed = {item.name for (item, _), raw in found if raw is not None}
        if self.source.record.behind is not None:
            backed |= {
                item.name
                for item, name in pairs
                if item.name not in backed and await self._is_there(name)
            }
        return [item for item in batch if item.name not in backed]

    async def _is_there(self, name: str) -> bool:
        """Whether the remote bucket behind the source has an object."""
        how = LOOK._replace(latest=self.how.latest)
        try:
            await objects.head(self.store, self.source, encode_key(name), how)
        except (ObjectNotFound, InvalidName, KeyTooLong):
            return False
        return True


async def copy_objects(task: Task) -> None:
    source = await open_bucket(task)
    to = await open_bucket(task, TO) if not task.args.get("dry_run") else None
    await _Copying(task, source, to).run()
    await open_bucket(task)  # nothing is found in a bucket that was destroyed meanwhile either
