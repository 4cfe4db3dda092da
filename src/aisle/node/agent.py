"""What a node does beside answering requests, in whichever of its workers holds `DATA/agent.lock`.

The agent joins the cluster, gives signs of life, competes for the duty of the primary, and keeps
house when it has it. Its worker may die at any time: the next one to get the lock goes on. A node
that keeps its rows itself is alone with them: it has every duty, and there is no map to be on.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from itertools import count
from typing import Final

from aisle import __version__
from aisle.core.errors import AisleError, RowChanged, StoreError
from aisle.jobs import deliveries, housekeeper, members, replication
from aisle.jobs.leases import PRIMARY, Duty, Lease, Sole
from aisle.jobs.members import DECOMMISSION, FORGOTTEN, MAINTENANCE, Membership, NodeExists, Watch
from aisle.namespace.records import VERSION, Member
from aisle.namespace.store import Store
from aisle.node.keyring import KeyRing
from aisle.node.options import NodeOptions
from aisle.store.base import Space
from aisle.targets.base import NONE as NO_TARGETS
from aisle.targets.base import Targets

_log: Final = logging.getLogger("aisle.node")

BEAT_SECONDS: Final = 2.0
_LOCK_SECONDS: Final = 0.5
_SPACE_EVERY: Final = 15  # beats
_SLOW_SECONDS: Final = 5.0
_AGAIN_SECONDS: Final = 5.0

Work = Coroutine[None, None, None]


class Agent:
    """See the module. `run` it as a task of the worker and cancel it before the engines close."""

    def __init__(
        self,
        store: Store,
        options: NodeOptions,
        node: str,
        session: str,
        targets: Targets = NO_TARGETS,
        keys: KeyRing | None = None,
    ) -> None:
        self._store = store
        self._targets = targets
        self._keys = keys
        self._options = options
        self._node = node
        self._session = session
        self._space = Space(0, 0, 0)

    async def run(self) -> None:
        async with _lock(self._options):
            _log.info(
                "node %s, release %s, serves %s with %d workers",
                self._node,
                __version__,
                self._options.endpoint,
                self._options.workers,
            )
            async with _beside(self._follow_keys()):
                if self._options.embedded:
                    await self._do(Sole())
                else:
                    await self._serve_cluster()

    async def _follow_keys(self) -> None:
        """What every node does for itself, whoever the primary is."""
        keys = self._keys
        if keys is not None:
            await _ever("the care for the key ring", lambda: keys.follow(self._store))

    async def _do(self, duty: Duty) -> None:
        """What one node does for all, for ever."""

        def deliver() -> Work:
            return deliveries.run(
                self._store,
                self._targets,
                region=self._options.region,
                node=self._node,
                alone=self._options.embedded,
            )

        async with asyncio.TaskGroup() as group:
            group.create_task(_ever("housekeeping", lambda: housekeeper.run(self._store, duty)))
            group.create_task(_ever("replication", lambda: replication.run(self._store, duty)))
            group.create_task(_ever("notifications", deliver))

    async def _serve_cluster(self) -> None:
        lease = Lease(self._store.index, PRIMARY, self._node)
        membership = Membership(self._store.index, self._node, self._describe())
        keeping = asyncio.create_task(self._do(lease))
        try:
            await self._beat(membership, lease)
        finally:
            keeping.cancel()
            await asyncio.wait([keeping])
            await _depart(membership, lease)
        _log.warning("this node has been decommissioned: it stops")
        os.kill(os.getppid(), signal.SIGTERM)

    def _describe(self) -> Member:
        options = self._options
        return Member(
            url=options.advertise or options.endpoint,
            session=self._session,
            version=__version__,
            formats=VERSION,
            started=self._store.now(),
            workers=options.workers,
            state=members.ONLINE,
        )

    async def _beat(self, membership: Membership, lease: Lease) -> None:
        """Until this node is decommissioned."""
        watch = Watch(self._store.index)
        for turn in count():
            try:
                if turn % _SPACE_EVERY == 0:
                    self._space = await self._store.blobs.space()
                state = await membership.beat(self._space)
                if state == DECOMMISSION:
                    return
                if state == MAINTENANCE:
                    await lease.give_up()
                elif await lease.turn():
                    await self._lead(watch, lease)
            except NodeExists as error:
                _log.error("%s: give each node an id of its own", error)
            except (StoreError, RowChanged) as error:
                _log.warning("this node cannot tell the cluster that it lives: %s", error)
            except Exception:
                # Its end would look like the node's death to all others.
                _log.exception("the care for the cluster failed")
            await asyncio.sleep(BEAT_SECONDS)

    async def _lead(self, watch: Watch, duty: Duty) -> None:
        """The primary's care for the map."""
        nodes = await watch.nodes()
        await members.raise_format(self._store.index, nodes, *duty.checks)
        for node in nodes:
            silent = watch.silent(node.id)
            if not node.alive and silent > FORGOTTEN and node.member.state != MAINTENANCE:
                _log.warning("node %s has been silent for %d s: off the map", node.id, silent)
                await members.remove(self._store.index, node.id)


async def _ever(name: str, begin: Callable[[], Work]) -> None:
    """Do some work until it ends by itself, anew after a failure: a bug in one kind of work must
    end neither the others nor the node's duties."""
    while True:
        try:
            await begin()
        except Exception:
            _log.exception("%s failed, and begins anew", name)
            await asyncio.sleep(_AGAIN_SECONDS)
        else:
            return


@asynccontextmanager
async def _beside(work: Work) -> AsyncIterator[None]:
    """Have some work done meanwhile."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _depart(membership: Membership, lease: Lease) -> None:
    """Tell the others, so that they need not wait; they find out anyway."""
    try:
        async with asyncio.timeout(_SLOW_SECONDS):
            await lease.give_up()
            await membership.leave()
    except (AisleError, TimeoutError) as error:
        _log.warning("this node could not take leave of the cluster: %s", error)


@asynccontextmanager
async def _lock(options: NodeOptions) -> AsyncIterator[None]:
    """Wait until no other worker of this node is its agent."""
    fd = os.open(options.data / "agent.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        while not _try_lock(fd):  # noqa: ASYNC110 - the kernel has no event for it
            await asyncio.sleep(_LOCK_SECONDS)
        yield
    finally:
        os.close(fd)


def _try_lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
