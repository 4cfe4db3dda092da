"""The composition root: the one place that puts the house together.

`open_app` is called in every worker process after the fork; nothing is open before it. Which
engines serve is `engines`' table; what a node does beside answering requests is `agent`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import time
import uuid
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from aisle.api.base import Service
from aisle.api.iam import dialect as iam
from aisle.api.limits import rate_of
from aisle.api.native import dialect as native
from aisle.api.native.orders import obey
from aisle.api.s3 import dialect as s3
from aisle.api.s3 import hosting as website
from aisle.app.asgi import App
from aisle.app.edge import Edge, Limits
from aisle.core import features
from aisle.core.counters import Counters
from aisle.core.errors import StoreError
from aisle.core.logfiles import LogFiles
from aisle.jobs import housekeeper, members
from aisle.jobs.jobs import Jobs
from aisle.jobs.kinds import with_promotion
from aisle.jobs.members import Watch
from aisle.namespace.accesslogs import AccessLogs
from aisle.namespace.clock import Clock
from aisle.namespace.notifications.queue import Queue
from aisle.namespace.replication.sink import Replicating
from aisle.namespace.store import Store
from aisle.namespace.users.principals import Principals, RootKeys
from aisle.namespace.users.root import ensure as ensure_root
from aisle.namespace.window.registry import Remotes
from aisle.namespace.window.window import RemoteWindow
from aisle.node import keyring, logs
from aisle.node.agent import Agent
from aisle.node.audit import AuditLog
from aisle.node.certificate import Certificate
from aisle.node.engines import Engines, open_engines
from aisle.node.logs import AccessLog
from aisle.node.options import NodeOptions
from aisle.node.providers import open_remotes
from aisle.node.targets import open_targets
from aisle.store.epoch import Epoch
from aisle.targets.base import Targets

_log = logging.getLogger("aisle.node")

# How soon a change of the cluster's settings, or of this node's state, is in force here.
FOLLOW_SECONDS = 0.5
# A smaller log file would be put away line by line.
SMALLEST_LOG = 64 << 10
# How long a reply may need to be on its way.
REPLY_SECONDS = 0.3
# After so long without the index a node tells load balancers to try another.
LOST_SECONDS = 3.0
# How often a process looks at the nodes, and asks for the time.
WATCH_SECONDS = 4.0
CLOCK_SECONDS = 15.0
# How often it is written when access keys were last used.
USED_SECONDS = 60.0
# The commit thread and the event loop share the interpreter: at the default of 5 ms a commit waits
# that long for each turn beside a busy loop (docs/decisions/002).
SWITCH_SECONDS = 0.001


def open_app(
    options: NodeOptions,
    epoch: Epoch | None = None,
    session: str = "",
    counters: Counters | None = None,
) -> App:
    """The ASGI application of one worker. What is not the options is shared by all workers of a
    supervisor; an application that is on its own has none of it."""
    worker = Worker(options, epoch, session, counters)
    return App(
        s3=s3,
        native=native,
        iam=iam,
        website=website,
        startup=worker.start,
        shutdown=worker.stop,
        log=worker.log,
        audit=worker.audit,
        edge=_edge(options),
    )


class Worker:
    """What one worker process holds open between its start and its stop."""

    def __init__(
        self,
        options: NodeOptions,
        epoch: Epoch | None,
        session: str,
        counters: Counters | None,
    ) -> None:
        self._options = options
        self._epoch = epoch
        self._session = session
        self._supervised = counters is not None
        self._counters = counters or Counters()
        self._files: LogFiles | None = None
        self._id = uuid.uuid4().bytes
        self._tasks: list[asyncio.Task[None]] = []
        self._engines: Engines | None = None
        self._remotes: Remotes | None = None
        self._window: RemoteWindow | None = None
        self._targets: Targets | None = None
        self._principals: Principals | None = None
        self._store: Store | None = None
        self._access_logs: AccessLogs | None = None
        self._ready = True
        self.log = AccessLog(options.log_format) if options.access_log else None
        self.audit = _audit(options)

    async def start(self) -> Service:
        """Open the engines. Raises `ConfigError` and `StoreError`."""
        options = self._options
        sys.setswitchinterval(SWITCH_SECONDS)
        self._counters.claim()
        self._files = logs.keep(options.data / "log")
        if self.audit is not None:
            self.audit.check()
        self._engines = engines = await open_engines(options, self._epoch)
        index, blobs = engines.index, engines.blobs
        await members.check_format(index)
        watch = None
        if options.embedded:
            store = Store(index, blobs, node=options.node_id, session=self._session)
        else:
            clock = Clock(index)
            await clock.follow()
            store = Store(index, blobs, now=clock, node=options.node_id, session=self._session)
            watch = Watch(index)
            self._run(self._follow_clock(clock), self._watch(watch))
        keys = keyring.shared() if self._supervised else None
        store.ring = options.ring
        if keys is not None:
            store.keys = keys.ring
        store.worker = self._id
        self._remotes = store.remotes = open_remotes(os.environ)
        self._window = store.window = RemoteWindow(self._remotes)
        replicating = Replicating()
        store.stamp = replicating.stamp
        store.sinks.append(replicating)
        store.sinks.append(Queue())
        self._targets = open_targets(options.event_targets)
        store.count = self._counters.add
        self._store = store
        root = RootKeys(options.root_access_key, options.root_secret_key, options.root_password)
        self._principals = principals = Principals(store, root)
        if options.auth_enabled:
            await ensure_root(store)
        self._access_logs = AccessLogs(store, options.region)
        kinds = with_promotion(options.promote_dir)
        jobs = Jobs(store, self._id.hex(), node=options.node_id, kinds=kinds)
        service = Service(
            store=store,
            principals=principals,
            auth_enabled=options.auth_enabled,
            region=options.region,
            domains=options.domains,
            website_domains=options.website_domains,
            jobs=jobs,
            node=options.node_id,
            advertise=options.advertise,
            promote_dir=options.promote_dir,
            targets=self._targets,
            watch=watch,
            ready=lambda: self._ready,
            session=self._session,
            workers=options.workers,
            counters=self._counters,
            log=self._files,
            local=_local(options),
            stop=_stop_node if self._supervised else None,
            certificate=Certificate(options) if self._supervised and options.tls_cert else None,
            access_logs=self._access_logs,
        )
        agent = Agent(store, options, options.node_id, self._session, self._targets, keys)
        reads = housekeeper.announce_reads(store, self._id)
        self._run(self._follow(service), reads, agent.run(), jobs.run())
        self._run(self._note_keys(principals))
        self._run(store.room.follow(), store.atimes.follow())
        self._run(self._access_logs.follow())
        return service

    def _run(self, *work: Coroutine[None, None, None]) -> None:
        self._tasks += [asyncio.create_task(one) for one in work]

    async def stop(self) -> None:
        self._ready = False
        for task in reversed(self._tasks):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        if self._principals is not None:
            await self._write_used(self._principals)
        if self._store is not None:
            await _write_times(self._store)
        if self._access_logs is not None:
            await self._access_logs.write()
        if self._targets is not None:
            await self._targets.close()
        if self._window is not None:
            await self._window.close()
        if self._remotes is not None:
            await self._remotes.close()
        if self._engines is not None:
            await self._engines.close()
        for log in (self.log, self.audit):
            if log is not None:
                await asyncio.to_thread(log.close)
        if self._files is not None:
            logging.getLogger().removeHandler(self._files)
            self._files.close()

    async def _follow(self, service: Service) -> None:
        """Keep what the service holds of the cluster's settings and its own state up to date."""
        heard = time.monotonic()
        while True:
            try:
                mask = await service.store.setting("features")
                service.root_api = bool(int(mask) & features.S3_VIA_ROOT)
                if service.log is not None:
                    size = await service.store.size("log.max_size")
                    service.log.max_size = max(size, SMALLEST_LOG)
                    service.log.max_total = await service.store.size("log.max_total")
                obey(service)
                service.limits.users = rate_of((await service.store.config()).values)
                service.limits.share = self._options.workers * _living(service)
                service.store.share = service.limits.share
                state = await self._state(service.store)
                heard = time.monotonic()
                self._ready = state == members.ONLINE
            except StoreError as error:
                _log.warning("the cluster's settings cannot be read: %s", error)
                self._ready = self._ready and time.monotonic() - heard < LOST_SECONDS
            await asyncio.sleep(FOLLOW_SECONDS)

    async def _state(self, store: Store) -> str:
        if self._options.embedded:
            return members.ONLINE
        return await members.state_of(store.index, self._options.node_id)

    async def _note_keys(self, principals: Principals) -> None:
        while True:
            await asyncio.sleep(USED_SECONDS)
            await self._write_used(principals)

    async def _write_used(self, principals: Principals) -> None:
        try:
            await principals.write_used()
        except StoreError as error:
            _log.warning("when access keys were last used cannot be written: %s", error)

    async def _watch(self, watch: Watch) -> None:
        while True:
            try:
                await watch.nodes()
            except StoreError as error:
                _log.warning("the map of the cluster cannot be read: %s", error)
            await asyncio.sleep(WATCH_SECONDS)

    async def _follow_clock(self, clock: Clock) -> None:
        while True:
            await asyncio.sleep(CLOCK_SECONDS)
            try:
                await clock.follow()
            except StoreError as error:
                _log.warning("the index does not tell the time: %s", error)


def _edge(options: NodeOptions) -> Edge:
    limits = Limits(options.max_requests, options.body_timeout, options.send_timeout)
    return Edge(limits, options.trusted_proxies)


def _living(service: Service) -> int:
    """How many nodes there are to share a limit with."""
    return 1 if service.watch is None else max(1, sum(n.alive for n in service.watch.latest))


async def _write_times(store: Store) -> None:
    try:
        await store.atimes.write()
    except StoreError as error:
        _log.warning("when objects were last used cannot be written: %s", error)


def _audit(options: NodeOptions) -> AuditLog | None:
    if options.audit == "off":
        return None
    return AuditLog(options.audit_file, everything=options.audit == "all")


def _local(options: NodeOptions) -> dict[str, Any]:
    """AIStore's local configuration: what belongs to this node's process."""
    port = str(options.port)
    return {
        "confdir": str(options.data),
        "log_dir": str(options.data / "log"),
        "host_net": {
            "hostname": options.host,
            "hostname_intra_control": options.host,
            "hostname_intra_data": options.host,
            "port": port,
            "port_intra_control": port,
            "port_intra_data": port,
        },
        "fspaths": {str(path): "" for path in options.mountpaths},
        "test_fspaths": {"root": "", "count": 0, "instance": 0},
    }


def _stop_node() -> None:
    """Have the supervisor end the node in order, once whoever asked for it has heard so: a reply
    that is not on its way when the signal comes may be lost."""
    asyncio.get_running_loop().call_later(REPLY_SECONDS, os.kill, os.getppid(), signal.SIGTERM)
