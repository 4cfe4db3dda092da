"""Work of `archive`: one archive of many objects of a bucket, or more of them in one that is there.

The archive becomes visible in one moment, when all is in it; so a run that was cut short leaves
nothing behind, and the next begins anew.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from aisle.core.errors import ObjectNotFound
from aisle.core.names import encode_key
from aisle.jobs.task import TO, Task
from aisle.jobs.work.selection import Item, Selection, open_bucket
from aisle.namespace import bodies, objects
from aisle.namespace.archives import making
from aisle.namespace.archives.making import Mode
from aisle.namespace.archives.writing import NewMember
from aisle.namespace.objects import Found
from aisle.namespace.records import Object
from aisle.namespace.store import BucketRow, Store

SECOND: Final = 1_000_000_000


async def archive_objects(task: Task) -> None:
    args = task.args
    source, to = await open_bucket(task), await open_bucket(task, TO)
    key = encode_key(args["archname"])

    def members() -> AsyncIterator[NewMember]:
        return _members(task, source, None if to.record.id != source.record.id else key)

    record = await making.make(
        task.store,
        to,
        key,
        members,
        mode=Mode.APPEND_OR_PUT if args.get("aate") else Mode.PUT,
        mime=args.get("mime", ""),
        owner=args.get("owner", ""),
    )
    await task.advance(message=f"{to.name}/{args['archname']}, {record.size} bytes")


async def _members(task: Task, source: BucketRow, itself: bytes | None) -> AsyncIterator[NewMember]:
    """The objects that were selected. Raises `ObjectNotFound` for one in a list that is not there,
    unless errors are to be passed over; what a template names need not be there."""
    await _begin_anew(task)
    args, selection = task.args, Selection(task.args)
    before = f"{source.record.name}/" if args.get("isbn") else ""
    top = len(selection.prefix or "") if args.get("nr") and selection.prefix is not None else None
    async for batch in selection.batches(task.store, source, remote=True):
        for item in batch:
            if item.key == itself and not selection.listed:
                continue  # an archive is not put into itself for lying in the same bucket
            if top is not None and "/" in item.name[top:]:
                continue
            try:
                found, small = await _look(task.store, source, item)
            except ObjectNotFound as error:
                if not selection.listed:
                    continue
                if not args.get("coer"):
                    raise
                await task.advance(errors=1, message=str(error))
                continue
            record: Object = found.record
            data = _data(task.store, found, small)
            name = item.name.rpartition("/")[2] if args.get("bnonly") else item.name
            yield NewMember(before + name, record.size, record.mtime // SECOND, data)
            await task.advance(1, record.size)


async def _begin_anew(task: Task) -> None:
    """Take back what an earlier run or attempt has counted."""
    done = task.progress
    await task.advance(-done.objects, -done.bytes, errors=-done.errors, message="")


async def _look(store: Store, source: BucketRow, item: Item) -> tuple[Found, bytes | None]:
    if item.absent:
        raise ObjectNotFound(source.record.name, item.name)
    return await objects.find_small(store, source, item.key)


async def _data(store: Store, found: Found, small: bytes | None) -> AsyncIterator[bytes]:
    if small is not None:
        yield small
        return
    async for piece in bodies.read_extents(store, found.extents, 0, found.record.size):
        yield piece
