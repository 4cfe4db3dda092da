"""The work of `create-inventory`: rows of an inventory, from a remote's own listing or from the
files that Amazon's S3 has written, and then the one commit by which they are the ones listed.

The cursor tells how much is there: of a listing the last key, of files how many of them. What was
put after that is put again, which is harmless: rows go by their keys. A job whose inventory is no
longer its own has nothing to do.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

import msgspec

from aisle.core.errors import AisleError, InventoryDamaged, NotSupported, RowChanged
from aisle.jobs.task import Task
from aisle.jobs.work.selection import open_bucket
from aisle.namespace import buckets
from aisle.namespace.store import BucketRow
from aisle.namespace.window.inventory import finding, generations, loading, walking
from aisle.namespace.window.inventory.finding import Found
from aisle.namespace.window.inventory.generations import InventoryRow

# The arguments: the key of the inventory's row in hex, and what was found, of one of Amazon's.
ROW: Final = "inventory"
FOUND: Final = "found"


class InventoryTaken(AisleError):
    """Somebody else makes this inventory by now, or it was removed."""

    def __init__(self) -> None:
        super().__init__("the inventory was removed, or is made by another job")


class _State(msgspec.Struct):
    """How far it is: files that are done, or the last key; rows and their bytes."""

    files: int = 0
    after: str = ""
    count: int = 0
    size: int = 0


async def create_inventory(task: Task) -> object:
    bucket = await open_bucket(task)
    row = await generations.read(task.store, bytes.fromhex(task.args[ROW]))
    if row.record.job != task.id:
        raise InventoryTaken
    state = _read(task.progress.cursor)
    fill = _from_files if FOUND in task.args else _from_remote
    try:
        async with aclosing(fill(task, bucket, row, state)) as steps:
            async for count, size in steps:
                await buckets.refresh(task.store, bucket)
                await task.advance(count, size, cursor=_written(state))
        row = await generations.publish(
            task.store, row, count=state.count, size=state.size, started=task.record.started
        )
    except RowChanged as changed:
        if changed.table != generations.TABLE:
            raise
        raise InventoryTaken from None
    await generations.clear(task.store, row)
    return {"name": row.record.name, "objects": state.count, "bytes": state.size}


Steps = AsyncGenerator[tuple[int, int], None]


async def _from_remote(task: Task, bucket: BucketRow, row: InventoryRow, state: _State) -> Steps:
    remotes = task.store.remotes
    if remotes is None:
        raise NotSupported("remote buckets cannot be reached from this process")
    backend = await remotes.backend(task.store, bucket.record)
    found = walking.rows(backend, row.record.prefix, state.after)
    async with aclosing(found) as batches:
        async for batch in batches:
            if not batch:
                continue
            size = await generations.put(task.store, row, batch)
            state.after = batch[-1][0].decode("utf-8", "surrogateescape")
            state.count += len(batch)
            state.size += size
            yield len(batch), size


async def _from_files(task: Task, bucket: BucketRow, row: InventoryRow, state: _State) -> Steps:
    found = Found(*task.args[FOUND])
    name = finding.remote_name(bucket.record)
    try:
        async with finding.backend_of(task.store, bucket.record, found.bucket) as backend:
            manifest = await loading.manifest_of(backend, found, name.name)
            for file in manifest.files[state.files :]:
                count, size = 0, 0
                async with aclosing(loading.rows(backend, manifest, file)) as batches:
                    async for batch in batches:
                        added = await generations.put(task.store, row, batch)
                        count, size = count + len(batch), size + added
                        yield len(batch), added
                # Only now: whoever goes on from here must not count a part of a file twice.
                state.files += 1
                state.count += count
                state.size += size
    except InventoryDamaged as error:
        raise InventoryDamaged(f"the inventory {found.date} cannot be used: {error}") from None


def _read(cursor: str) -> _State:
    return msgspec.json.decode(cursor, type=_State) if cursor else _State()


def _written(state: _State) -> str:
    return msgspec.json.encode(state).decode()
