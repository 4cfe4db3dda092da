"""The work of `prefetch-listrange` and `blob-download`: have remote objects in the cluster before
anybody asks for them.

What is in the cluster already is passed over; with `latest` only if it is what the remote has now.
Objects come through the same downloads that readers use, so an object that both want comes once. A
prefix is read from the remote's own listing, page by page; the cursor is the last name, or the
place in a list or template, so another worker goes on from there.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Final

from aisle.core.errors import (
    AisleError,
    ObjectNotFound,
    RemoteBucketNotFound,
    RemoteError,
    RemoteThrottled,
)
from aisle.jobs.task import Task
from aisle.jobs.work.evict import open_window
from aisle.jobs.work.selection import Item, Selection, open_bucket
from aisle.jobs.work.together import OF_ONE, in_order, note_failure, width
from aisle.namespace import objects
from aisle.namespace.records import Object, decode
from aisle.namespace.store import BucketRow
from aisle.namespace.window import downloads

# By how many requests a large object is fetched, if nothing is said, and at most.
BLOB_WORKERS: Final = 4
MOST_WORKERS: Final = 16
# How often, and at most how long in seconds, an object is waited for whose remote asks for that.
_TRIES: Final = 5
_LONGEST: Final = 60.0


def blob_workers(asked: int) -> int:
    """By how many requests a large object is fetched: 0 is the default, and -1 one."""
    return min(asked or BLOB_WORKERS, MOST_WORKERS) if asked >= 0 else 1


class _Prefetching:
    """One run of a job."""

    def __init__(self, task: Task, bucket: BucketRow) -> None:
        args = task.args
        self.task = task
        self.store = task.store
        self.bucket = bucket
        self.selection = Selection(args)
        self.latest: bool = args.get("latest", False)
        self.threshold: int = args.get("blob_threshold", 0)
        self.delimiter = "/" if args.get("non_recursive") else ""
        self.go_on: bool = args.get("coer", False)
        self.at_once = width(args.get("num_workers", 0))

    async def run(self) -> None:
        items = self._items(self.task.progress.cursor)
        async with aclosing(in_order(items, self._fetch, self.at_once)) as results:
            async for item, result in results:
                if isinstance(result, AisleError):
                    name = f"{self.bucket.name}/{item.name}"
                    await note_failure(self.task, name, result, go_on=self.go_on, cursor=item.after)
                elif result is None:
                    await self.task.advance(cursor=item.after)
                else:
                    await self.task.advance(1, result, cursor=item.after)

    async def _items(self, after: str) -> AsyncIterator[Item]:
        async for batch in self.selection.batches(
            self.store, self.bucket, after, remote=True, delimiter=self.delimiter
        ):
            for item in batch:
                yield item

    async def _fetch(self, item: Item) -> int | AisleError | None:
        """Fetch an object; its size, or `None` if there was nothing to do, or why it failed."""
        if item.raw is not None and not self.latest:
            return None
        tries = 0
        while True:
            try:
                return await self._bring(item)
            except RemoteThrottled as error:
                tries += 1
                if tries == _TRIES:
                    return error
                await asyncio.sleep(min(error.retry_after, _LONGEST))
            except RemoteBucketNotFound:
                raise
            except (*OF_ONE, RemoteError) as error:
                if isinstance(error, ObjectNotFound) and not self.selection.listed:
                    return None  # a template may stand for more, and a listing is older
                return error

    async def _bring(self, item: Item) -> int | None:
        await self.store.room.admit()
        workers = await self._workers(item) if self.threshold else 0
        found = await downloads.fetch(
            self.store, self.bucket, item.key, workers=workers, latest=self.latest
        )
        if item.raw is not None and decode(Object, item.raw) == found:
            return None  # it was the latest
        return found.size

    async def _workers(self, item: Item) -> int:
        """How many requests an object is fetched by."""
        size = item.told
        if size is None:
            size = (await objects.head(self.store, self.bucket, item.key)).size
        return BLOB_WORKERS if size >= self.threshold else 1


async def prefetch_objects(task: Task) -> None:
    bucket = await open_window(task, "prefetch objects of")
    await _Prefetching(task, bucket).run()
    await open_bucket(task)  # nothing is kept in a bucket that was evicted meanwhile


async def download_blob(task: Task) -> None:
    """One large object, in chunks that are fetched side by side."""
    bucket = await open_window(task, "download blobs of")
    await task.store.room.admit()
    args = task.args
    found = await downloads.fetch(
        task.store,
        bucket,
        str(args["name"]).encode("utf-8", "surrogateescape"),
        workers=blob_workers(args["num_workers"]),
        chunk=args["chunk_size"],
        latest=args["latest"],
    )
    await task.advance(1, found.size)
