"""What both commands run in: the store they are for, and what the user gets to see.

Standard output carries the summary, or the stream itself; everything else goes to standard error.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

from aisle.core.errors import StoreError
from aisle.jobs import housekeeper
from aisle.namespace.clock import Clock
from aisle.namespace.store import Store
from aisle.node import directories, ownkey
from aisle.node.engines import open_engines
from aisle.node.options import NodeOptions

_CLOCK_SECONDS: Final = 30.0
_PROGRESS_SECONDS: Final = 5.0


@asynccontextmanager
async def open_store(options: NodeOptions) -> AsyncIterator[Store]:
    """The store that the options name. A node's own directories are held meanwhile; a cluster's
    engines are shared with its gateways, which hear what is being read.

    Raises `ConfigError` and `StoreError`.
    """
    held = directories.hold(options) if options.embedded or options.mountpaths else []
    try:
        engines = await open_engines(options)
        try:
            clock = Clock(engines.index)
            await clock.follow()
            store = Store(engines.index, engines.blobs, now=clock)
            store.ring = ownkey.settle(options).ring
            beside = [
                asyncio.create_task(work)
                for work in (_follow(clock), housekeeper.announce_reads(store, os.urandom(16)))
            ]
            try:
                yield store
            finally:
                for task in beside:
                    task.cancel()
                await asyncio.wait(beside)
        finally:
            await engines.close()
    finally:
        for fd in held:
            os.close(fd)


async def _follow(clock: Clock) -> None:
    while True:
        await asyncio.sleep(_CLOCK_SECONDS)
        with suppress(StoreError):
            await clock.follow()


@asynccontextmanager
async def progress(line: Callable[[], str]) -> AsyncIterator[None]:
    """Show how far it has come, where somebody is watching."""
    if not sys.stderr.isatty():
        yield
        return
    showing = asyncio.create_task(_show(line))
    try:
        yield
    finally:
        showing.cancel()


async def _show(line: Callable[[], str]) -> None:
    while True:
        await asyncio.sleep(_PROGRESS_SECONDS)
        note(line())


def note(line: str) -> None:
    """One line for the user, beside the result."""
    print(line, file=sys.stderr, flush=True)


def counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def users_too(count: int) -> str:
    """Users, where there are some."""
    return f" {counted(count, 'user')}," if count else ""


def notes_too(count: int) -> str:
    """Annotations, where there are some."""
    return f" {counted(count, 'annotation')}," if count else ""


def sized(size: int) -> str:
    """Bytes as people read them."""
    value, unit = float(size), "bytes"
    for unit in ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB"):
        if value < 1024 or unit == "PiB":
            break
        value /= 1024
    return f"{size} bytes" if unit == "bytes" else f"{value:.1f} {unit}"
