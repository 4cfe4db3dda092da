"""Gateways whose clocks are minutes apart: nobody is harmed by it.

Time that is compared between gateways is the store's. One gateway here is seven minutes ahead, one
behind, one right: together more than the grace of garbage, less than what S3 allows clients.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest

from tests.cluster.cluster import Cluster, Seat, wait_until
from tests.cluster.site import Site, judge, seed_of_today
from tests.harness import presign
from tests.wire.support import ago

OFFSETS = ("", "+7m", "-7m")
# The library itself: the command `faketime` would stand between the node and its signals. The
# steady clock is nobody's to set, also not on a machine whose time is wrong.
SKEW = {
    "LD_PRELOAD": next(map(str, Path("/usr/lib").glob("*/faketime/libfaketime.so.1")), ""),
    "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    "DONT_FAKE_MONOTONIC": "1",
}
# Housekeeping looks at garbage every 30 seconds, and a lease is given up after 10.
ROUND_SECONDS = 34.0
TOLERANCE = 5.0


@pytest.fixture(scope="module")
def skewed(running_site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    directory: Path = tmp_path_factory.mktemp("skewed")
    assert SKEW["LD_PRELOAD"], "libfaketime is not installed: run scripts/services"
    seats = [Seat(environment={**SKEW, "FAKETIME": offset} if offset else {}) for offset in OFFSETS]
    cluster = Cluster(directory / "cluster", running_site.engines(), seats=seats)
    cluster.start()
    yield cluster
    # Not in order: under the library that skews clocks a sleep of a millisecond, which stopping
    # takes many of, now and then ends with EINVAL.
    cluster.kill()


def test_the_clocks_do_differ(skewed: Cluster) -> None:
    """The HTTP server's Date comes from the machine: otherwise the tests below would show
    nothing."""
    replies = [gateway.send("GET", "/v1/health", signed=False) for gateway in skewed.gateways]
    right, ahead, behind = (
        parsedate_to_datetime(reply.headers["date"]).timestamp() for reply in replies
    )
    assert ahead - right > 400
    assert right - behind > 400


def test_signatures_of_the_right_time_are_accepted_and_expired_ones_refused(
    skewed: Cluster,
) -> None:
    assert skewed.send("PUT", "/signed").status == 200
    assert skewed.send("PUT", "/signed/k", body=b"x").status == 200
    for gateway in skewed.gateways:
        host = gateway.host
        assert gateway.send("GET", "/signed/k").status == 200
        assert gateway.send("GET", "/signed/k", at=ago(minutes=13)).status == 200
        assert gateway.send("GET", "/signed/k", at=ago(minutes=-13)).status == 200
        assert gateway.send("GET", "/signed/k", at=ago(minutes=17)).code == "RequestTimeTooSkewed"
        fresh = presign("GET", "/signed/k", host=host, expires=60)
        assert gateway.send("GET", fresh, signed=False).status == 200
        stale = presign("GET", "/signed/k", host=host, expires=60, at=ago(minutes=2))
        assert gateway.send("GET", stale, signed=False).status == 403


def test_times_of_objects_are_right_and_do_not_run_backwards(skewed: Cluster) -> None:
    assert skewed.send("PUT", "/dated").status == 200
    last = 0.0
    for turn in range(9):
        gateway = skewed.gateways[turn % 3]
        assert gateway.send("PUT", "/dated/k", body=b"x").status == 200
        reply = skewed.gateways[(turn + 1) % 3].send("HEAD", "/dated/k")
        told = parsedate_to_datetime(reply.headers["last-modified"]).timestamp()
        assert abs(told - time.time()) < TOLERANCE, gateway.name
        assert told >= last
        last = told
        unchanged = {"If-Modified-Since": reply.headers["last-modified"]}
        assert gateway.send("GET", "/dated/k", headers=unchanged).status == 304


def test_clients_of_all_of_them_see_one_store(site: Site, skewed: Cluster) -> None:
    seed, record = seed_of_today(), site.record(skewed)
    with site.load(record, seed):
        time.sleep(4)
    moment = time.monotonic()
    judge(record, seed=seed, began=moment, resumed=moment, doors={})


def test_leases_hold_and_garbage_and_uploads_are_kept_for_their_time(
    site: Site, skewed: Cluster
) -> None:
    """None of the three, whichever keeps house, takes what has just been given up for old."""
    config = "space.garbage_grace=5m&multipart.expiry=5m"
    assert skewed.send("PUT", f"/v1/cluster/set-config?{config}").status == 200
    assert skewed.send("PUT", "/kept").status == 200
    before = set(site.ceph.objects(site.pool))
    uploads = []
    for number, gateway in enumerate(skewed.gateways):
        target = f"/kept/{number}"
        assert gateway.send("PUT", target, body=os.urandom(300_000)).status == 200
        begun = gateway.send("POST", f"{target}?uploads")
        uploads.append(f"{target}?uploadId={begun.xml.findtext('UploadId')}")
    blobs = set(site.ceph.objects(site.pool)) - before
    assert len(blobs) >= 3
    for number, gateway in enumerate(skewed.gateways):
        assert gateway.send("DELETE", f"/kept/{number}").status == 204
    wait_until(lambda: skewed.primary() is not None, "there is a primary", told=skewed.log_tail)
    primary = skewed.primary()
    assert primary is not None
    names = sorted(f"p{gateway.name}" for gateway in skewed.gateways)
    deadline = time.monotonic() + ROUND_SECONDS
    while time.monotonic() < deadline:
        for gateway in skewed.gateways:
            told = skewed.smap(gateway)
            assert sorted(told["pmap"]) == names
            assert told["proxy_si"]["daemon_id"] == f"p{primary.name}"
        time.sleep(1)
    assert blobs <= set(site.ceph.objects(site.pool))
    for upload in uploads:
        assert skewed.send("GET", upload).status == 200
