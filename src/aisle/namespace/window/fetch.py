"""Fetching one object into the cluster, for all who ask for it in this process.

A fetch claims the object, has the remote send it, once, and makes a copy of it that is seen when it
is whole and right; or, where another process has the claim, it reads along there. It goes on
whoever leaves. What ends it early leaves no copy: chunks are given up, or found by who takes over.

Whoever asks for an object joins its fetch only while that has the claim: a writer that has come
since may have made the version that is being fetched an old one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, NamedTuple

from aisle.backend.base import Backend, RemoteObject
from aisle.core.errors import AisleError, RemoteChanged, RowChanged, StoreError
from aisle.core.ranges import Span
from aisle.namespace import bodies, layouts
from aisle.namespace.bodies import INLINE_LIMIT
from aisle.namespace.records import Claim, Object, decode, encode
from aisle.namespace.store import BucketRow, Store
from aisle.namespace.window import claims, copies, parallel, pump, steady, takeover, watch
from aisle.namespace.window.claims import Held
from aisle.namespace.window.source import NotKept, Source
from aisle.namespace.window.steady import Steady
from aisle.namespace.window.sums import Sums
from aisle.store.base import ABSENT, Change, Check, Delete, Put

_log: Final = logging.getLogger("aisle.window")

VERIFY: Final = "checksum.validate_cold_get"

# Who reads so close behind what is there waits for it.
NEAR: Final = 256 << 10


class Plan(NamedTuple):
    """How an object is fetched: objects of `parallel_from` bytes and more in `chunk`s by several
    `workers` at once (0: never); and only if it is the version that `pinned` speaks of."""

    parallel_from: int = 0
    workers: int = 1
    chunk: int = pump.CHUNK
    pinned: RemoteObject | None = None


class Fetch(Source):
    """See the module. `run` is its task."""

    def __init__(
        self, store: Store, bucket: BucketRow, key: bytes, backend: Backend, plan: Plan
    ) -> None:
        super().__init__(store)
        self.bucket = bucket
        self.key = key
        self.backend = backend
        self.plan = plan
        self._finishing = False
        self.elsewhere = False  # another process fetches it
        self.queued = True  # it waits for others that were there before

    @property
    def row_key(self) -> bytes:
        return self.bucket.record.id + self.key

    async def current(self) -> bool:
        """Whether what it fetches is what the remote has, as far as this cluster has seen to it."""
        if self.over:
            return False
        if not self.claimed:
            return True
        claim = await claims.look(self.store, self.bucket, self.key)
        if self.over or claim is None or claim.crowded:
            return False
        return [one.id for one in claim.holders] == [self.claimed]

    def reaches(self, start: int) -> bool:
        """Whether who reads from `start` on has it sooner from here than from the remote."""
        if self.queued:
            return False
        return start < self.sealed if self.elsewhere else start <= self.position + NEAR

    async def run(self, slots: asyncio.Semaphore) -> None:
        """Fetch it; whatever happens is told to those who read along."""
        try:
            async with slots:
                self.queued = False
                await self._fetch()
        except asyncio.CancelledError:
            self.end(None, NotKept("this process is stopping"))
            raise
        except AisleError as error:
            self.end(None, error)
        except Exception:
            _log.exception("fetching %r failed", self.key)
            self.end(None, NotKept("fetching failed"))

    async def _fetch(self) -> None:
        while not self.over:
            self.store.room.require()
            before = await claims.look(self.store, self.bucket, self.key)
            held = await claims.fetching(self.store, self.bucket, self.key)
            if held is None:
                self.elsewhere = True
                await watch.along(self, self.bucket, self.key, self.backend)
                continue
            self.elsewhere = False
            try:
                await self._own(held, before)
            except BaseException as error:
                # Of a commit that may have been applied nothing is given up.
                if not self._finishing or isinstance(error, RowChanged):
                    with suppress(StoreError):
                        await claims.leave(held, *self._release())
                raise

    async def _own(self, held: Held, before: Claim | None) -> None:
        """Fetch it by a claim of our own."""
        self.bucket, self.claimed = held.bucket, held.id
        raw = await self.store.index.get("object", held.row_key)
        if raw is not None:
            await claims.leave(held)
            self._there(decode(Object, raw))
            return
        body = await self._begin(held, before)
        async with body:
            about = body.about
            kind = await self.store.text("checksum.type", held.bucket.record)
            verify = await self.store.setting(VERIFY, held.bucket.record)
            sums = Sums(about, self.backend.name, kind, verify=bool(verify))
            if self.extents:
                await self._hash_sealed(sums)
            self.about = about
            self.tell()
            noting = asyncio.create_task(_note(held, about))  # bytes need not wait for it
            taken = 0
            try:
                most = max(pump.MOST, self.plan.workers * parallel.EACH)
                taken = await self.store.fetching.take(min(about.size, most))
                data = await self._take_in(held, body, sums)
                await noting
            finally:
                self.store.fetching.give(taken)
                noting.cancel()
                await asyncio.gather(noting, return_exceptions=True)
        await self._keep(held, about, sums.check(), data)

    def _there(self, copy: Object) -> None:
        """Somebody has finished it in between."""
        if self.about is not None and copy.etag != copies.etag_of(self.about):
            raise NotKept("another version is kept by now")
        if self.about is not None:
            raise NotKept("it is kept by now")
        self.end(copy)

    async def _begin(self, held: Held, before: Claim | None) -> Steady:
        """Ask the remote for it, or for what is left to fetch of what a dead process began."""
        key = self.key.decode()
        known = takeover.version(held, before) if self.backend.ranges_by_etag else None
        if known is not None and (self.about is None or copies.same(known, self.about)):
            extents = await takeover.adopt(held)
            sealed = sum(extent.length for extent in extents)
            if extents[: len(self.extents)] == self.extents and 0 < sealed < known.size:
                try:
                    rest = Span(sealed, known.size - sealed)
                    body = await steady.resume(self.backend, key, known, rest)
                except RemoteChanged:
                    if self.about is not None:
                        raise
                else:
                    self.sealed_up_to(extents[len(self.extents) :])
                    return body
            await claims.drop_chunks(self.store, held.id)
        if self.about is not None:
            raise NotKept("what was fetched elsewhere is lost")
        body = await steady.begin(self.backend, key)
        pinned = self.plan.pinned
        if pinned is not None and not copies.same(body.about, pinned):
            await body.close()
            raise RemoteChanged(self.backend.name, f'"{key}" was replaced before it was read')
        return body

    async def _hash_sealed(self, sums: Sums) -> None:
        async for piece in self._stored(0, self.sealed):
            await sums.update(piece)

    async def _take_in(self, held: Held, body: Steady, sums: Sums) -> bytes | None:
        """All bytes; those of an object that becomes a row are returned."""
        size = body.about.size
        if size <= INLINE_LIMIT:
            return await pump.small(self, body, sums)
        plan = self.plan
        pinned = self.backend.ranges_by_etag and body.about.etag
        large = plan.parallel_from and size >= max(plan.parallel_from, pump.CHUNK + 1)
        if pinned and large and plan.workers > 1:
            await parallel.large(self, held, self.backend, body, sums, plan)
        else:
            await pump.large(self, held, body, sums, size)
        return None

    async def _keep(
        self, held: Held, about: RemoteObject, digest: tuple[str, str], data: bytes | None
    ) -> None:
        """Make the copy visible, if it may be."""
        store, row_key = self.store, held.row_key
        extents, _, layout, extra = layouts.layout_of(self.extents, [])
        record = copies.record(
            held.bucket.record,
            about,
            self.backend.provider,
            extents,
            layout=layout,
            digest=digest,
        )
        body: list[Change] = [Put("body", self.extents[0].blob, data)] if data else []
        told: Sequence[Change] = ()
        if len(self.extents) > 1:
            told = [Delete("chunk", pump.chunk_key(held.id, n)) for n in range(len(self.extents))]
        self._finishing = True
        kept = await claims.finish(
            held,
            Check("object", row_key, ABSENT),
            Put("object", row_key, encode(record)),
            *extra,
            *body,
            *told,
            store.atimes.came(row_key),
            otherwise=self._release(),
        )
        store.count("get.cold", 1, about.size)
        self.end(record if kept else None)

    def _release(self) -> list[Change]:
        """What gives up the bytes of an object that is in one piece, and so not told in `chunk`."""
        if len(self.extents) != 1 or self.extents[0].inline:
            return []
        if self.about is None or self.about.size > pump.CHUNK:
            return []
        return bodies.release(self.extents, self.store.now())


async def _note(held: Held, about: RemoteObject) -> None:
    """Tell other processes which version it is, if they are going to see chunks of it."""
    if about.size > pump.CHUNK:
        await held.note(etag=about.etag, size=about.size)
