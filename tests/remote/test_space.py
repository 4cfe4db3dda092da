"""A node on a small disk of its own in front of another one: eviction, and what a full one does."""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import empty_and_remove
from tests.crash.conftest import Disk
from tests.harness import Node, Reply
from tests.remote.conftest import CREDENTIALS
from tests.remote.windows import Remote, make_window

MIB = 1 << 20
OBJECT = 2 * MIB
PATIENCE = 60.0


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """96 MiB of memory as a disk."""
    disk = Disk(tmp_path / "disk", "-t", "tmpfs", "-o", "size=96m", "tmpfs")
    yield disk
    disk.unmount()


@pytest.fixture
def small(disk: Disk, origin: Node) -> Iterator[Node]:
    environment = {**CREDENTIALS, "S3_ENDPOINT": origin.root}
    node = Node(disk.path / "data", auth=False, workers=1, environment=environment).start()
    yield node
    assert node.stop() == 0, node.log_tail()


@pytest.fixture
def window(small: Node, there: Any) -> Iterator[Callable[..., Remote]]:
    made: list[Remote] = []

    def make(name: str, count: int, **props: object) -> Remote:
        there.create_bucket(Bucket=name)
        remote = make_window(small, there, name, props)
        made.append(remote)
        for number in range(count):
            remote.put_there(f"{number:02d}", body(number))
        return remote

    yield make
    for remote in made:
        empty_and_remove(there, remote.name)


def body(number: int) -> bytes:
    return bytes([number]) * OBJECT


def configure(node: Node, **values: object) -> None:
    told = {name.replace("__", "."): value for name, value in values.items()}
    data = json.dumps({"action": "set-config", "value": told}).encode()
    reply = node.send("PUT", "/v1/cluster", body=data)
    assert reply.status == 200, reply.body


def put(node: Node, bucket: str, key: str, data: bytes) -> Reply:
    return node.send("PUT", f"/s3/{bucket}/{key}", body=data)


def percent(node: Node) -> float:
    told = json.loads(node.send("GET", "/v1/daemon?what=stats").body)["capacity"]
    used, free = int(told["total_used"]), int(told["total_avail"])
    return used * 100 / (used + free)


def jobs(node: Node, kind: str) -> list[dict[str, Any]]:
    data = json.dumps({"Kind": kind}).encode()
    told = json.loads(node.send("GET", "/v1/cluster?what=qryxstats", body=data).body)
    return [snap for snaps in told.values() for snap in snaps]


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.05)


def test_what_was_used_longest_ago_is_evicted_down_to_the_low_watermark(
    small: Node, window: Callable[..., Remote], there: Any
) -> None:
    configure(
        small, space__cleanupwm=30, space__lowwm=40, space__highwm=60, space__out_of_space=95,
        space__garbage_grace="1s", lru__capacity_upd_time="1s",
    )  # fmt: skip
    remote = window("space-lru", 40, **{"lru.dont_evict_time": "0"})
    stays = window("space-stays", 2, **{"lru.enabled": False})
    assert small.send("PUT", "/s3/space-own").status == 200
    assert put(small, "space-own", "own", body(7)).status == 200
    for number in range(2):
        assert stays.get(f"{number:02d}").body == body(number)
    for number in range(40):  # more than the disk has room for
        assert remote.get(f"{number:02d}").body == body(number)
        if number == 32:
            until(lambda: bool(jobs(small, "lru")))
    until(lambda: percent(small) < 60)
    until(lambda: all(snap["is_idle"] for snap in jobs(small, "lru")))
    ran = jobs(small, "lru")
    assert sum(int(snap["stats"]["loc-objs"]) for snap in ran) >= 10
    assert not any(snap["aborted"] for snap in ran)
    told = json.loads(small.send("GET", "/v1/daemon?what=stats").body)["tracker"]
    counted = {name: int(told[name]["v"]) for name in ("get.cold.n", "lru.evict.n")}
    gone = sum(int(snap["stats"]["loc-objs"]) for snap in ran)
    assert counted == {"get.cold.n": 42, "lru.evict.n": gone}
    assert "ais_target_lru_evict_count{" in small.send("GET", "/v1/metrics").body.decode()
    kept = remote.cached()
    assert kept == sorted(kept)
    assert 5 <= len(kept) < 35
    assert kept == [f"{number:02d}" for number in range(40)][-len(kept) :]  # the latest ones
    assert stays.cached() == ["00", "01"]
    assert small.send("GET", "/s3/space-own/own").body == body(7)
    assert len(there.list_objects_v2(Bucket=remote.name)["Contents"]) == 40
    assert remote.get("00").body == body(0)
    assert percent(small) > 20  # no more went than had to


def test_many_readers_at_once_have_everything_and_fill_no_disk(
    small: Node, window: Callable[..., Remote]
) -> None:
    configure(
        small, space__cleanupwm=30, space__lowwm=40, space__highwm=60, space__out_of_space=80,
        space__garbage_grace="1s", lru__capacity_upd_time="1s",
    )  # fmt: skip
    remote = window("space-many", 60, **{"lru.dont_evict_time": "0"})
    order = [number for _ in range(3) for number in random.sample(range(60), 60)]
    with ThreadPoolExecutor(8) as pool:
        replies = pool.map(lambda number: (number, remote.get(f"{number:02d}")), order)
        assert all(reply.body == body(number) for number, reply in replies)
    until(lambda: percent(small) < 60)
    until(lambda: all(snap["is_idle"] for snap in jobs(small, "lru")))

    def agree() -> bool:
        """Whether what is told is what the disk says, and what is listed has its bytes there."""
        found = os.statvfs(small.data)
        used = (found.f_blocks - found.f_bfree) * found.f_frsize
        near = abs(percent(small) - used * 100 / (96 * MIB)) < 2
        return near and 0 < len(remote.cached()) * OBJECT <= used

    until(agree)


def test_a_full_disk_takes_nothing_in_and_serves_everything(
    small: Node, disk: Disk, window: Callable[..., Remote]
) -> None:
    remote = window("space-full", 3)
    assert small.send("PUT", "/s3/space-rest").status == 200
    assert put(small, "space-rest", "kept", b"kept").status == 200
    assert remote.get("00").body == body(0)
    filler: Path = disk.path / "filler"
    free = 96 * MIB - int(percent(small) / 100 * 96 * MIB)
    filler.write_bytes(bytes(free - 4 * MIB))
    try:
        until(lambda: put(small, "space-rest", "new", b"x").status == 507)
        refused = put(small, "space-rest", "new", b"x" * MIB)
        assert (refused.status, refused.code) == (507, "InsufficientStorage")
        assert refused.headers.get("retry-after") is None
        reply = small.send("PUT", "/v1/objects/space-rest/new?provider=ais", body=b"x")
        assert reply.status == 507
        assert "out of space" in json.loads(reply.body)["message"]
        assert put(small, remote.name, "new", b"x").status == 507
        assert small.send("GET", "/s3/space-rest/kept").body == b"kept"
        assert remote.get("00").body == body(0)
        assert remote.get("01").body == body(1)  # streamed, and not kept
        assert remote.cached() == ["00"]
        reply = remote.native(
            "POST", action={"action": "prefetch-listrange", "value": {"template": "02"}}
        )
        job = reply.body.decode()
        until(
            lambda: any(s["id"] == job and s["is_idle"] for s in jobs(small, "prefetch-listrange"))
        )
        [snap] = [s for s in jobs(small, "prefetch-listrange") if s["id"] == job]
        assert "out of space" in snap["abort-err"]
        assert small.send("DELETE", "/s3/space-rest/kept").status == 204
    finally:
        filler.unlink()
    assert put(small, "space-rest", "new", b"x").status == 200
    assert remote.get("01").body == body(1)
    assert remote.cached() == ["00", "01"]
