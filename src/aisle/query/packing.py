"""Unpacking what comes compressed, a piece at a time whatever it unpacks to."""

from __future__ import annotations

import bz2
import zlib
from collections.abc import Iterable, Iterator
from typing import Final

from aisle.query.errors import QueryError

_PIECE: Final = 1 << 18
_GZIP: Final = 31


def unpacked(pieces: Iterable[bytes], compression: str) -> Iterator[bytes]:
    """The bytes that `pieces` are of: of every member, one after the other. Raises `QueryError`."""
    if compression == "NONE":
        yield from pieces
        return
    try:
        yield from (_gzip if compression == "GZIP" else _bzip2)(pieces)
    except (zlib.error, OSError, ValueError):
        raise QueryError(
            "InvalidCompressionFormat",
            f"The file is not in the compression format of the request, {compression}.",
        ) from None


def _gzip(pieces: Iterable[bytes]) -> Iterator[bytes]:
    member = zlib.decompressobj(_GZIP)
    fed = False
    for piece in pieces:
        data = piece
        while data:
            if member.eof:
                member, fed = zlib.decompressobj(_GZIP), False
            out = member.decompress(data, _PIECE)
            fed = True
            data = member.unused_data if member.eof else member.unconsumed_tail
            if member.eof and not data.strip(b"\0"):
                data = b""  # what pads the last member
            if out:
                yield out
    while fed and not member.eof:
        out = member.decompress(member.unconsumed_tail, _PIECE)
        if not out:
            raise _truncated()
        yield out


def _bzip2(pieces: Iterable[bytes]) -> Iterator[bytes]:
    member = bz2.BZ2Decompressor()
    fed = False
    for piece in pieces:
        data = piece
        while data or not (member.eof or member.needs_input):
            if member.eof:
                member, fed = bz2.BZ2Decompressor(), False
            out = member.decompress(data, _PIECE)
            fed = True
            data = member.unused_data if member.eof else b""
            if out:
                yield out
    if fed and not member.eof:
        raise _truncated()


def _truncated() -> QueryError:
    return QueryError("TruncatedInput", "Object decompression failed: the file ends too early.")
