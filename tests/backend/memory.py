"""A remote service in memory: a `Provider` and its `Backend`s, with counters and faults.

For tests of what stands on the port, and itself held to the contract. One `MemoryRemote`
is the service; what a test puts there by `store` changes behind the backs of its clients, `fail`
makes calls go wrong, `before` and `reading` are told of each call and of each piece and may wait
(that is how a test holds a download) or raise. It belongs to one event loop.
"""

from __future__ import annotations

import hashlib
import time
import uuid
from bisect import bisect_right
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aisle.backend.base import (
    PAGE_LIMIT,
    Outgoing,
    RemoteBody,
    RemoteEntry,
    RemoteFacts,
    RemoteObject,
    RemotePage,
)
from aisle.core.errors import (
    PreconditionFailed,
    RemoteBroken,
    RemoteBucketNotFound,
    RemoteChanged,
    RemoteObjectNotFound,
    RemoteRefused,
)
from aisle.core.ranges import Span

PIECE = 64 << 10


@dataclass
class Held:
    """An object of the service."""

    data: bytes
    about: RemoteObject


@dataclass
class Fault:
    """`error` for the next `times` calls of `method` that concern `key` (any if empty); `after`
    they have been carried out, or instead."""

    method: str
    error: Exception
    times: int
    key: str
    after: bool


@dataclass
class MemoryRemote:
    """The service: its buckets, what has been asked of it, and what shall go wrong."""

    provider: str = "aws"
    versioned: bool = False
    piece: int = PIECE
    md5: bool = True  # whether objects tell their MD5, as their ETag too
    calls: Counter[str] = field(default_factory=Counter)  # by method of the port
    log: list[tuple[str, str]] = field(default_factory=list)  # method and key, in order
    bytes_read: int = 0
    cut: int | None = None  # the next body that gets so far breaks off there
    before: Callable[[str, str], Awaitable[None]] | None = None  # told method and key
    reading: Callable[[str, int], Awaitable[None]] | None = None  # key, place in the object
    uploads: dict[str, str] = field(default_factory=dict)  # keys of open uploads by id
    reading_now: int = 0  # bodies that were not closed
    _buckets: dict[str, dict[str, Held]] = field(default_factory=dict)
    _faults: list[Fault] = field(default_factory=list)

    # --- what a test does behind the clients' backs -----------------------------------------

    def make(self, bucket: str) -> None:
        self._buckets.setdefault(bucket, {})

    def remove(self, bucket: str) -> None:
        del self._buckets[bucket]

    def store(
        self,
        bucket: str,
        key: str,
        data: bytes,
        *,
        headers: Mapping[str, str] | None = None,
        meta: Mapping[str, str] | None = None,
        parts: int = 0,
        storage_class: str = "STANDARD",
    ) -> RemoteObject:
        """Put an object there; what the service says of it. With `parts` its ETag is no MD5."""
        digest = hashlib.md5(data).hexdigest()
        plain = self.md5 and not parts
        etag = digest if plain else f"{hashlib.md5(digest.encode()).hexdigest()}-{parts or 1}"
        about = RemoteObject(
            key,
            len(data),
            etag=etag,
            mtime=time.time_ns() // 10**9 * 10**9,
            version=uuid.uuid4().hex if self.versioned else "",
            checksums={"md5": digest} if plain else {},
            headers={"content-type": "application/octet-stream", **(headers or {})},
            meta=dict(meta or {}),
            storage_class=storage_class,
        )
        self.make(bucket)
        self._buckets[bucket][key] = Held(data, about)
        return about

    def data(self, bucket: str, key: str) -> bytes | None:
        held = self._buckets[bucket].get(key)
        return None if held is None else held.data

    def discard(self, bucket: str, key: str) -> None:
        self._buckets[bucket].pop(key, None)

    def fail(
        self, method: str, error: Exception, *, times: int = 1, key: str = "", after: bool = False
    ) -> None:
        """Have `method` of the port raise `error`."""
        self._faults.append(Fault(method, error, times, key, after))

    # --- for the backends -------------------------------------------------------------------

    def names(self) -> list[str]:
        return sorted(self._buckets)

    def bucket(self, name: str) -> dict[str, Held]:
        if name not in self._buckets:
            raise RemoteBucketNotFound(f"{self.provider}://{name}", "there is no such bucket")
        return self._buckets[name]

    async def enter(self, method: str, key: str = "") -> None:
        self.calls[method] += 1
        self.log.append((method, key))
        if self.before is not None:
            await self.before(method, key)
        self._raise(method, key, after=False)

    def leave(self, method: str, key: str = "") -> None:
        self._raise(method, key, after=True)

    def _raise(self, method: str, key: str, *, after: bool) -> None:
        for fault in self._faults:
            fits = fault.method == method and fault.key in ("", key) and fault.after == after
            if fits and fault.times:
                fault.times -= 1
                raise fault.error


class MemoryBody:
    """See `RemoteBody`."""

    def __init__(self, remote: MemoryRemote, held: Held, span: Span, bucket: str) -> None:
        self.about = held.about
        self._remote = remote
        self._data = held.data
        self._place = span.start
        self._end = span.start + span.length
        self._bucket = bucket
        self._open = True
        remote.reading_now += 1

    async def read(self) -> bytes:
        remote = self._remote
        if remote.reading is not None:
            await remote.reading(self.about.key, self._place)
        if remote.cut is not None and self._place <= remote.cut < self._end:
            end, broken = remote.cut, self._place == remote.cut
        else:
            end, broken = self._end, False
        if broken:
            remote.cut = None
            raise RemoteBroken(self._bucket, "the connection was lost in the middle of a body")
        piece = self._data[self._place : min(end, self._place + remote.piece)]
        self._place += len(piece)
        remote.bytes_read += len(piece)
        return piece

    async def close(self) -> None:
        if self._open:
            self._open = False
            self._remote.reading_now -= 1


class MemoryBackend:
    """See `Backend`."""

    lists = True
    writes = True
    in_order = True
    ranges_by_etag = True

    def __init__(self, remote: MemoryRemote, bucket: str) -> None:
        self.provider = remote.provider
        self.name = f"{remote.provider}://{bucket}"
        self._remote = remote
        self._bucket = bucket

    def _held(self, key: str, version: str = "") -> Held:
        held = self._remote.bucket(self._bucket).get(key)
        if held is None or (version and held.about.version != version):
            raise RemoteObjectNotFound(self.name, f'there is no object "{key}"')
        return held

    async def facts(self) -> RemoteFacts:
        await self._remote.enter("facts")
        self._remote.bucket(self._bucket)
        return RemoteFacts(region="us-east-1", versioned=self._remote.versioned)

    async def head(self, key: str, *, version: str = "") -> RemoteObject:
        await self._remote.enter("head", key)
        return self._held(key, version).about

    async def get(
        self, key: str, *, span: Span | None = None, etag: str = "", version: str = ""
    ) -> RemoteBody:
        await self._remote.enter("get", key)
        held = self._held(key, version)
        if etag and held.about.etag != etag:
            raise RemoteChanged(self.name, f'"{key}" is another one by now')
        size = held.about.size
        if span is not None and (span.length < 1 or span.start + span.length > size):
            raise RemoteRefused(self.name, "the range lies outside of the object", status=416)
        return MemoryBody(self._remote, held, span or Span(0, size), self.name)

    async def put(self, key: str, body: Outgoing) -> RemoteObject:
        await self._remote.enter("put", key)
        bucket = self._remote.bucket(self._bucket)
        upload = ""
        if body.parts:
            upload = uuid.uuid4().hex
            self._remote.uploads[upload] = key
            if body.started is not None:
                await body.started(upload)
        data = b"".join([piece async for piece in body.open(0, body.size)])
        if len(data) != body.size or (body.md5 and hashlib.md5(data).hexdigest() != body.md5):
            raise RemoteBroken(self.name, "the body is not the one that was announced")
        held = bucket.get(key)
        if body.if_none_match and held is not None:
            raise PreconditionFailed("If-None-Match")
        if body.if_match and (held is None or held.about.etag != body.if_match):
            raise PreconditionFailed("If-Match")
        about = self._remote.store(
            self._bucket,
            key,
            data,
            headers=body.headers,
            meta=body.meta,
            parts=len(body.parts) if upload else 0,
            storage_class=body.storage_class,
        )
        self._remote.uploads.pop(upload, None)
        self._remote.leave("put", key)
        return about

    async def delete(self, key: str) -> None:
        await self._remote.enter("delete", key)
        self._remote.bucket(self._bucket).pop(key, None)
        self._remote.leave("delete", key)

    async def give_up(self, key: str, upload: str) -> None:
        await self._remote.enter("give_up", key)
        self._remote.uploads.pop(upload, None)

    async def list(
        self,
        *,
        prefix: str = "",
        delimiter: str = "",
        after: str = "",
        token: str = "",
        limit: int = PAGE_LIMIT,
    ) -> RemotePage:
        await self._remote.enter("list", prefix)
        objects = self._remote.bucket(self._bucket)
        keys = sorted(objects, key=str.encode)
        place = bisect_right(keys, (token or after).encode(), key=str.encode)
        entries: list[RemoteEntry] = []
        prefixes: list[str] = []
        last = ""
        for key in keys[place:]:
            if not key.startswith(prefix):
                continue
            stem, found, _ = key[len(prefix) :].partition(delimiter) if delimiter else ("", "", "")
            common = prefix + stem + delimiter if found else ""
            if common and (common in prefixes[-1:] or token.startswith(common)):
                last = key
                continue
            if len(entries) + len(prefixes) == min(limit, PAGE_LIMIT):
                return RemotePage(entries, prefixes, last)
            last = key
            if common:
                prefixes.append(common)
            else:
                entries.append(_entry(objects[key].about))
        return RemotePage(entries, prefixes, "")

    async def close(self) -> None: ...


class MemoryProvider:
    """See `Provider`. The name of each bucket in the service is that of the window's remote."""

    def __init__(self, remote: MemoryRemote) -> None:
        self.name = remote.provider
        self.remote = remote
        self.opened: list[tuple[str, Mapping[str, Any], str]] = []

    def open(
        self, bucket: str, settings: Mapping[str, Any], *, namespace: str = ""
    ) -> MemoryBackend:
        self.opened.append((bucket, settings, namespace))
        return MemoryBackend(self.remote, bucket)

    async def buckets(self, settings: Mapping[str, Any], *, namespace: str = "") -> list[str]:
        await self.remote.enter("buckets")
        return self.remote.names()

    async def close(self) -> None: ...


def _entry(about: RemoteObject) -> RemoteEntry:
    return RemoteEntry(
        about.key,
        size=about.size,
        etag=about.etag,
        mtime=about.mtime,
        version=about.version,
        checksums=about.checksums,
        storage_class=about.storage_class,
    )
