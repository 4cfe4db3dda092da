"""Reading the files of inventories in a process of its own: they are strangers' bytes, read by
libraries that may crash or take all memory there is, for seconds that no request is to wait.

The process (`child`) gets a file as its standard input; its batches are read by a thread.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncGenerator
from typing import IO, Final

import msgspec

from aisle.core.errors import InventoryDamaged, NotSupported
from aisle.namespace.window.inventory.child import DAMAGED, LACKING, LENGTH
from aisle.store.base import Row

# Far more than a batch of the largest rows there can be.
_FRAME: Final = 64 << 20
_TEXT: Final = 4096
# What a Python needs of its environment to find what this one has found.
_ENVIRONMENT: Final = frozenset(
    {"PATH", "HOME", "LANG", "LC_ALL", "TZ", "TZDIR", "TMPDIR", "LD_LIBRARY_PATH", "VIRTUAL_ENV"}
    | {"PYTHONPATH", "PYTHONHOME", "PYTHONDONTWRITEBYTECODE"}
)
_MODULE: Final = "aisle.namespace.window.inventory.child"

_decode: Final = msgspec.msgpack.Decoder(list[tuple[bytes, bytes]]).decode


async def read(
    file: IO[bytes], kind: str, columns: tuple[str, ...], bucket: str
) -> AsyncGenerator[list[Row], None]:
    """The rows of a file that is open at its start. Raises `InventoryDamaged`, `NotSupported`."""
    command = [sys.executable, "-P", "-m", _MODULE, kind, bucket, ",".join(columns)]
    child = await asyncio.to_thread(_start, command, file)
    assert child.stdout is not None
    try:
        # One batch is read ahead: the child packs the next while this one is stored.
        ahead = asyncio.create_task(asyncio.to_thread(_frame, child.stdout))
        while (data := await asyncio.shield(ahead)) is not None:
            ahead = asyncio.create_task(asyncio.to_thread(_frame, child.stdout))
            yield _decode(data)
        await asyncio.to_thread(_judge, child)
    finally:
        child.kill()
        await asyncio.wait([ahead])
        ahead.exception()
        await asyncio.to_thread(_end, child)


def _start(command: list[str], file: IO[bytes]) -> subprocess.Popen[bytes]:
    # No credentials of the node; and Arrow's other pools reserve more addresses than it may have.
    kept = {name: text for name, text in os.environ.items() if name in _ENVIRONMENT}
    environment = {**kept, "ARROW_DEFAULT_MEMORY_POOL": "system"}
    return subprocess.Popen(
        command, stdin=file, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    )


def _frame(pipe: IO[bytes]) -> bytes | None:
    """The next batch, `None` at the end, which may come early."""
    head = pipe.read(LENGTH)
    length = int.from_bytes(head, "big")
    if len(head) < LENGTH:
        return None
    if length > _FRAME:  # not to wait for the end of a process that is still writing
        raise InventoryDamaged("reading it gave what is no batch of rows")
    data = pipe.read(length)
    return data if len(data) == length else None


def _judge(child: subprocess.Popen[bytes]) -> None:
    """Raise what ended the child, if its work is not done."""
    assert child.stderr is not None
    text = child.stderr.read(_TEXT).decode("utf-8", "replace").strip()
    status = child.wait()
    if status == DAMAGED:
        raise InventoryDamaged(text)
    if status == LACKING:
        raise NotSupported(text)
    if status:
        last = text.rpartition("\n")[2][:300]
        raise InventoryDamaged(f"reading it failed with status {status} {last}".rstrip())


def _end(child: subprocess.Popen[bytes]) -> None:
    child.wait()
    for pipe in (child.stdout, child.stderr):
        if pipe is not None:
            pipe.close()
