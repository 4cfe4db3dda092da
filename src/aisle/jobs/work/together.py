"""What work over many objects shares: several at a time, in order, and what of them fails."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable
from typing import Final, TypeVar

from aisle.core.errors import (
    AisleError,
    BlobMissing,
    BodyCorrupt,
    InvalidArgument,
    KeyTooLong,
    ObjectNotFound,
    RemoteError,
    SealingError,
    WriteConflict,
)
from aisle.jobs.task import Task

AT_ONCE: Final = 8
MOST_AT_ONCE: Final = 32
# What may be wrong with one object alone; anything else ends the job.
OF_ONE: Final = (
    ObjectNotFound,
    KeyTooLong,
    InvalidArgument,
    BlobMissing,
    BodyCorrupt,
    WriteConflict,
    RemoteError,
    SealingError,
)
_TOLD: Final = 5  # errors that a job tells in full

T = TypeVar("T")
R = TypeVar("R")


def width(asked: int) -> int:
    """How many objects are worked on at a time: `num-workers` as AIStore reads it, where 0 is the
    default and -1 one after the other."""
    return min(asked or AT_ONCE, MOST_AT_ONCE) if asked >= 0 else 1


async def in_order(
    items: AsyncIterable[T], work: Callable[[T], Awaitable[R]], at_once: int
) -> AsyncGenerator[tuple[T, R], None]:
    """Each item and what `work` made of it, in order, though `at_once` are worked on together.

    To be closed (`contextlib.aclosing`): what still runs is cancelled then.
    """
    running: deque[tuple[T, asyncio.Task[R]]] = deque()

    async def call(item: T) -> R:
        return await work(item)

    try:
        async for item in items:
            running.append((item, asyncio.create_task(call(item))))
            if len(running) >= at_once:
                first, task = running[0]
                done = await task
                running.popleft()
                yield first, done
        while running:
            first, task = running[0]
            done = await task
            running.popleft()
            yield first, done
    finally:
        for _, task in running:
            task.cancel()
        await asyncio.gather(*(task for _, task in running), return_exceptions=True)


class ObjectFailed(AisleError):
    """The work on one object failed, and so the job that was not to go on."""


async def note_failure(
    task: Task, name: str, error: AisleError, *, go_on: bool, cursor: str
) -> None:
    """Count an object that failed, and tell the first ones. Raises `ObjectFailed` unless the job
    is to go on."""
    text = f"{name}: {error}"
    if not go_on:
        raise ObjectFailed(text) from error
    told, message = task.progress.errors, task.progress.message
    if told < _TOLD:
        message = f"{message}; {text}" if message else text
    elif told == _TOLD:
        message += "; ..."
    await task.advance(errors=1, message=message, cursor=cursor)
