"""The store as the namespace holds it: the two ports, the settings in force, the clock.

One `Store` lives in each worker process. It keeps no truth of its own: what it caches (bucket
rows, the cluster's settings) is read again whenever the Index says that anything may have changed.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import count
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from aisle.core import budget, settings
from aisle.core.clusters import CIRCLING
from aisle.core.errors import BackendDisabled, NotSupported, RemoteLoop, RowChanged
from aisle.core.names import BucketName
from aisle.namespace import configuration
from aisle.namespace.configuration import BACKENDS, DISABLED, in_force, node_key
from aisle.namespace.records import Bucket, Config, NodeConfig, decode
from aisle.namespace.room import Room
from aisle.namespace.sealing.ring import Ring
from aisle.namespace.window.atimes import AccessTimes
from aisle.namespace.windows import Window
from aisle.store.base import ABSENT, Blobs, Check, Index, Put

if TYPE_CHECKING:
    from aisle.namespace.events import Sink, Stamp
    from aisle.namespace.window.claims import Held
    from aisle.namespace.window.registry import Remotes

CONFIG_KEY: Final = configuration.CONFIG_KEY
# A read looks up the rows that name its bytes a little before it announces itself.
LOOKUP: Final = 10_000_000_000
RETRIES: Final = 64
NEW_KEYS: Final = 8


class BucketRow(NamedTuple):
    """A bucket, the row it was read from, and that row's key: what a `Check` needs."""

    key: bytes
    raw: bytes
    record: Bucket

    @property
    def name(self) -> BucketName:
        return BucketName(self.record.name, self.record.provider, self.record.namespace)

    @property
    def check(self) -> Check:
        return Check("bucket", self.key, self.raw)


class Store:
    """The ports and everything that is shared by the operations of one process."""

    def __init__(
        self,
        index: Index,
        blobs: Blobs,
        *,
        now: Callable[[], int] = time.time_ns,
        node: str = "",
        session: str = "",
    ) -> None:
        """`node` and its `session` tell which settings of single nodes are in force here."""
        self.index = index
        self.blobs = blobs
        self.now = now
        self.outgoing = budget.reading()
        self.incoming = budget.writing()
        self.fetching = budget.fetching()
        self._reads: dict[int, int] = {}  # running reads of blobs: token -> time of their start
        self._tokens = count()
        self._new_keys = 0  # writes in a row that found no old row
        self._defaults: Mapping[str, settings.Value] = settings.cluster_defaults()
        self.node = node
        self.session = session
        self.cluster_config = Config(0, {})  # as `config` read them last
        self.node_config = NodeConfig({})
        self._config = self.cluster_config
        self._config_epoch: int | None = None
        self.bucket_cache: dict[bytes, tuple[int, BucketRow]] = {}
        self.names: dict[bytes, float] = {}  # when S3 names were looked for: see `buckets.find`
        self.documents: dict[bytes, tuple[int, bytes, Any]] = {}  # kept by `documents`
        self.window: Window | None = None  # of buckets with a remote one behind them
        self.remotes: Remotes | None = None  # which remote buckets can be reached
        self.keys: Callable[[], Ring | None] = _no_ring  # what objects are encrypted with
        self.sinks: list[Sink] = []  # who remembers what happens: see `events`
        self.stamp: Stamp | None = None  # what new versions are to say of their replication
        self.atimes = AccessTimes(index, now)
        self.room = Room(self)
        self.count: Callable[[str, int, int], None] = _uncounted  # an event, how often, bytes
        self.share = 1  # among how many processes what the cluster may use of something is divided
        self.reserved_keys: frozenset[str] = frozenset()  # access keys that no user may have
        # This process as others know it, and what it has at work in windows: `window.claims`.
        self.worker = uuid.uuid4().bytes
        self.claims: set[bytes] = set()
        self.unended: list[Held] = []
        self.beaten = 0

    @property
    def ring(self) -> Ring | None:
        """The key ring in force, if there is one: see `sealing`."""
        return self.keys()

    @ring.setter
    def ring(self, ring: Ring | None) -> None:
        self.keys = lambda: ring

    def window_of(self, bucket: Bucket) -> Window | None:
        """What to ask for the objects of a bucket, if a remote one is behind it. Raises
        `NotSupported` in a process that cannot reach any, `BackendDisabled` by the settings as they
        were last read, and `RemoteLoop` for a request that has come through here before."""
        behind = bucket.behind
        if behind is None:
            return None
        if self._config.values.get(BACKENDS + behind.provider) == DISABLED:
            raise BackendDisabled(f"{behind} cannot be reached: its backend is disabled")
        if CIRCLING.get():
            raise RemoteLoop(str(behind))
        if self.window is None:
            raise NotSupported(f"{behind} cannot be reached from this process")
        return self.window

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Announce a read of blobs: what it may need is not deleted before it has ended."""
        token = next(self._tokens)
        self._reads[token] = self.now() - LOOKUP
        try:
            yield
        finally:
            del self._reads[token]

    @property
    def expects_new_keys(self) -> bool:
        """True if the last writes of this process were all to new keys. A write may then guess
        that there is no old row rather than read it: a wrong guess costs one failed check."""
        return self._new_keys >= NEW_KEYS

    def note_put(self, *, new: bool) -> None:
        self._new_keys = self._new_keys + 1 if new else 0

    def oldest_read(self) -> int:
        """Before when the longest running read of this process began; now if there is none."""
        return min(self._reads.values(), default=self.now())

    async def config(self) -> Config:
        """The settings in force on this node that differ from the defaults."""
        epoch = self.index.epoch()
        if epoch != self._config_epoch:
            keys = [CONFIG_KEY, node_key(self.node)]
            cluster, own = await self.index.get_many("config", keys)
            self.cluster_config = decode(Config, cluster) if cluster else Config(0, {})
            self.node_config = decode(NodeConfig, own) if own else NodeConfig({})
            self._config = in_force(self.cluster_config, self.node_config, self.session)
            self._config_epoch = epoch
        return self._config

    def forget_config(self) -> None:
        """Read the settings again when they are next asked for: this process changed them."""
        self._config_epoch = None

    async def setting(self, name: str, bucket: Bucket | None = None) -> settings.Value:
        """The value in force: the bucket's own, else the cluster's, else the default."""
        if bucket is not None and name in bucket.props:
            own: settings.Value = bucket.props[name]
            return own
        values: Mapping[str, settings.Value] = (await self.config()).values
        return values[name] if name in values else self._defaults[name]

    async def text(self, name: str, bucket: Bucket | None = None) -> str:
        """A setting that is a word."""
        return str(await self.setting(name, bucket))

    async def duration(self, name: str, bucket: Bucket | None = None) -> int:
        """A duration setting in nanoseconds."""
        return settings.nanoseconds(await self.setting(name, bucket))

    async def size(self, name: str, bucket: Bucket | None = None) -> int:
        """A size setting in bytes."""
        return settings.size_of(await self.setting(name, bucket))

    async def change_config(
        self,
        values: Mapping[str, settings.Value],
        *,
        reset: bool | Collection[str] = False,
    ) -> Config:
        """Set cluster settings (already parsed and validated), after setting all others back, or
        those that `reset` names."""
        new = await configuration.change_cluster(self.index, values, now=self.now(), reset=reset)
        self._config_epoch = None
        return new


def _no_ring() -> Ring | None:
    """What there is in a process that was given no key ring."""
    return None


def _uncounted(event: str, count: int, size: int) -> None:
    """What becomes of counts in a process that counts nothing."""


async def read_config(index: Index) -> Config:
    """The cluster's settings that differ from the defaults, for who has no store open."""
    row = await index.get("config", CONFIG_KEY)
    return decode(Config, row) if row else Config(0, {})


async def store_id(index: Index) -> str:
    """The identity of this store, made once: mountpaths carry it, so that disks are not mixed."""
    row = await index.get("config", b"store")
    if row is None:
        fresh = uuid.uuid4().hex.encode()
        with suppress(RowChanged):
            await index.commit(Check("config", b"store", ABSENT), Put("config", b"store", fresh))
        row = await index.get("config", b"store")
        assert row is not None
    return row.decode()
