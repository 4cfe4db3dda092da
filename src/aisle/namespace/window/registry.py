"""Which remote buckets this process can reach: backends by what the settings say, opened once.

A backend is opened for a window and the settings in force, and serves until those change; what
runs on a replaced one may go on for `GRACE` before it is closed. Nothing here asks a remote one for
anything. A provider is refused while the cluster's settings say `disabled` (`backend.aws` and so
on); that is looked at with each use, so it is in force as soon as the settings are.

Whether a provider is *configured* (told to be used, or the node's environment has credentials for
it) matters only where a bucket's name comes without its provider: see `window.adding`.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple
from weakref import WeakValueDictionary

from aisle.backend.base import Backend, Clusters, ClusterSeen, Provider
from aisle.core.clusters import OWN_UUID
from aisle.core.errors import BackendDisabled, InvalidArgument
from aisle.core.features import BUCKET_MASK
from aisle.core.names import BucketName
from aisle.core.settings import Value
from aisle.namespace.configuration import BACKENDS, DISABLED, ENABLED
from aisle.namespace.records import Bucket
from aisle.namespace.store import Store, store_id
from aisle.namespace.window.pace import paced

# How long a backend that was replaced may still be at work, in seconds.
GRACE: Final = 3600.0
# Backends kept open; the one that was used least recently gives way.
KEPT: Final = 1000
ABSENT_SECONDS: Final = 30.0
_ABSENT_KEPT: Final = 10_000
# Providers that a cluster has something to do with only if it is told so.
_CLOUDS: Final = frozenset({"aws", "gcp", "azure"})
# What backends act on: of a bucket's props and the cluster's settings.
_MATTERS: Final = ("extra.", "rate_limit.backend.", "backend.", "net.http.", "features")


class Absent:
    """Remote buckets that were not there a moment ago, for one process."""

    def __init__(self) -> None:
        self._until: dict[BucketName, float] = {}

    def __contains__(self, name: BucketName) -> bool:
        until = self._until.get(name)
        if until is not None and until <= time.monotonic():
            del self._until[name]
            until = None
        return until is not None

    def add(self, name: BucketName) -> None:
        if len(self._until) >= _ABSENT_KEPT:
            self._until.clear()
        self._until[name] = time.monotonic() + ABSENT_SECONDS

    def discard(self, name: BucketName) -> None:
        self._until.pop(name, None)


class _Open(NamedTuple):
    backend: Backend
    settings: Mapping[str, Any]
    props: Mapping[str, Any]  # as the bucket had them, to tell quickly that nothing changed
    config: Mapping[str, Value]


class Remotes:
    """The remote buckets of one process."""

    def __init__(self, providers: Mapping[str, Provider], *, ambient: Iterable[str] = ()) -> None:
        """`providers` by AIStore's word may open them when they are first asked for, and raise
        `BackendDisabled` there; `ambient` names those that the node's environment configures."""
        self._providers = providers
        self._ambient = frozenset(ambient)
        self._used: dict[str, Provider] = {}
        self._open: dict[bytes, _Open] = {}  # by the id of a bucket
        self._uuid = ""  # of this cluster
        self._retired: deque[tuple[float, Backend]] = deque()
        self.absent = Absent()
        # Of buckets that are being added; a lock lives as long as somebody has it.
        self.added: WeakValueDictionary[BucketName, asyncio.Lock] = WeakValueDictionary()

    @property
    def known(self) -> tuple[str, ...]:
        """The providers there are, whether or not they are enabled."""
        return tuple(self._providers)

    async def backend(self, store: Store, bucket: Bucket) -> Backend:
        """The remote bucket behind this one. Raises `BackendDisabled`, `InvalidArgument`."""
        behind = bucket.behind
        if behind is None:
            raise InvalidArgument(f'"{bucket.name}" has no remote bucket behind it')
        config = (await store.config()).values
        known = self._open.get(bucket.id)
        if known is not None and known.props is bucket.props and known.config is config:
            return known.backend
        provider = self._provider(config, behind.provider)
        settings = await self._settings(store, config, bucket.props)
        if known is not None and known.settings == settings:
            backend = known.backend
        else:
            opened = provider.open(behind.name, settings, namespace=behind.namespace)
            backend = paced(opened, settings, lambda: store.share)
            self.forget(bucket.id)
        self._open.pop(bucket.id, None)
        self._open[bucket.id] = _Open(backend, settings, bucket.props, config)
        if len(self._open) > KEPT:
            self.forget(next(iter(self._open)))
        await self._sweep()
        return backend

    async def trial(self, store: Store, name: BucketName, props: Mapping[str, Any]) -> Backend:
        """The remote bucket of this full name, as a window with these props would reach it; opened
        for the caller alone, who closes it."""
        config = (await store.config()).values
        provider = self._provider(config, name.provider)
        settings = await self._settings(store, config, props)
        return provider.open(name.name, settings, namespace=name.namespace)

    async def buckets(
        self, store: Store, provider: str, *, namespace: str = ""
    ) -> list[BucketName]:
        """The remote buckets of a provider, in order of their names. Raises `BackendDisabled`,
        `RemoteError`s and `NotSupported`."""
        config = (await store.config()).values
        known = self._provider(config, provider)
        settings = await self._settings(store, config, {})
        names = await known.buckets(settings, namespace=namespace)
        return [BucketName(name, provider, namespace) for name in sorted(names)]

    async def look(self, store: Store, alias: str, urls: Sequence[str]) -> ClusterSeen:
        """What cluster answers at these addresses. Raises `RemoteError`s, `InvalidArgument` and
        `BackendDisabled`."""
        config = (await store.config()).values
        known = self._provider(config, "ais")
        if not isinstance(known, Clusters):
            raise BackendDisabled("clusters cannot be reached from this process")
        return await known.look(alias, urls, await self._settings(store, config, {}))

    async def enabled(self, store: Store) -> list[str]:
        """The providers that are not switched off."""
        config = (await store.config()).values
        return [name for name in self._providers if config.get(BACKENDS + name) != DISABLED]

    async def idle(self, store: Store, provider: str) -> bool:
        """Whether a cloud could be asked, and nobody has said that the cluster has anything to do
        with it: then nothing is there, and nothing is asked."""
        if provider not in _CLOUDS or provider not in await self.enabled(store):
            return False
        return provider not in await self.configured(store)

    async def configured(self, store: Store) -> list[str]:
        """Those of them that were told to be used, or that the environment is prepared for."""
        config = (await store.config()).values
        return [
            name
            for name in await self.enabled(store)
            if name in self._ambient or config.get(BACKENDS + name) == ENABLED
        ]

    def forget(self, identity: bytes) -> None:
        """Give up what is open for the bucket of this id."""
        known = self._open.pop(identity, None)
        if known is not None:
            self._retired.append((time.monotonic() + GRACE, known.backend))

    async def close(self) -> None:
        """Close everything; nothing may be at work any more."""
        backends = [known.backend for known in self._open.values()]
        backends += [backend for _, backend in self._retired]
        self._open.clear()
        self._retired.clear()
        for backend in backends:
            await backend.close()
        for provider in self._used.values():
            await provider.close()
        self._used.clear()

    def _provider(self, config: Mapping[str, Value], name: str) -> Provider:
        if name not in self._providers:
            raise BackendDisabled(f'there is no backend "{name}" here')
        if config.get(BACKENDS + name) == DISABLED:
            raise BackendDisabled(f'backend "{name}" is disabled')
        if name not in self._used:
            self._used[name] = self._providers[name]
        return self._used[name]

    async def _settings(
        self, store: Store, config: Mapping[str, Value], props: Mapping[str, Any]
    ) -> dict[str, Any]:
        """What a backend acts on: the bucket's props, else the cluster's settings that were set."""
        if not self._uuid:
            self._uuid = await store_id(store.index)
        merged = {**config, **props}
        # Of the features, those of the cluster alone are the cluster's to set.
        flags = config.get("features", 0), merged.get("features", 0)
        merged["features"] = (int(flags[0]) & ~BUCKET_MASK) | (int(flags[1]) & BUCKET_MASK)
        matters = {name: value for name, value in merged.items() if name.startswith(_MATTERS)}
        return {**matters, OWN_UUID: self._uuid}

    async def _sweep(self) -> None:
        now = time.monotonic()
        while self._retired and self._retired[0][0] <= now:
            await self._retired.popleft()[1].close()
