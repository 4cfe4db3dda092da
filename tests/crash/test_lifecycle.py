"""Lifecycle rules on a real node, with days of a few seconds: what is due goes, even if the worker
that removes it is killed in the middle; what is not due, or was written again, stays.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.crash.test_jobs import Site, until
from tests.harness import Node, children, is_gone

MANY = 2000
VERSIONED = 100
DAY = 2.0
ALL: dict[str, Any] = {"Filter": {"Prefix": ""}, "Status": "Enabled"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A node whose days last two seconds, and that applies rules only when it is told to."""
    data = tmp_path_factory.mktemp("lifecycle") / "data"
    node = Node(data, auth=False, workers=2).start()
    made = Site(node)
    settings = {"lifecycle.day": f"{DAY:.0f}s", "lifecycle.interval": "0"}
    for name, value in settings.items():
        made.act("PUT", f"/v1/cluster/set-config?{name}={value}")
    yield made
    node.kill()


def fill(s3: Any, bucket: str, keys: list[str], body: bytes = b"x") -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: s3.put_object(Bucket=bucket, Key=key, Body=body), keys))


def put_rules(s3: Any, bucket: str, *rules: dict[str, Any]) -> None:
    told = {"Rules": list(rules)}
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration=told)


def start(site: Site, bucket: str) -> str:
    value = {"Kind": "lifecycle", "Buckets": [{"name": bucket, "provider": "ais"}]}
    return site.act("PUT", "/v1/cluster", "start", value).body.decode()


def names(s3: Any, bucket: str) -> set[str]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return {entry["Key"] for page in pages for entry in page.get("Contents", [])}


def kill_worker(site: Site, job: str) -> int:
    """Kill the process that does a job, once it has begun."""
    until(lambda: bool(site.processes(job)))
    (first,) = site.processes(job)
    assert first in children(site.node.pid)
    os.kill(first, signal.SIGKILL)
    until(lambda: is_gone(first))
    return first


def finish(site: Site, job: str) -> None:
    until(lambda: site.is_over(job))
    assert (site.snap(job)["aborted"], site.snap(job)["abort-err"]) == (False, "")


def test_what_is_due_goes_though_the_worker_is_killed_and_what_is_written_again_stays(
    site: Site,
) -> None:
    s3 = site.node.client()
    s3.create_bucket(Bucket="many")
    keys = [f"old/{number:05}" for number in range(MANY)]
    fill(s3, "many", keys)
    fill(s3, "many", ["kept/1", "kept/2"])
    time.sleep(DAY)
    put_rules(s3, "many", {**ALL, "ID": "old", "Filter": {"Prefix": "old/"},
                           "Expiration": {"Days": 1}})  # fmt: skip
    again, stop = list[str](), threading.Event()

    def write_again() -> None:
        """The same bytes, from the last key on, while the job comes from the first."""
        client = site.node.client()
        for key in reversed(keys):
            if stop.is_set():
                return
            client.put_object(Bucket="many", Key=key, Body=b"x")
            again.append(key)

    writer = threading.Thread(target=write_again)
    writer.start()
    try:
        job = start(site, "many")
        first = kill_worker(site, job)
        assert not site.is_over(job)
    finally:
        stop.set()
        writer.join()
    written = time.monotonic()
    finish(site, job)
    assert site.processes(job)[-1] != first
    left = names(s3, "many")
    assert left >= {"kept/1", "kept/2"}
    # By the time that the job was gone on with, what was written again may have been due again.
    if time.monotonic() - written < DAY / 2:
        assert left == {"kept/1", "kept/2", *again}
    else:
        assert left <= {"kept/1", "kept/2", *again}


def test_versions_go_in_their_order_and_leave_nothing_behind(site: Site) -> None:
    s3 = site.node.client()
    s3.create_bucket(Bucket="versioned")
    s3.put_bucket_versioning(Bucket="versioned", VersioningConfiguration={"Status": "Enabled"})
    keys = [f"{number:03}" for number in range(VERSIONED)]
    for body in (b"1", b"2", b"3"):
        fill(s3, "versioned", keys, body)
    upload = s3.create_multipart_upload(Bucket="versioned", Key="forgotten")["UploadId"]
    s3.upload_part(Bucket="versioned", Key="forgotten", UploadId=upload, PartNumber=1, Body=b"x")
    time.sleep(DAY)
    put_rules(s3, "versioned", {
        **ALL,
        "ID": "all",
        "Expiration": {"Days": 1},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 1, "NewerNoncurrentVersions": 1},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
    })  # fmt: skip
    job = start(site, "versioned")
    kill_worker(site, job)
    finish(site, job)
    assert names(s3, "versioned") == set()
    assert "Uploads" not in s3.list_multipart_uploads(Bucket="versioned")
    page = s3.list_object_versions(Bucket="versioned")
    assert len(page["DeleteMarkers"]) == VERSIONED
    assert {marker["IsLatest"] for marker in page["DeleteMarkers"]} == {True}
    # One former version stays of each; the first two may have been due together.
    bodies = {
        s3.get_object(Bucket="versioned", Key=each["Key"], VersionId=each["VersionId"])[
            "Body"
        ].read()
        for each in page["Versions"]
    }
    assert bodies <= {b"3", b"2"}
    assert b"3" in bodies
    put_rules(s3, "versioned", {
        **ALL,
        "ID": "all",
        "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
        "Expiration": {"ExpiredObjectDeleteMarker": True},
    })  # fmt: skip
    time.sleep(DAY * 1.5)
    for _ in range(2):
        finish(site, start(site, "versioned"))
    page = s3.list_object_versions(Bucket="versioned")
    assert "Versions" not in page
    assert "DeleteMarkers" not in page
    s3.delete_bucket(Bucket="versioned")


def test_a_node_that_was_killed_goes_on_when_it_is_back(site: Site) -> None:
    s3 = site.node.client()
    s3.create_bucket(Bucket="killed")
    fill(s3, "killed", [f"{number:05}" for number in range(MANY)])
    time.sleep(DAY)
    put_rules(s3, "killed", {**ALL, "ID": "all", "Expiration": {"Days": 1}})
    job = start(site, "killed")
    until(lambda: bool(site.processes(job)))
    site.node.kill()
    site.node.start()
    assert not site.is_over(job)
    finish(site, job)
    assert names(site.node.client(), "killed") == set()


def test_rules_are_applied_by_themselves(site: Site) -> None:
    s3 = site.node.client()
    s3.create_bucket(Bucket="alone")
    s3.put_object(Bucket="alone", Key="k", Body=b"x")
    put_rules(s3, "alone", {**ALL, "ID": "all", "Expiration": {"Days": 1}})
    site.act("PUT", "/v1/cluster/set-config?lifecycle.interval=1s")
    until(lambda: names(s3, "alone") == set())
