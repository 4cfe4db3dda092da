"""Replication to another endpoint: into the bucket behind a window."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.harness import Node
from tests.remote.windows import Remote
from tests.servers.faults import Fault, FaultProxy
from tests.wire.test_bucket_replication import remove, replicate, rule, status, until, versioned


@pytest.fixture
def source(here: Any) -> Iterator[str]:
    """A versioned bucket of the node under test."""
    name = versioned(here, f"from-{uuid.uuid4().hex[:12]}")
    yield name
    remove(here, name)


@pytest.fixture
def target(window: Callable[..., Remote]) -> Remote:
    """A window on a bucket at the origin."""
    return window("to")


def test_objects_arrive_at_the_remote_bucket_and_are_not_kept_by_the_window(
    here: Any, source: str, target: Remote
) -> None:
    replicate(here, source, rule(target.name))
    described = {"ContentType": "text/plain", "Metadata": {"a": "b"}, "CacheControl": "no-store"}
    here.put_object(Bucket=source, Key="k/ü", Body=b"bytes", **described)
    until(lambda: status(here, source, "k/ü") == "COMPLETED")
    found = target.there.get_object(Bucket=target.name, Key="k/ü")
    assert found["Body"].read() == b"bytes"
    assert (found["ContentType"], found["Metadata"]) == ("text/plain", {"a": "b"})
    assert (found["CacheControl"], found["ReplicationStatus"]) == ("no-store", "REPLICA")
    assert target.cached() == []


def test_parts_stay_parts_so_that_etags_agree(here: Any, source: str, target: Remote) -> None:
    replicate(here, source, rule(target.name))
    upload = here.create_multipart_upload(Bucket=source, Key="large")["UploadId"]
    parts = []
    for number, size in enumerate((6 << 20, 5 << 20, 100), start=1):
        reply = here.upload_part(
            Bucket=source,
            Key="large",
            UploadId=upload,
            PartNumber=number,
            Body=bytes([number]) * size,
        )
        parts.append({"PartNumber": number, "ETag": reply["ETag"]})
    done = here.complete_multipart_upload(
        Bucket=source, Key="large", UploadId=upload, MultipartUpload={"Parts": parts}
    )
    until(lambda: status(here, source, "large") == "COMPLETED")
    assert target.there.head_object(Bucket=target.name, Key="large")["ETag"] == done["ETag"]


def test_a_copy_that_the_window_has_is_dropped(here: Any, source: str, target: Remote) -> None:
    target.put_there("k", b"old")
    assert target.get("k").body == b"old"
    replicate(here, source, rule(target.name))
    here.put_object(Bucket=source, Key="k", Body=b"new")
    until(lambda: status(here, source, "k") == "COMPLETED")
    assert target.get("k").body == b"new"


def test_what_fails_is_tried_again_in_order(
    here: Any, source: str, target: Remote, faults: FaultProxy
) -> None:
    replicate(here, source, rule(target.name))
    faults.add(Fault("PUT", status=503, times=6))
    here.put_object(Bucket=source, Key="k", Body=b"first")
    here.put_object(Bucket=source, Key="k", Body=b"second")
    until(lambda: status(here, source, "k") == "COMPLETED", seconds=40)
    assert target.get_there("k") == b"second"


def test_deletes_go_to_the_remote_bucket_where_the_rule_says_so(
    here: Any, source: str, target: Remote
) -> None:
    replicate(here, source, rule(target.name, DeleteMarkerReplication={"Status": "Enabled"}))
    here.put_object(Bucket=source, Key="k", Body=b"1")
    until(lambda: status(here, source, "k") == "COMPLETED")
    here.delete_object(Bucket=source, Key="k")
    until(lambda: target.there.list_objects_v2(Bucket=target.name)["KeyCount"] == 0)


def test_replication_goes_on_after_a_restart(
    cache: Node, here: Any, source: str, target: Remote, faults: FaultProxy
) -> None:
    replicate(here, source, rule(target.name))
    faults.add(Fault("PUT", status=503, times=1000))
    for number in range(20):
        here.put_object(Bucket=source, Key=f"k{number}", Body=b"%d" % number)
    cache.kill()
    faults.reset()
    cache.start()
    again = cache.client()
    until(lambda: status(again, source, "k19") == "COMPLETED", seconds=60)
    until(lambda: target.there.list_objects_v2(Bucket=target.name)["KeyCount"] == 20, seconds=60)
