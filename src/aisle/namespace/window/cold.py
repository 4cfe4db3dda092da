"""Objects of windows for whoever reads them: the copy, what is on its way, or the remote's own.

A copy is served as it is, unless somebody asks for the latest version or the bucket has every read
compared. What is not in the cluster is fetched when it is read; a reader follows the fetch, or gets
a range of its own where that would take longer. Nothing remembers that an object is absent.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Final

from aisle.backend.base import Backend, RemoteObject
from aisle.core import features
from aisle.core.errors import (
    BlobMissing,
    BucketNotFound,
    ColdGetDisabled,
    ObjectNotFound,
    RemoteChanged,
    RemoteObjectNotFound,
    StoreError,
    WriteConflict,
)
from aisle.namespace import bodies, buckets, layouts
from aisle.namespace.records import Extent, Object, decode
from aisle.namespace.store import BucketRow, Store
from aisle.namespace.window import copies, direct, validate
from aisle.namespace.window.copies import Ticket
from aisle.namespace.window.downloads import Downloads, plan_of
from aisle.namespace.window.fetch import Fetch
from aisle.namespace.window.looks import Looks
from aisle.namespace.window.registry import Remotes
from aisle.namespace.window.source import NotKept
from aisle.namespace.windows import READ, How

_log: Final = logging.getLogger("aisle.window")

# How often a fetch is begun anew for somebody who has got nothing yet.
TRIES: Final = 4
_DISABLED: Final = features.BY_NAME["Disable-Cold-GET"].mask
_WAYS: Final = 4096
_COMPARE: Final = "versioning.validate_warm_get"
# Between two tries to bring an object in that is being written.
_PAUSE: Final = 0.5


class Cold:
    """See the module. One for each process."""

    def __init__(self, remotes: Remotes) -> None:
        self._remotes = remotes
        self._downloads = Downloads()
        self._looks = Looks()
        self._ways: OrderedDict[int, Backend] = OrderedDict()
        self._last_way = 0

    async def close(self) -> None:
        await self._downloads.close()

    # --- what there is ----------------------------------------------------------------------

    async def present(
        self, store: Store, bucket: BucketRow, key: bytes, cached: Object | None, how: How
    ) -> Object:
        """See `Window.present`."""
        row = bucket.record
        about: RemoteObject | None = None
        if cached is not None:
            # This is the path of a warm read: a window has the setting among its own props.
            compare = how.latest or row.props.get(_COMPARE)
            if compare is None:
                compare = await store.setting(_COMPARE)
            if compare:
                about = await self._compared(store, bucket, key, cached, how)
            if about is None:
                if how.used:
                    store.atimes.note(row.id + key)
                return cached
        if how.used or how.whole:
            await _refuse_disabled(store, bucket, key)
        if how.whole:
            return await self._whole(store, bucket, key, how)
        if about is None:
            about = await self._about(store, bucket, key, how)
        return await self._record(store, bucket, key, about, how)

    async def fetch(
        self, store: Store, bucket: BucketRow, key: bytes, *, workers: int, chunk: int, latest: bool
    ) -> Object:
        """See `downloads.fetch`."""
        raw = await store.index.get("object", bucket.record.id + key)
        if raw is not None:
            copy = decode(Object, raw)
            how = How(latest=latest)
            if not latest or await self._compared(store, bucket, key, copy, how) is None:
                return copy
        for left in reversed(range(TRIES)):
            fetch = await self._join(store, bucket, key, READ, workers=workers, chunk=chunk)
            try:
                kept = await fetch.ended()
            except RemoteObjectNotFound:
                raise ObjectNotFound(bucket.record.name, key.decode()) from None
            except RemoteChanged:
                if not left:
                    raise
                continue
            except NotKept:
                await asyncio.sleep(_PAUSE)
                continue
            if kept is not None:
                return kept
        raise WriteConflict("the object is written to while it is fetched")

    async def _whole(self, store: Store, bucket: BucketRow, key: bytes, how: How) -> Object:
        """An object all of which is about to be read, with its fetch under way."""
        checked = await store.setting("cold_get.verify_first", bucket.record)
        for left in reversed(range(TRIES)):
            if how.latest and await self._outdated(store, bucket, key, how):
                break
            fetch = await self._join(store, bucket, key, how)
            try:
                await (fetch.ended() if checked else fetch.begun())
            except RemoteObjectNotFound:
                raise ObjectNotFound(bucket.record.name, key.decode()) from None
            except RemoteChanged:
                if not left:
                    raise
                continue
            except StoreError as error:
                _log.debug("%s/%r is not kept: %s", bucket.name, key, error)
                break
            if fetch.record is not None:
                return fetch.record
            if not fetch.over and fetch.about is not None:
                return await self._record(store, bucket, key, fetch.about, how)
        about = await self._head(store, bucket, key, how)
        return await self._record(store, bucket, key, about, how, keep=False)

    async def _compared(
        self, store: Store, bucket: BucketRow, key: bytes, copy: Object, how: How
    ) -> RemoteObject | None:
        """Compare a copy with the remote, and drop it if that has another version: the one that is
        returned then. Raises `ObjectNotFound` if it has none."""
        row = bucket.record
        try:
            about = await self._head(store, bucket, key, how)
        except ObjectNotFound:
            if await store.setting("versioning.synchronize", row):
                await copies.drop(store, row.id + key, copy)
            raise
        backend = await self._backend(store, bucket, how)
        if validate.unchanged(copy, about, backend.provider):
            return None
        await copies.drop(store, row.id + key, copy)
        return about

    async def _outdated(self, store: Store, bucket: BucketRow, key: bytes, how: How) -> bool:
        """Whether what is being fetched is not what the remote has now."""
        fetch = self._downloads.running(bucket.record.id + key)
        if fetch is None or fetch.about is None:
            return False
        return not copies.same(fetch.about, await self._head(store, bucket, key, how))

    async def _about(self, store: Store, bucket: BucketRow, key: bytes, how: How) -> RemoteObject:
        """What the remote says, or has just said to a fetch."""
        fetch = self._downloads.running(bucket.record.id + key)
        if fetch is not None and how.used and not how.latest:
            current = await fetch.current()
            if current and fetch.about is not None:
                return fetch.about
        return await self._head(store, bucket, key, how)

    async def _head(self, store: Store, bucket: BucketRow, key: bytes, how: How) -> RemoteObject:
        backend = await self._backend(store, bucket, how)
        try:
            return await self._looks.head(backend, bucket.record.id + key, key.decode())
        except RemoteObjectNotFound:
            raise ObjectNotFound(bucket.record.name, key.decode()) from None

    async def _record(
        self,
        store: Store,
        bucket: BucketRow,
        key: bytes,
        about: RemoteObject,
        how: How,
        *,
        keep: bool = True,
    ) -> Object:
        backend = await self._backend(store, bucket, how)
        kind = await store.text("checksum.type", bucket.record)
        way = self._remember(how.via) if how.via is not None else 0
        return copies.cold(bucket, key, about, backend.provider, kind=kind, keep=keep, way=way)

    async def _join(
        self,
        store: Store,
        bucket: BucketRow,
        key: bytes,
        how: How,
        *,
        workers: int = 0,
        chunk: int = 0,
    ) -> Fetch:
        backend = await self._backend(store, bucket, how)
        plan = await plan_of(store, bucket.record, workers=workers, chunk=chunk)
        return await self._downloads.join(store, bucket, key, backend, plan)

    # --- the way to the remote --------------------------------------------------------------

    async def _backend(self, store: Store, bucket: BucketRow, how: How) -> Backend:
        return how.via or await self._remotes.backend(store, bucket.record)

    def _remember(self, backend: Backend) -> int:
        """A number for the way that a request has brought, until it is read through."""
        self._last_way += 1
        self._ways[self._last_way] = backend
        if len(self._ways) > _WAYS:
            self._ways.popitem(last=False)
        return self._last_way

    # --- bytes ------------------------------------------------------------------------------

    async def read(
        self, store: Store, extent: Extent, offset: int, length: int
    ) -> AsyncIterator[bytes]:
        """See `Window.read`."""
        ticket = decode(Ticket, extent.blob)
        at, end = extent.offset + offset, extent.offset + offset + length
        bucket = await buckets.get(store, ticket.full_name, recent=True)
        if bucket.record.id != ticket.bucket:
            raise BucketNotFound(ticket.name, ticket.namespace, ticket.provider)
        backend = self._ways.get(ticket.way) or await self._remotes.backend(store, bucket.record)
        try:
            async with aclosing(self._kept(store, bucket, ticket, backend, at, end - at)) as kept:  # type: ignore[type-var]
                async for piece in kept:
                    at += len(piece)
                    yield piece
        except StoreError as error:
            _log.debug("%s/%r is read from the remote: %s", bucket.name, ticket.key, error)
        if at < end:
            async with aclosing(direct.pieces(store, backend, ticket, at, end - at)) as rest:  # type: ignore[type-var]
                async for piece in rest:
                    yield piece

    async def _kept(
        self,
        store: Store,
        bucket: BucketRow,
        ticket: Ticket,
        backend: Backend,
        start: int,
        length: int,
    ) -> AsyncIterator[bytes]:
        """As many bytes of the stretch as the cluster has, or is about to have: none if they would
        take longer that way. Raises `StoreError` where it ends early for reasons of its own."""
        fetch = self._downloads.running(ticket.row_key)
        if fetch is None or not _fits(fetch, ticket):
            copy = await copies.of(store, ticket.row_key, ticket)
            if copy is not None:
                extents = await layouts.extents_of(store, copy)
                if extents is None:
                    raise BlobMissing(copy.layout.hex())
                stored = bodies.read_extents(store, extents, start, length)
                async with aclosing(stored) as pieces:  # type: ignore[type-var]
                    async for piece in pieces:
                        yield piece
                return
            fetch = await self._begin(store, bucket, ticket, backend, start, length)
        if fetch is None:
            return
        part = length < ticket.size
        if await store.setting("cold_get.verify_first", bucket.record):
            await fetch.ended()
        elif part and not fetch.reaches(start):
            return
        else:
            await fetch.begun()
        if fetch.about is None or not copies.same(fetch.about, ticket.about):
            return
        if part and fetch.elsewhere:
            length = min(length, fetch.sealed - start)
        async with aclosing(fetch.follow(start, length)) as pieces:  # type: ignore[type-var]
            async for piece in pieces:
                yield piece

    async def _begin(
        self,
        store: Store,
        bucket: BucketRow,
        ticket: Ticket,
        backend: Backend,
        start: int,
        length: int,
    ) -> Fetch | None:
        """Have the object fetched because bytes of it are read, if they are to be kept."""
        row = bucket.record
        if not ticket.keep:
            return None
        if length < ticket.size:
            if await store.text("cold_get.range_fetch", row) != "whole":
                return None
            if ticket.size > await store.size("cold_get.range_limit", row):
                return None
        plan = (await plan_of(store, row))._replace(pinned=ticket.about)
        fetch = await self._downloads.join(store, bucket, ticket.key, backend, plan)
        await asyncio.sleep(0)  # it begins, or queues up
        return fetch


def _fits(fetch: Fetch, ticket: Ticket) -> bool:
    """Whether a fetch that runs is of this version, as far as it knows yet."""
    return fetch.about is None or copies.same(fetch.about, ticket.about)


async def _refuse_disabled(store: Store, bucket: BucketRow, key: bytes) -> None:
    """Raises `ColdGetDisabled` where the bucket or the cluster says so."""
    mask = int(await store.setting("features")) | int(
        await store.setting("features", bucket.record)
    )
    if mask & _DISABLED:
        raise ColdGetDisabled(bucket.record.name, key.decode())
