"""The composition root: the one place that names concrete engines and puts the house together.

`open_app` is called in every worker process after the fork; nothing is open before it. Which
engines serve is decided here and nowhere else.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import logging
import os
import sys
import uuid
from contextlib import suppress
from itertools import count

import msgspec

from aisle.api.base import Account, Service
from aisle.api.native import dialect as native
from aisle.api.s3 import dialect as s3
from aisle.app.asgi import App
from aisle.auth.credentials import Credential
from aisle.core import features
from aisle.core.errors import ConfigError, RowChanged, StoreError
from aisle.namespace import housekeeping
from aisle.namespace.store import RETRIES, Store, store_id
from aisle.node.logs import AccessLog
from aisle.node.options import NodeOptions
from aisle.store.base import ABSENT, Check, Index, Put
from aisle.store.epoch import Epoch
from aisle.store.files import Durability, FileBlobs
from aisle.store.sqlite import SqliteIndex

_log = logging.getLogger("aisle.node")

ROOT = "root"
# Between two looks at garbage, and how many of them make a round through uploads and parts.
TIDY_SECONDS = 30.0
TIDY_EVERY = 20
# How soon a change of the cluster's settings by another process is in force here.
FOLLOW_SECONDS = 0.5
# The commit thread and the event loop share the interpreter: at the default of 5 ms a commit waits
# that long for each turn beside a busy loop (docs/decisions/002).
SWITCH_SECONDS = 0.001


def open_app(options: NodeOptions, epoch: Epoch | None = None) -> App:
    """The ASGI application of one worker; `epoch` is shared by all workers of the node."""
    worker = Worker(options, epoch)
    return App(s3=s3, native=native, startup=worker.start, shutdown=worker.stop, log=worker.log)


class Worker:
    """What one worker process holds open between its start and its stop."""

    def __init__(self, options: NodeOptions, epoch: Epoch | None) -> None:
        self._options = options
        self._epoch = epoch
        self._id = uuid.uuid4().bytes
        self._tasks: list[asyncio.Task[None]] = []
        self._store: Store | None = None
        self.log = AccessLog(options.log_format) if options.access_log else None

    async def start(self) -> Service:
        """Open the engines. Raises `ConfigError` and `StoreError`."""
        options = self._options
        sys.setswitchinterval(SWITCH_SECONDS)
        durability: Durability = "relaxed" if options.durability == "relaxed" else "strict"
        index = SqliteIndex.open(
            options.data / "index.db", durability=durability, epoch=self._epoch
        )
        blobs = FileBlobs.mount(
            options.mountpaths, store=await store_id(index), durability=durability
        )
        await check_mountpaths(index, blobs, forget=options.forget_mountpath)
        store = self._store = Store(index, blobs)
        root = Credential(options.root_access_key, options.root_secret_key, ROOT)

        def lookup(access_key: str) -> Credential | None:
            return root if access_key == root.access_key and root.access_key else None

        service = Service(
            store=store,
            lookup=lookup,
            auth_enabled=options.auth_enabled,
            owner=Account(hashlib.sha256(b"aisle user root").hexdigest(), ROOT),
            region=options.region,
            domains=options.domains,
        )
        self._tasks.append(asyncio.create_task(self._follow(service)))
        self._tasks.append(asyncio.create_task(self._housekeep(store)))
        return service

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        if self._store is not None:
            await self._store.blobs.close()
            await self._store.index.close()
        if self.log is not None:
            await asyncio.to_thread(self.log.close)

    async def _follow(self, service: Service) -> None:
        """Keep what the service holds of the cluster's settings up to date."""
        while True:
            try:
                mask = await service.store.setting("features")
                service.root_api = bool(int(mask) & features.S3_VIA_ROOT)
            except StoreError as error:
                _log.warning("the cluster's settings cannot be read: %s", error)
            await asyncio.sleep(FOLLOW_SECONDS)

    async def _housekeep(self, store: Store) -> None:
        """Tidy and sweep at intervals, in whichever worker of the node holds the lock."""
        lock = os.open(self._options.data / "housekeeper.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            for turn in count():
                await asyncio.sleep(TIDY_SECONDS)
                try:
                    await housekeeping.announce(store, self._id)
                    if _try_lock(lock):
                        await _keep_house(store, whole=turn % TIDY_EVERY == 0)
                except StoreError as error:
                    _log.warning("housekeeping was cut short: %s", error)
                except Exception:
                    # A bug in one round must not end all that would follow.
                    _log.exception("housekeeping failed")
        finally:
            os.close(lock)


async def _keep_house(store: Store, *, whole: bool) -> None:
    """One round: garbage, with `whole` also uploads and parts, and the sweep when it is due."""
    if not whole:
        grace = await store.duration("space.garbage_grace")
        await housekeeping.collect_garbage(store, grace=grace)
        return
    await housekeeping.tidy(store)
    row = await store.index.get("config", b"swept")
    last = int.from_bytes(row, "big") if row is not None else 0
    if store.now() - last > await store.duration("space.sweep_interval"):
        await store.index.commit(Put("config", b"swept", store.now().to_bytes(8, "big")))
        await housekeeping.sweep(store)


async def check_mountpaths(index: Index, blobs: FileBlobs, *, forget: bool) -> None:
    """Refuse to start without a mountpath that held data: a disk that is not mounted looks like
    an empty directory. Raises `ConfigError`."""
    present = sorted(mountpath.ident.hex() for mountpath in blobs.mountpaths)
    for _ in range(RETRIES):
        row = await index.get("config", b"mountpaths")
        known: list[str] = msgspec.json.decode(row, type=list[str]) if row else []
        missing = sorted(set(known) - set(present))
        if missing and not forget:
            raise ConfigError(
                f"{len(missing)} of the {len(known)} mountpaths that hold this node's data are"
                " missing or empty: mount and name them, or start once with --forget-mountpath to"
                " give up what is on them"
            )
        if known == present:
            return
        with suppress(RowChanged):
            check = Check("config", b"mountpaths", ABSENT if row is None else row)
            await index.commit(check, Put("config", b"mountpaths", msgspec.json.encode(present)))


def _try_lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
