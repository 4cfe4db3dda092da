"""Keys of rows: bytes that sort as the listings need them. Pure functions; no row is read here."""

from __future__ import annotations

import os
import time


def bucket_key(name: str, provider: str, namespace: str) -> bytes:
    # A name that somebody asks for may hold any bytes, as surrogates: it is not found.
    return f"{name}\0{provider}\0{namespace}".encode("utf-8", "surrogateescape")


def escape_key(key: bytes) -> bytes:
    """`key` and a terminator, such that escaped keys sort as the keys do, whatever follows.

    NUL becomes NUL 0xFF and the end is one NUL (the tuple encoding of FoundationDB): ids that
    follow start with the high byte of a time, which is never 0xFF.
    """
    return key.replace(b"\0", b"\0\xff") + b"\0"


def unescape_key(escaped: bytes) -> bytes:
    """The key of what `escape_key` made, terminator included."""
    return escaped[:-1].replace(b"\0\xff", b"\0")


def upload_key(bucket: bytes, key: bytes, upload: bytes) -> bytes:
    return bucket + escape_key(key) + upload


def part_key(upload: bytes, number: int) -> bytes:
    return upload + number.to_bytes(2, "big")


def timed_id() -> bytes:
    """16 bytes that sort by time of making, so that rows made together lie together."""
    return time.time_ns().to_bytes(8, "big") + os.urandom(8)
