"""Write-through: the remote first, then the row with what the remote answered.

What is to be written is sealed in the cluster by then, and held to what its client says of it. It
is sent with the client's part boundaries, conditions, headers and metadata; the remote decides
about the conditions wherever a single ETag or the object's absence is all that they ask for. The
copy is kept if nobody else was at work on the object meanwhile: see `claims`.

A write goes on when its client leaves. Whatever ends it early ends its claim as well: the remote's
refusal leaves nothing, an answer that did not come leaves no copy, and bytes that no row refers to
are given up.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any, Final, TypeVar

import msgspec

from aisle.backend.base import Backend, Outgoing, RemoteObject
from aisle.core.errors import (
    BackendDisabled,
    NotSupported,
    ObjectNotFound,
    PreconditionFailed,
    RemoteBroken,
    RemoteError,
    RemoteObjectNotFound,
    RemoteUnknown,
    RowChanged,
    WriteConflict,
)
from aisle.namespace import bodies, completions
from aisle.namespace.bodies import Stored
from aisle.namespace.conditions import WriteConditions
from aisle.namespace.records import Layout, Object, decode, encode
from aisle.namespace.store import BucketRow, Store
from aisle.namespace.window import claims, copies
from aisle.namespace.window.claims import Held
from aisle.namespace.window.registry import Remotes
from aisle.store.base import Change, Put

T = TypeVar("T")
Build = Callable[[Object | None, int], Object]
# What the remote has not done, and will not do: its claim ends at once.
_REFUSED: Final = (PreconditionFailed, RemoteError, BackendDisabled, NotSupported, ObjectNotFound)


class Writing:
    """The writes of one process to remote buckets."""

    def __init__(self, remotes: Remotes) -> None:
        self._remotes = remotes
        self._running: set[asyncio.Task[Any]] = set()

    async def commit(
        self,
        store: Store,
        bucket: BucketRow,
        key: bytes,
        stored: Stored | None,
        build: Build,
        conditions: WriteConditions,
        extra: Sequence[Change],
        via: Backend | None = None,
    ) -> Object:
        """See `Window.commit`."""
        write = _Write(store, key, stored, build(None, store.now()), conditions, extra)
        return await self._through(self._put(write, bucket, via))

    async def delete(
        self, store: Store, bucket: BucketRow, key: bytes, conditions: WriteConditions
    ) -> bool:
        """See `Window.delete`. Without a condition nobody is asked whether the object is there."""
        return await self._through(self._delete(store, bucket, key, conditions))

    async def close(self) -> None:
        """Give up what is under way."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _through(self, work: Coroutine[Any, Any, T]) -> T:
        """Do it, whether or not who waits for it stays."""
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._over)
        return await asyncio.shield(task)

    def _over(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # who waited for it has heard of it, if anybody did

    async def _put(self, write: _Write, bucket: BucketRow, via: Backend | None) -> Object:
        try:
            held = await claims.writing(write.store, bucket, write.key)
            record = await self._asked(held, via, write.send)
        except BaseException:
            if write.stored is not None:
                await bodies.discard(write.store, write.stored)
            raise
        return await write.keep(held, record)

    async def _delete(
        self, store: Store, bucket: BucketRow, key: bytes, conditions: WriteConditions
    ) -> bool:
        name = key.decode()

        async def send(held: Held, backend: Backend) -> bool:
            if not conditions.empty:
                _check(held.bucket, key, await _head(backend, name), conditions)
            await backend.delete(name)
            return True

        held = await claims.writing(store, bucket, key)
        await self._asked(held, None, send)
        await claims.finish(held)
        return True

    async def _asked(
        self,
        held: Held,
        via: Backend | None,
        send: Callable[[Held, Backend], Coroutine[Any, Any, T]],
    ) -> T:
        """Ask the remote; a claim that is not to be finished is ended, as the answer has it."""
        try:
            backend = via or await self._remotes.backend(held.store, held.bucket.record)
            if not backend.writes:
                raise NotSupported(f"{backend.name} can only be read")
            return await send(held, backend)
        except RemoteUnknown:
            await claims.abandon(held)
            raise
        except _REFUSED:
            await claims.leave(held)
            raise
        except BaseException:
            await claims.abandon(held)
            raise


class _Write:
    """An object on its way: its record as it would be in a bucket of our own, and its bytes."""

    def __init__(
        self,
        store: Store,
        key: bytes,
        stored: Stored | None,
        record: Object,
        conditions: WriteConditions,
        extra: Sequence[Change],
    ) -> None:
        self.store = store
        self.key = key
        self.stored = stored
        self.record = record
        self.conditions = conditions
        self.extra = extra
        self.layout = _layout_of(record, extra)

    async def send(self, held: Held, backend: Backend) -> Object:
        """Put it at the remote; the record with what the remote says of it."""
        name, record = self.key.decode(), self.record

        async def started(upload: str) -> None:
            if not await held.note(upload=upload):
                raise WriteConflict("this upload was taken for dead")

        if_match, if_none_match = await self._conditions(held, backend)
        outgoing = Outgoing(
            size=record.size,
            open=self._open,
            md5=self._md5(),
            parts=tuple(part.size for part in self.layout.parts),
            headers=record.headers,
            meta=record.meta,
            storage_class=record.storage_class,
            encryption=record.origin.encryption if record.origin is not None else {},
            if_match=if_match,
            if_none_match=if_none_match,
            started=started,
        )
        try:
            about = await self._send(backend, name, outgoing)
        except RemoteObjectNotFound:  # which If-Match asked for
            raise ObjectNotFound(held.bucket.record.name, name) from None
        if about.size != record.size:
            raise RemoteBroken(backend.name, f"it stored {about.size} bytes of {record.size}")
        return self._told(held, backend, about)

    async def _send(self, backend: Backend, name: str, outgoing: Outgoing) -> RemoteObject:
        try:
            return await backend.put(name, outgoing)
        except PreconditionFailed:
            if not outgoing.if_match:
                raise
            found = await backend.head(name)
            if found.etag or copies.etag_of(found) != outgoing.if_match:
                raise
            # The remote has no ETag of this object: the one that clients know was made for them.
            return await backend.put(name, replace(outgoing, if_match=""))

    async def keep(self, held: Held, record: Object) -> Object:
        """Make the copy visible, if it may be; else give its bytes up."""
        store = self.store
        version = record.origin.version if record.origin is not None else ""
        extra = [
            completions.told(change, etag=record.etag, version=version) for change in self.extra
        ]
        changes = [
            Put("object", held.row_key, encode(record)),
            *(self.stored.changes() if self.stored is not None else ()),
            *extra,
            store.atimes.came(held.row_key),
        ]
        try:
            kept = await claims.finish(held, *changes, otherwise=self._given_up(extra))
        except RowChanged:
            await claims.leave(held)
            kept = False
            raise
        except WriteConflict:
            kept = False  # none of its batches was applied
            raise
        except BaseException:
            kept = True  # it may have been applied: the sweep decides what the bytes are
            raise
        finally:
            if not kept and self.stored is not None:
                await bodies.discard(store, self.stored)
        return record

    def _md5(self) -> str:
        digests = self.stored.digests if self.stored is not None else {}
        return digests.get("MD5", b"").hex()

    def _open(self, start: int, length: int) -> AsyncIterator[bytes]:
        stored = self.stored
        if stored is not None and stored.inline is not None:
            return _piece(stored.inline[start : start + length])
        return bodies.read_extents(self.store, self.layout.extents, start, length)

    async def _conditions(self, held: Held, backend: Backend) -> tuple[str, bool]:
        """The conditions as a remote can decide them: If-Match, If-None-Match. Of others is decided
        by what it has now, which is then its condition."""
        wanted = self.conditions
        if wanted.empty:
            return "", False
        match, none = wanted.if_match.strip(), wanted.if_none_match.strip()
        if wanted == WriteConditions(if_none_match=wanted.if_none_match) and none == "*":
            return "", True
        plain = match != "*" and "," not in match
        if wanted == WriteConditions(if_match=wanted.if_match) and plain:
            return match.removeprefix("W/").strip('"'), False
        found = await _head(backend, self.key.decode())
        _check(held.bucket, self.key, found, wanted)
        return ("", True) if found is None else (found.etag, False)

    def _told(self, held: Held, backend: Backend, about: RemoteObject) -> Object:
        """What the remote says, with what is known here beside it: checksums, and the parts if the
        remote has kept them."""
        mine = self.record
        record = copies.record(
            held.bucket.record,
            about,
            backend.provider,
            mine.extents,
            layout=mine.layout,
            digest=mine.digest,
        )
        assert record.origin is not None
        known = {"md5": self._md5()} if self._md5() else {}
        origin = msgspec.structs.replace(
            record.origin, checksums={**known, **record.origin.checksums}
        )
        in_parts = record.etag.endswith(f"-{mine.part_count}")
        return msgspec.structs.replace(
            record,
            checksums=mine.checksums or record.checksums,
            checksum_type=mine.checksum_type if mine.checksums else record.checksum_type,
            parts=mine.parts if in_parts else [],
            part_count=mine.part_count if in_parts else 0,
            origin=origin,
        )

    def _given_up(self, extra: Sequence[Change]) -> list[Change]:
        """What takes the place of `extra` if no row refers to the bytes: a body that came in one
        piece is no row's yet, and is discarded; parts are given up with their upload."""
        if self.stored is not None:
            return list(extra)
        left = [change for change in extra if not _is_layout(change)]
        return [*left, *bodies.release(self.layout.extents, self.store.now())]


def _layout_of(record: Object, extra: Sequence[Change]) -> Layout:
    """The extents and parts of a record that is not committed yet."""
    for change in extra:
        if isinstance(change, Put) and _is_layout(change) and change.key == record.layout:
            return decode(Layout, change.value)
    return Layout(record.extents, record.parts)


def _is_layout(change: Change) -> bool:
    return isinstance(change, Put) and change.table == "layout"


async def _head(backend: Backend, key: str) -> RemoteObject | None:
    try:
        return await backend.head(key)
    except RemoteObjectNotFound:
        return None


def _check(
    bucket: BucketRow, key: bytes, found: RemoteObject | None, conditions: WriteConditions
) -> None:
    current = None if found is None else copies.record(bucket.record, found, "", ())
    conditions.check(current, bucket=bucket.record.name, key=key.decode())


async def _piece(data: bytes) -> AsyncIterator[bytes]:
    if data:
        yield data
