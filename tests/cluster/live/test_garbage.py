"""Garbage is collected by one gateway for all, whichever lives, and never under a reader."""

from __future__ import annotations

import http.client
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager

from tests.cluster.cluster import wait_until
from tests.cluster.site import RESUME_SECONDS, Site, gone, judge, seed_of_today
from tests.harness import sign

# Five times the grace that the test sets, and as many rounds of the housekeeper.
READ_SECONDS = 10.0


@contextmanager
def grace(site: Site, value: str) -> Iterator[None]:
    """Another grace for garbage, for a while."""
    setting = "/v1/cluster/set-config?space.garbage_grace="
    assert site.cluster.send("PUT", setting + value).status == 200
    try:
        yield
    finally:
        assert site.cluster.send("PUT", setting + "10m").status == 200


def test_another_gateway_keeps_house_when_the_primary_is_killed(site: Site) -> None:
    """Garbage of before and after the kill is collected by whoever takes over."""
    victim = site.primary()
    others = [gateway for gateway in site.gateways if gateway is not victim]
    live = set(site.ceph.objects(site.pool))
    bucket = f"garbage-{uuid.uuid4().hex[:8]}"
    assert site.cluster.send("PUT", f"/{bucket}").status == 200
    for number in range(6):
        target = f"/{bucket}/{number}"
        assert others[0].send("PUT", target, body=os.urandom(300_000)).status == 200
    garbage = set(site.ceph.objects(site.pool)) - live
    assert len(garbage) >= 6
    for number in range(3):
        assert others[0].send("DELETE", f"/{bucket}/{number}").status == 204
    seed, record = seed_of_today(), site.record()
    with grace(site, "5s"), site.load(record, seed):
        began = time.monotonic()
        victim.kill()
        for number in range(3, 6):
            assert others[1].send("DELETE", f"/{bucket}/{number}").status == 204
        wait_until(
            lambda: site.cluster.primary(others[0]) in others,
            "another gateway is the primary",
            seconds=RESUME_SECONDS,
            told=lambda: f"{site.cluster.smap(others[0])}\n{site.cluster.log_tail()}",
        )
        wait_until(
            lambda: not garbage & set(site.ceph.objects(site.pool)),
            "the garbage is collected",
            seconds=RESUME_SECONDS,
            told=site.cluster.log_tail,
        )
        victim.start()
        site.wait_serving(site.cluster)
        resumed = time.monotonic()
    judge(record, seed=seed, began=began, resumed=resumed, doors=gone(victim))


def test_garbage_that_a_slow_reader_needs_is_kept(site: Site) -> None:
    """A client reads for several times the grace what others have replaced, through a gateway that
    does not keep house itself. Nothing that it may need goes before it has ended."""
    keeper = site.primary()
    reader = next(gateway for gateway in site.gateways if gateway is not keeper)
    body = os.urandom(48 << 20)
    bucket = f"slow-{uuid.uuid4().hex[:8]}"
    with grace(site, "2s"):
        assert keeper.send("PUT", f"/{bucket}").status == 200
        before = set(site.ceph.objects(site.pool))
        assert keeper.send("PUT", f"/{bucket}/read", body=body).status == 200
        needed = set(site.ceph.objects(site.pool)) - before
        signed = sign("GET", f"/{bucket}/read", host=reader.host)
        connection = http.client.HTTPConnection(reader.address, reader.port, timeout=60)
        connection.request("GET", f"/{bucket}/read", headers=signed.headers)
        with closing(connection), connection.getresponse() as response:
            read = response.read(1 << 20)
            assert keeper.send("PUT", f"/{bucket}/read", body=b"replaced").status == 200
            time.sleep(READ_SECONDS)
            assert needed <= set(site.ceph.objects(site.pool))
            read += response.read()
        wait_until(
            lambda: not needed & set(site.ceph.objects(site.pool)),
            "it is collected once nobody reads it",
            seconds=RESUME_SECONDS,
            told=site.cluster.log_tail,
        )
    assert read == body
