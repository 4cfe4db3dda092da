"""Three gateways over PostgreSQL and Ceph in a network of their own, and what can be done to them.

Clients reach every gateway, and all of them through HAProxy. `heal` undoes whatever a test did.
"""

from __future__ import annotations

import os
import signal
import time
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from tests.cluster.checker import check
from tests.cluster.cluster import Cluster, Engines, Gateway, Seat, wait_until
from tests.cluster.connection import Door, Trouble, TroubleKind
from tests.cluster.history import NEVER
from tests.cluster.load import Load, Record, read_everything
from tests.cluster.network import Network
from tests.harness import Endpoint
from tests.servers.ceph import Ceph
from tests.servers.postgres import Postgres

PROXY: Final = "proxy"
CLIENTS: Final = 8
# Within which everything works again after it has been repaired. Generous: two cores run it all.
RESUME_SECONDS: Final = 90.0


def seed_of_today() -> int:
    """The seed of the clients' choices: `AISLE_CHAOS_SEED`, or a new one, which is printed."""
    seed = int(os.environ.get("AISLE_CHAOS_SEED", str(time.time_ns())))
    print(f"AISLE_CHAOS_SEED={seed}")
    return seed


class Site:
    """See the module. `start` and `stop` belong to one thread, which is inside the network."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._stack = ExitStack()
        self._stopped: set[str] = set()
        self._index_is_down = False
        self.network = Network()
        self.postgres = Postgres(fsync=True)
        self.ceph = Ceph()
        self.pool = ""
        self.cluster: Cluster

    def start(self) -> Site:
        with ExitStack() as stack:
            stack.enter_context(self.network)
            stack.callback(self.postgres.stop)
            self.postgres.start()
            self._admit_gateways()
            stack.callback(self.ceph.stop)
            self.ceph.start()
            self.pool = self.ceph.create_pool()
            self._places = [self.network.place() for _ in range(3)]
            seats = [Seat(place.address, place.prefix) for place in self._places]
            self.cluster = Cluster(self._directory / "cluster", self.engines(), seats=seats)
            stack.callback(self.cluster.kill)
            self.cluster.start()
            self._stack = stack.pop_all()
        return self

    def stop(self) -> None:
        try:
            self.heal()
            assert self.cluster.stop() == 0, self.cluster.log_tail()
        finally:
            self._stack.close()

    def engines(self) -> Engines:
        """A fresh store on the engines of the site."""
        blobs = f"rados://{self.pool}?conf={self.ceph.conf}"
        return Engines(("--index", self.postgres.create_database(), "--blobs", blobs))

    def _admit_gateways(self) -> None:
        rules = self.postgres.directory / "data" / "pg_hba.conf"
        with rules.open("a") as file:
            file.write("host all all 10.2.0.0/24 trust\n")
        self.postgres.sql("SELECT pg_reload_conf()")

    # --- what may happen ----------------------------------------------------------------------

    @property
    def gateways(self) -> list[Gateway]:
        return self.cluster.gateways

    def primary(self, asked: Gateway | None = None) -> Gateway:
        """The gateway that has the duty, as one tells; there is one before long."""
        found: list[Gateway] = []

        def known() -> bool:
            gateway = self.cluster.primary(asked)
            found.extend([gateway] if gateway is not None else [])
            return bool(found)

        wait_until(known, "there is a primary", told=self.cluster.log_tail)
        return found[0]

    def pause(self, gateway: Gateway) -> None:
        """Stop all its processes where they are."""
        os.killpg(gateway.pid, signal.SIGSTOP)
        self._stopped.add(gateway.name)

    def resume(self, gateway: Gateway) -> None:
        os.killpg(gateway.pid, signal.SIGCONT)
        self._stopped.discard(gateway.name)

    def cut(self, gateway: Gateway) -> None:
        """Part it from PostgreSQL and Ceph; clients still reach it."""
        self.network.cut(self._places[self.gateways.index(gateway)])

    def mend(self, gateway: Gateway) -> None:
        self.network.mend(self._places[self.gateways.index(gateway)])

    def kill_index(self) -> None:
        """`kill -9` every process of PostgreSQL."""
        self._index_is_down = True
        self.postgres.kill()

    def restart_index(self) -> None:
        self.postgres.restart()
        self._index_is_down = False

    def heal(self) -> None:
        """Whatever was killed, stopped or cut: all is well again when this returns."""
        for place in self._places:
            self.network.mend(place)
        self.postgres.resume()
        if self._index_is_down:
            self.restart_index()
        self.ceph.restore()
        for gateway in self.gateways:
            if gateway.name in self._stopped:
                self.resume(gateway)
            if not gateway.running:
                gateway.start()
        self.wait_serving(self.cluster)

    # --- clients ------------------------------------------------------------------------------

    def record(self, cluster: Cluster | None = None) -> Record:
        """A fresh bucket, and the history of what will be done there through every door."""
        cluster = cluster or self.cluster
        bucket = f"chaos-{uuid.uuid4().hex[:8]}"
        reply = cluster.send("PUT", f"/{bucket}")
        assert reply.status == 200, reply.body
        doors = [Door(each.name, each.address, each.port) for each in cluster.gateways]
        return Record(bucket, [*doors, Door(PROXY, cluster.address, cluster.port)])

    def load(self, record: Record, seed: int, *, writers: int = 0) -> Load:
        return Load(record, clients=CLIENTS, writers=writers, seed=seed)

    def wait_serving(self, cluster: Cluster) -> None:
        """Return once writing and reading works through every door."""
        bucket = f"probe-{uuid.uuid4().hex[:8]}"
        wait_until(
            lambda: _status(cluster.gateways[0], "PUT", f"/{bucket}") in (200, 409),
            "a bucket can be made",
            seconds=RESUME_SECONDS,
            told=cluster.log_tail,
        )
        for door in [*cluster.gateways, cluster]:
            self.wait_for_door(door, bucket, cluster)

    def wait_for_door(self, door: Endpoint, bucket: str, cluster: Cluster) -> None:
        """Return once an object that is put through a door can be got there."""
        body = os.urandom(100_000)
        wait_until(
            lambda: (
                _status(door, "PUT", f"/{bucket}/k", body) == 200
                and _status(door, "GET", f"/{bucket}/k") == 200
            ),
            f"{door.host} serves",
            seconds=RESUME_SECONDS,
            told=cluster.log_tail,
        )


Allowed = Mapping[str, Sequence[TroubleKind]]  # the kinds of trouble that a door may be in


def unavailable(*gateways: Gateway) -> Allowed:
    """These gateways may say that they cannot serve now, or break off what they had begun to send;
    the proxy passes that on, and may find that none wants requests: its own answer to that may be
    lost on a client that still sends."""
    return {
        PROXY: ("unavailable", "proxy", "lost", "cut"),
        **{each.name: ("unavailable", "cut") for each in gateways},
    }


def gone(gateway: Gateway) -> Allowed:
    """This gateway may be gone, also under a request, and come back."""
    return {PROXY: ("proxy", "lost", "cut"), gateway.name: ("refused", "lost", "cut")}


def _status(door: Endpoint, method: str, target: str, body: bytes = b"") -> int:
    """The status of one request, 0 if there was no reply."""
    try:
        return door.send(method, target, body=body, timeout=10).status
    except OSError:
        return 0


def judge(
    record: Record,
    *,
    seed: int,
    began: float,
    resumed: float,
    doors: Allowed,
    told: str = "",
) -> None:
    """Read everything; the history is right, and there was no trouble but between `began` and
    `resumed` and of the kinds that `doors` allows at a door."""
    read_everything(record, seed)
    print(summary(record, began, resumed))
    bad = [
        trouble
        for trouble in record.troubles
        if trouble.kind not in doors.get(trouble.door, ())
        or trouble.end < began
        or trouble.start > resumed
    ]
    assert not bad, f"{_show(bad, began)}\n(the failure lasted {resumed - began:.1f} s)\n{told}"
    violations = check(record.history)
    assert not violations, "\n\n".join(
        f"{violation}\ntrouble with the same key:\n{_about(record, violation.key, began)}"
        for violation in violations[:5]
    )


def _about(record: Record, key: str, began: float) -> str:
    return _show([each for each in record.troubles if f"/{key} " in f"{each.detail} "], began)


def summary(record: Record, began: float, resumed: float) -> str:
    """What was done, in how long at most, and how much trouble there was."""
    history = record.history
    done = Counter(each.outcome for each in history.operations)
    longest = max(each.end - each.start for each in history.operations if each.end != NEVER)
    troubles = Counter(f"{each.kind}@{each.door}" for each in record.troubles)
    slowest = max((each.end - each.start for each in record.troubles), default=0.0)
    return (
        f"{dict(done)}, {len(history.listings)} listings, {len(history.keys)} keys, the longest"
        f" {longest:.2f} s; {resumed - began:.1f} s of failure, {dict(troubles)}, the longest"
        f" {slowest:.2f} s"
    )


def _show(troubles: Sequence[Trouble], began: float) -> str:
    return "\n".join(
        f"{each.kind} at {each.door}, {each.start - began:+.2f}..{each.end - began:+.2f} s:"
        f" {each.detail}"
        for each in troubles[:8]
    ) + (f"\n... {len(troubles)} in all" if len(troubles) > 8 else "")
