"""Handlers of a node's log files: the present one, by severity, or all of them as an archive."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import IO, Final

from aisle.api.base import Context, Response, Service
from aisle.api.native.message import Message
from aisle.api.native.nodes import relayed
from aisle.api.native.route import Route
from aisle.core.errors import InvalidArgument, NotSupported
from aisle.core.logfiles import SEVERITIES

_PIECE: Final = 256 << 10


async def get_log(svc: Service, ctx: Context, message: Message) -> Response:
    """The present log file, or with `all=true` every one of them as TAR.GZ; `severity` leaves
    less severe lines out of the present one."""
    severity = ctx.head.params.get("severity", "") or "info"
    if severity not in SEVERITIES:
        known = ", ".join(SEVERITIES)
        raise InvalidArgument(f"severity is one of {known}", name="severity", value=severity)
    files = svc.log
    if files is None:
        raise NotSupported("this process keeps no log files")
    if ctx.head.params.get("all", "false") in ("", "false"):
        plain = [(b"content-type", b"text/plain; charset=utf-8")]
        return Response(200, plain, _lines(files.lines(severity)))
    file: IO[bytes] = await asyncio.to_thread(_temporary, files.directory)
    try:
        await asyncio.to_thread(files.archive, file)
        size = file.tell()
    except BaseException:
        file.close()
        raise
    return Response(200, [(b"content-type", b"application/gzip")], _pieces(file), size)


def _temporary(directory: Path) -> IO[bytes]:
    return tempfile.TemporaryFile(dir=directory)


async def _lines(lines: Iterator[bytes]) -> AsyncIterator[bytes]:
    while (piece := await asyncio.to_thread(next, lines, None)) is not None:
        if piece:
            yield piece


async def _pieces(file: IO[bytes]) -> AsyncIterator[bytes]:
    with file:
        file.seek(0)
        while piece := await asyncio.to_thread(file.read, _PIECE):
            yield piece


ROUTES: Final = (
    Route("GET", "daemon", "what", ("log",), "get-log", get_log),
    Route("GET", "reverse/daemon", "what", ("log",), "get-log", relayed(get_log)),
)
