"""Failures under load: one gateway, disk, database or link at a time, while everybody works.

After each of them nothing that was acknowledged is missing, no answer contradicts another, errors
were clean and only where and while something was broken, and service resumes by itself.
`AISLE_CHAOS_ROUNDS` runs the whole round several times.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.cluster.connection import Trouble
from tests.cluster.site import Allowed, Site, gone, judge, seed_of_today, unavailable

pytestmark = pytest.mark.parametrize("turn", range(int(os.environ.get("AISLE_CHAOS_ROUNDS", "1"))))

QUIET = 1.5
# From here on a holder of a lease is no longer believed: see aisle.jobs.leases.
LEASE_SECONDS = 10.0


def endure(
    site: Site,
    hurt: Callable[[], None],
    heal: Callable[[], None],
    *,
    doors: Allowed,
    seconds: float = 4.0,
    writers: int = 0,
) -> list[Trouble]:
    """Break something under load and repair it; only `doors` may be in trouble meanwhile, and the
    other ones go on. Returns the trouble that there was."""
    seed, record, probes = seed_of_today(), site.record(), site.record()
    others = [gateway for gateway in site.gateways if gateway.name not in doors]
    with site.load(record, seed, writers=writers):
        time.sleep(QUIET)
        began = time.monotonic()
        hurt()
        for gateway in others:
            site.wait_for_door(gateway, probes.bucket, site.cluster)
        time.sleep(max(0.0, began + seconds - time.monotonic()))
        heal()
        site.wait_serving(site.cluster)
        resumed = time.monotonic()
        time.sleep(QUIET)
    told = site.cluster.log_tail(15)
    judge(record, seed=seed, began=began, resumed=resumed, doors=doors, told=told)
    return record.troubles


def test_nothing_goes_wrong_while_nothing_is_broken(site: Site, turn: int) -> None:
    endure(site, lambda: None, lambda: None, doors={})


def test_a_gateway_is_killed(site: Site, turn: int) -> None:
    victim = site.gateways[turn % 3]
    endure(site, victim.kill, lambda: ignore(victim.start()), doors=gone(victim))


def test_an_osd_is_killed(site: Site, turn: int) -> None:
    endure(
        site,
        lambda: site.ceph.kill_osd(turn % 3),
        lambda: site.ceph.start_osd(turn % 3),
        doors=unavailable(*site.gateways),
    )


def test_an_osd_hangs(site: Site, turn: int) -> None:
    endure(
        site,
        lambda: site.ceph.pause_osd((turn + 1) % 3),
        lambda: site.ceph.resume_osd((turn + 1) % 3),
        doors=unavailable(*site.gateways),
        seconds=8.0,
    )


def test_the_database_is_killed(site: Site, turn: int) -> None:
    """Again and again: what matters are the commits that are just under way."""

    def kill_and_restart() -> None:
        for _ in range(4):
            site.kill_index()
            site.restart_index()
            time.sleep(0.8)

    allowed = unavailable(*site.gateways)
    endure(site, kill_and_restart, lambda: None, doors=allowed, seconds=0, writers=10)


def test_the_database_is_gone_for_longer_than_anybody_waits(site: Site, turn: int) -> None:
    """Clients are told so, with a 503 and when to come back."""
    troubles = endure(
        site,
        site.kill_index,
        site.restart_index,
        doors=unavailable(*site.gateways),
        seconds=14.0,
    )
    assert {trouble.kind for trouble in troubles} >= {"unavailable"}


def test_the_database_hangs(site: Site, turn: int) -> None:
    endure(
        site,
        site.postgres.pause,
        site.postgres.resume,
        doors=unavailable(*site.gateways),
        seconds=6.0,
    )


def test_a_gateway_is_cut_off_from_the_engines(site: Site, turn: int) -> None:
    victim = site.gateways[(turn + 1) % 3]
    endure(
        site,
        lambda: site.cut(victim),
        lambda: site.mend(victim),
        doors=unavailable(victim),
        seconds=8.0,
    )


def test_the_primary_stands_still_for_longer_than_its_lease(site: Site, turn: int) -> None:
    victim = site.primary()
    endure(
        site,
        lambda: site.pause(victim),
        lambda: site.resume(victim),
        doors=unavailable(victim),
        seconds=LEASE_SECONDS + 4,
    )
    others = [gateway for gateway in site.gateways if gateway is not victim]
    heirs = {site.primary(asked).name for asked in site.gateways}
    assert len(heirs) == 1
    assert heirs <= {gateway.name for gateway in others}


@pytest.mark.parametrize("seconds", [0.1, 0.5, 2.0])
def test_a_gateway_that_stood_still_believes_nothing_of_before(
    site: Site, turn: int, seconds: float
) -> None:
    """Its first request after that is answered from what is so now."""
    victim, other = site.gateways[turn % 3], site.gateways[(turn + 1) % 3]
    bucket = f"slept-{uuid.uuid4().hex[:8]}"
    assert victim.send("PUT", f"/{bucket}").status == 200
    for round_ in range(3):
        body = f"before {round_}".encode()
        assert victim.send("PUT", f"/{bucket}/k", body=body).status == 200
        assert victim.send("GET", f"/{bucket}/k").body == body
        site.pause(victim)
        for method, target in (("DELETE", "/k"), ("DELETE", ""), ("PUT", ""), ("PUT", "/k")):
            sent = b"after" if target and method == "PUT" else b""
            assert other.send(method, f"/{bucket}{target}", body=sent).status in (200, 204)
        with ThreadPoolExecutor() as pool:
            asked = pool.submit(victim.send, "GET", f"/{bucket}/k")
            time.sleep(seconds)
            site.resume(victim)
            assert asked.result().body == b"after"


def ignore(_: object) -> None:
    """For a call whose result is of no interest."""
