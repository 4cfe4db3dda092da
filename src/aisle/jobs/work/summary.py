"""The work of `summary-bck`: count the objects of a bucket, or of many, and their bytes.

Its cursor is what has been counted so far, so another worker goes on from there, and whoever polls
the job can be told a part. Its result is the same when nothing is left to count.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

import msgspec

from aisle.core.errors import BackendDisabled, BucketNotFound, RemoteError
from aisle.jobs.task import Task, bucket_in
from aisle.namespace import buckets
from aisle.namespace.records import Listed, decode, escape_key
from aisle.namespace.store import BucketRow
from aisle.namespace.window.adding import remotes_of
from aisle.namespace.window.directory import in_namespace

PAGE: Final = 2000
_BUCKETS: Final = 100


class Tally(msgspec.Struct):
    """What is in one bucket: objects, their bytes, and the least and most that one has; of a
    window its copies, and apart from them what the remote bucket lists."""

    name: str
    provider: str
    namespace: str
    count: int = 0
    size: int = 0
    least: int = 0
    most: int = 0
    remote_count: int = 0
    remote_size: int = 0
    former_size: int = 0  # of versions that are not current


class Summary(msgspec.Struct):
    """Everything counted so far; `disks` are the bytes of the disks below.

    `done` is the row key of the last bucket that was counted whole, in hex, and `after` that of the
    last object counted in the next one, whose tally is the last one then. `remote` continues the
    list of its remote bucket, once that is being counted.
    """

    disks: int = 0
    tallies: list[Tally] = []
    done: str = ""
    after: str = ""
    remote: str = ""
    former: str = ""  # of the last former version counted


def read(cursor: str) -> Summary:
    """What a job has counted, by its cursor."""
    return msgspec.json.decode(cursor, type=Summary) if cursor else Summary()


async def summarise(task: Task) -> object:
    state = read(task.progress.cursor)
    if not state.disks:
        state.disks = (await task.store.blobs.space()).total
    async for row in _rows(task, state):
        if not state.after.startswith(row.record.id.hex()):
            if state.after:  # the bucket that was begun is gone
                state.tallies.pop()
            state.after = state.remote = state.former = ""
            state.tallies.append(Tally(*row.name))
        tally = state.tallies[-1]
        tally.name, tally.namespace = row.record.name, row.record.namespace
        if not state.remote and not state.former:
            await _count(task, state, row)
        if row.record.versions:
            await _count_former(task, state, row)
        if task.args.get("remote") and row.record.behind is not None:
            await _count_remote(task, state, row)
        state.done, state.after, state.remote, state.former = row.key.hex(), "", "", ""
    return msgspec.to_builtins(state)


async def _rows(task: Task, state: Summary) -> AsyncIterator[BucketRow]:
    """The buckets that are left, the one that was begun first of all."""
    only = bucket_in(task.args)
    if only is not None:
        row = await buckets.get(task.store, only)
        if row.record.id.hex() != task.args["id"]:
            raise BucketNotFound(only.name, only.namespace)
        if not state.done:
            yield row
        return
    after = bytes.fromhex(state.done)
    provider, namespace = task.args.get("provider"), task.args.get("namespace")
    while rows := await buckets.list_all(task.store, after=after, limit=_BUCKETS):
        for row in rows:
            fits = in_namespace(row.record.namespace, namespace)
            if fits and provider in ("", None, row.record.provider):
                yield row
        after = rows[-1].key


async def _count(task: Task, state: Summary, row: BucketRow) -> None:
    """Count what is left of a bucket into the last tally."""
    tally = state.tallies[-1]
    prefix = row.record.id + str(task.args.get("prefix", "")).encode("utf-8", "surrogateescape")
    after = bytes.fromhex(state.after)
    while rows := await task.store.index.scan("object", prefix=prefix, after=after, limit=PAGE):
        sizes = [decode(Listed, raw).size for _, raw in rows]
        least, total = min(sizes), sum(sizes)
        tally.least = min(tally.least, least) if tally.count else least
        tally.most = max(tally.most, *sizes)
        tally.count += len(sizes)
        tally.size += total
        after = rows[-1][0]
        state.after = after.hex()
        await task.advance(len(sizes), total, cursor=msgspec.json.encode(state).decode())
        if len(rows) < PAGE:
            return


async def _count_former(task: Task, state: Summary, row: BucketRow) -> None:
    """Count the bytes of former versions into the last tally: they are no objects to a listing,
    but they take their room."""
    prefix = str(task.args.get("prefix", "")).encode("utf-8", "surrogateescape")
    scope = row.record.id + escape_key(prefix)[:-1]
    state.after = state.after or row.record.id.hex()
    after = bytes.fromhex(state.former)
    while rows := await task.store.index.scan("version", prefix=scope, after=after, limit=PAGE):
        state.tallies[-1].former_size += sum(decode(Listed, raw).size for _, raw in rows)
        after = rows[-1][0]
        state.former = after.hex()
        await task.advance(cursor=msgspec.json.encode(state).decode())
        if len(rows) < PAGE:
            return


async def _count_remote(task: Task, state: Summary, row: BucketRow) -> None:
    """Count what the remote bucket lists into the last tally. Of many buckets one that cannot be
    listed is passed over; it counts as an error."""
    tally, prefix = state.tallies[-1], str(task.args.get("prefix", ""))
    state.after = state.after or row.record.id.hex()
    try:
        backend = await remotes_of(task.store).backend(task.store, row.record)
        while backend.lists:
            page = await backend.list(prefix=prefix, token=state.remote)
            size = sum(entry.size for entry in page.entries)
            tally.remote_count += len(page.entries)
            tally.remote_size += size
            state.remote = page.token
            await task.advance(len(page.entries), size, cursor=msgspec.json.encode(state).decode())
            if not page.token:
                return
    except (RemoteError, BackendDisabled):
        if bucket_in(task.args) is not None:
            raise
        await task.advance(errors=1)
