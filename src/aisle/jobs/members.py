"""The nodes of the cluster: joining, signs of life, the map, maintenance, leaving.

A node's row says what it is, its beat that it lives. Whoever wants to know which nodes live watches
the beats: one that has not changed for `TTL` seconds by the watcher's own steady clock is dead to
it, so no clocks are compared. A new watcher believes every node until it has watched for that long.
The map's version moves whenever a node joins, leaves or changes its state.

A node in maintenance answers requests, and tells load balancers that it is not ready. Its row stays
when it stops, and it comes back in maintenance. A node that is decommissioned ends by itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, NamedTuple

import msgspec

from aisle.core.errors import AisleError, ConfigError, RowChanged, StoreUnavailable
from aisle.namespace.records import VERSION, Beat, Member, decode, encode
from aisle.namespace.store import RETRIES
from aisle.store.base import ABSENT, Change, Check, Delete, Index, Put, Space

TTL: Final = 10.0
# A node that has been dead for this long is taken off the map for good.
FORGOTTEN: Final = 600.0
ONLINE: Final = "online"
MAINTENANCE: Final = "maintenance"
DECOMMISSION: Final = "decommission"
_MAP_VERSION: Final = b"smap"
_FORMAT: Final = b"format"
_NODES: Final = 10_000


class NodeNotFound(AisleError):
    def __init__(self, node: str) -> None:
        super().__init__(f'node "{node}" is not in the cluster')
        self.node = node


class NodeExists(AisleError):
    """Two processes go by the same node id; the one that joined last has it."""

    def __init__(self, node: str) -> None:
        super().__init__(f'another process has joined the cluster as node "{node}"')
        self.node = node


class Node(NamedTuple):
    """A node as the map shows it."""

    id: str
    member: Member
    beat: Beat
    alive: bool


class Watch:
    """What one process has seen of the nodes' beats. Ask it at least every few seconds."""

    def __init__(self, index: Index, *, steady: Callable[[], float] = time.monotonic) -> None:
        self._index = index
        self._steady = steady
        self._seen: dict[bytes, tuple[bytes, float]] = {}
        self.latest: list[Node] = []  # what `nodes` told last, for who must not ask the index

    async def nodes(self) -> list[Node]:
        """Every node that has joined and not left, dead ones included."""
        rows = await self._index.scan("node", limit=_NODES)
        beats = await self._index.get_many("beat", [_beat_key(key) for key, _ in rows])
        now = self._steady()
        self._seen = {key: seen for key, seen in self._seen.items() if key in dict(rows)}
        found = []
        for (key, raw), beat in zip(rows, beats, strict=True):
            if self._seen.get(key, (None, 0.0))[0] != beat:
                self._seen[key] = (beat or b"", now)
            alive = beat is not None and now - self._seen[key][1] < TTL
            told = decode(Beat, beat) if beat is not None else Beat(0)
            found.append(Node(key.decode(), decode(Member, raw), told, alive))
        self.latest = found
        return found

    def silent(self, node: str) -> float:
        """For how many seconds a node has not been heard of."""
        seen = self._seen.get(node.encode())
        return self._steady() - seen[1] if seen else 0.0


class Membership:
    """This node's own row and beat."""

    def __init__(self, index: Index, node: str, member: Member) -> None:
        self._index = index
        self._key = node.encode()
        self._count = 0
        self._joined = False
        self.member = member

    async def join(self) -> None:
        """Write this node's row, in place of an earlier life's. Raises `ConfigError` if this
        release cannot read what the cluster's nodes write."""
        await check_format(self._index)
        for _ in range(RETRIES):
            raw = await self._index.get("node", self._key)
            if raw is not None:
                old = decode(Member, raw)
                state = MAINTENANCE if old.state == MAINTENANCE else ONLINE
                self.member = msgspec.structs.replace(self.member, state=state)
            if await self._write(raw):
                self._joined = True
                return
        raise StoreUnavailable("the map of the cluster is being changed by too many nodes")

    async def _write(self, raw: bytes | None) -> bool:
        check = Check("node", self._key, ABSENT if raw is None else raw)
        try:
            await self._index.commit(
                check,
                Put("node", self._key, encode(self.member)),
                *await _moved(self._index),
            )
        except RowChanged:
            return False
        return True

    async def beat(self, space: Space) -> str:
        """Give a sign of life, joining first if need be; returns what this node was told to be.
        Raises `NodeExists` if another process goes by its id."""
        raw = await self._index.get("node", self._key)
        if raw is None or not self._joined:
            await self.join()
        else:
            told = decode(Member, raw)
            if told.session != self.member.session:
                raise NodeExists(self._key.decode())
            self.member = told
        self._count += 1
        # Started at different counts, two lives of a node never show the same beat.
        count = (self.member.started & 0xFFFF_FFFF) << 32 | self._count
        beat = Beat(count, space.total, space.free)
        await self._index.commit(Put("beat", _beat_key(self._key), encode(beat)))
        return self.member.state

    async def leave(self) -> None:
        """Take this node off the map, unless it is in maintenance and will be back."""
        raw = await self._index.get("node", self._key)
        if raw is None or decode(Member, raw).session != self.member.session:
            return
        if decode(Member, raw).state == MAINTENANCE:
            await self._index.commit(Delete("beat", _beat_key(self._key)))
            return
        await remove(self._index, self._key.decode())


async def remove(index: Index, node: str) -> None:
    """Take a node off the map. Raises `NodeNotFound`."""
    key = node.encode()
    for _ in range(RETRIES):
        raw = await index.get("node", key)
        if raw is None:
            raise NodeNotFound(node)
        try:
            await index.commit(
                Check("node", key, raw),
                Delete("node", key),
                Delete("beat", _beat_key(key)),
                *await _moved(index),
            )
        except RowChanged:
            continue
        return
    raise StoreUnavailable("the map of the cluster is being changed by too many nodes")


async def change_state(index: Index, node: str, state: str) -> None:
    """Tell a node what to be; it hears of it with its next beat. Raises `NodeNotFound`."""
    key = node.encode()
    for _ in range(RETRIES):
        raw = await index.get("node", key)
        if raw is None:
            raise NodeNotFound(node)
        member = msgspec.structs.replace(decode(Member, raw), state=state)
        try:
            await index.commit(
                Check("node", key, raw), Put("node", key, encode(member)), *await _moved(index)
            )
        except RowChanged:
            continue
        return
    raise StoreUnavailable("the map of the cluster is being changed by too many nodes")


async def state_of(index: Index, node: str) -> str:
    """What a node was told to be; one that has not joined yet is as good as online."""
    raw = await index.get("node", node.encode())
    return decode(Member, raw).state if raw is not None else ONLINE


async def map_version(index: Index) -> int:
    row = await index.get("config", _MAP_VERSION)
    return int(row) if row else 0


async def _moved(index: Index) -> list[Change]:
    """The changes that give the map its next version."""
    row = await index.get("config", _MAP_VERSION)
    following = str(int(row) + 1 if row else 1).encode()
    check = Check("config", _MAP_VERSION, ABSENT if row is None else row)
    return [check, Put("config", _MAP_VERSION, following)]


async def check_format(index: Index) -> None:
    """Refuse a store whose rows are newer than this release. Raises `ConfigError`."""
    row = await index.get("config", _FORMAT)
    if row is not None and int(row) > VERSION:
        raise ConfigError(
            f"this store holds rows of version {int(row)}, and this release reads up to {VERSION}:"
            " run a newer one"
        )


async def raise_format(index: Index, nodes: list[Node], *checks: Check) -> int:
    """Move the version that rows are written in up to what every node reads; returns it.

    While a rolling upgrade is under way old and new nodes serve side by side, so new rows are
    written in the old version until the last old node has gone.
    """
    row = await index.get("config", _FORMAT)
    written = int(row) if row is not None else 0
    common = min((node.member.formats for node in nodes), default=written)
    if common <= written:
        return written
    check = Check("config", _FORMAT, ABSENT if row is None else row)
    await index.commit(check, *checks, Put("config", _FORMAT, str(common).encode()))
    return common


def _beat_key(key: bytes) -> bytes:
    return b"node/" + key
