"""Work of `promote`: put files of the node's own machine into a bucket.

It runs on the node that has them, and takes them from the one directory that its operator named
(`--promote-dir`). A file that is promoted twice is put twice, or left alone if nothing is to be
overwritten; only after it was put by this very run is it deleted, if that was asked.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote, unquote_to_bytes

from aisle.core.errors import AccessDenied, AisleError, IncompleteBody, PreconditionFailed
from aisle.core.names import encode_key
from aisle.jobs.task import Task
from aisle.jobs.work.selection import open_bucket
from aisle.jobs.work.together import AT_ONCE, OF_ONE, in_order, note_failure
from aisle.jobs.work.tree import Parts, Tree, shown
from aisle.namespace import objects
from aisle.namespace.conditions import WriteConditions
from aisle.namespace.objects import Description
from aisle.namespace.store import BucketRow

_PIECE: Final = 1 << 20
_PAGE: Final = 500
_WRONG: Final = (*OF_ONE, IncompleteBody)

T = TypeVar("T")


def promoting(root: Path | None) -> Callable[[Task], Coroutine[Any, Any, None]]:
    """The work of a node whose operator allows `root`, or nothing."""

    async def promote(task: Task) -> None:
        if root is None:
            raise AccessDenied("this node promotes no files: it has no --promote-dir")
        await _Promotion(task, Tree(root), await open_bucket(task)).run()

    return promote


def promoted_name(given: str, below: Parts, *, one: bool) -> str:
    """The name of the object that a file becomes. `below` are the names that lead to it from the
    directory that is promoted; of `one` file that was named itself, its own name."""
    if one and given and not given.endswith("/"):
        return given
    return "/".join((given.removesuffix("/"), *below) if given else below)


class _Promotion:
    def __init__(self, task: Task, tree: Tree, bucket: BucketRow) -> None:
        args = task.args
        self.task = task
        self.tree = tree
        self.bucket = bucket
        self.top = tree.parts(args["src"])
        self.one = False
        self.given: str = args["obj"]
        self.recursive: bool = args["rcr"]
        self.overwrite: bool = args["ovw"]
        self.delete: bool = args["dls"]
        self.owner: str = args["owner"]

    async def run(self) -> None:
        self.one = await in_thread(self.tree.is_file, self.top)
        if self.one:
            self.top, own = self.top[:-1], self.top[-1:]
            await self._note(own, await self._promote(own))
            return
        async with aclosing(in_order(self._files(), self._promote, AT_ONCE)) as results:
            async for below, result in results:
                await self._note(below, result)

    async def _note(self, below: Parts, result: int | AisleError | None) -> None:
        cursor = _written(below)
        if isinstance(result, AisleError):
            name = shown("/".join((*self.top, *below)))
            await note_failure(self.task, name, result, go_on=not self.one, cursor=cursor)
        elif result is None:
            await self.task.advance(cursor=cursor)
        else:
            await self.task.advance(1, result, cursor=cursor)

    async def _files(self) -> AsyncIterator[Parts]:
        after = _read(self.task.progress.cursor)
        page = partial(self.tree.below, self.top, recursive=self.recursive, limit=_PAGE)
        while found := await in_thread(partial(page, after=after)):
            for below in found:
                yield below
            after = found[-1]

    async def _promote(self, below: Parts) -> int | AisleError | None:
        """Put one file; its size, or `None` if there is such an object, or why it failed."""
        try:
            key = encode_key(promoted_name(self.given, below, one=self.one))
            return await self._put(key, (*self.top, *below))
        except PreconditionFailed:
            return None
        except _WRONG as error:
            return error

    async def _put(self, key: bytes, path: Parts) -> int:
        fd = await in_thread(self.tree.open, path)
        try:
            known = os.fstat(fd)
            await objects.put(
                self.task.store,
                self.bucket,
                key,
                _File(fd, known.st_size),
                Description(owner=self.owner),
                conditions=WriteConditions(if_none_match="" if self.overwrite else "*"),
            )
        finally:
            os.close(fd)
        if self.delete:
            await in_thread(self.tree.remove, path, known)
        return known.st_size


class _File:
    """A file as a body that is put."""

    def __init__(self, fd: int, size: int) -> None:
        self._fd = fd
        self.size: int | None = size

    async def read(self) -> bytes:
        return await in_thread(os.read, self._fd, _PIECE)

    def verify(self, digests: Mapping[str, bytes], size: int) -> None:
        if size != self.size:
            raise IncompleteBody("the file was changed while it was read")


def _written(parts: Parts) -> str:
    """Names as a cursor: a file's may have any bytes."""
    return "/".join(quote(os.fsencode(part)) for part in parts)


def _read(cursor: str) -> Parts:
    parts = cursor.split("/") if cursor else []
    return tuple(os.fsdecode(unquote_to_bytes(part)) for part in parts)


async def in_thread(work: Callable[..., T], *args: Any) -> T:
    """Run what blocks in a thread, and wait for it even if cancelled: it uses a descriptor."""
    running = asyncio.get_running_loop().run_in_executor(None, work, *args)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise
