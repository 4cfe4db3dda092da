"""Versions as the native API sees them: the switch is a property, listings show current objects,
deletes leave markers, jobs and renames keep what is below, and a destroyed bucket keeps nothing."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.harness import Node
from tests.native.support import act, ended, message, names, props, put, wait
from tests.wire.support import refused


def set_props(node: Node, bucket: str, value: dict[str, Any]) -> None:
    reply = act(node, "PATCH", f"/v1/buckets/{bucket}?provider=ais", "set-bprops", value)
    assert reply.status == 200, reply.body


@pytest.fixture
def versioned(node: Node, bucket: str) -> str:
    set_props(node, bucket, {"versioning": {"enabled": True}})
    return bucket


@pytest.fixture
def new(node: Node) -> Iterator[str]:
    """A name that no bucket has; what has it in the end is destroyed."""
    name = f"native-{uuid.uuid4().hex[:12]}"
    yield name
    act(node, "DELETE", f"/v1/buckets/{name}", "destroy-bck")


def versions(s3: Any, bucket: str, key: str) -> list[str]:
    """The version ids of a key, with those of markers in brackets."""
    page = s3.list_object_versions(Bucket=bucket, Prefix=key)
    found = [(each["LastModified"], each["VersionId"]) for each in page.get("Versions", [])]
    return [version for _, version in found] + [
        f"({each['VersionId']})" for each in page.get("DeleteMarkers", [])
    ]


def test_the_property_and_the_status_are_one_switch(node: Node, s3: Any, bucket: str) -> None:
    assert props(node, bucket)["versioning"]["enabled"] is False
    set_props(node, bucket, {"versioning": {"enabled": True}})
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    set_props(node, bucket, {"versioning": {"enabled": False}})
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Suspended"
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    assert props(node, bucket)["versioning"]["enabled"] is True
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    assert props(node, bucket)["versioning"]["enabled"] is False
    assert act(node, "PATCH", f"/v1/buckets/{bucket}", "reset-bprops").status == 200
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Suspended"


def test_a_switch_that_was_never_on_stays_unset(node: Node, s3: Any, bucket: str) -> None:
    set_props(node, bucket, {"versioning": {"enabled": False}})
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)


def test_a_bucket_is_made_with_versions(node: Node, s3: Any, new: str) -> None:
    value = {"versioning": {"enabled": True}}
    assert act(node, "POST", f"/v1/buckets/{new}", "create-bck", value).status == 200
    assert s3.get_bucket_versioning(Bucket=new)["Status"] == "Enabled"


def test_native_writes_are_versions_and_deletes_leave_markers(
    node: Node, s3: Any, versioned: str
) -> None:
    for body in (b"one", b"second"):
        assert put(node, versioned, "k", body).status == 200
    new, old = versions(s3, versioned, "k")
    assert act(node, "DELETE", f"/v1/objects/{versioned}/k").status == 200
    assert names(node, versioned) == []
    assert node.send("GET", f"/v1/objects/{versioned}/k").status == 404
    assert node.send("HEAD", f"/v1/objects/{versioned}/k").status == 404
    reply = s3.get_object(Bucket=versioned, Key="k", VersionId=old)
    assert reply["Body"].read() == b"one"
    *kept, marker = versions(s3, versioned, "k")
    assert kept == [new, old]
    # What is not there is not found, and leaves no marker on top of the other.
    for key in ("k", "never"):
        reply = act(node, "DELETE", f"/v1/objects/{versioned}/{key}")
        assert (reply.status, "does not exist" in message(reply)) == (404, True)
    assert versions(s3, versioned, "k") == [new, old, marker]
    assert versions(s3, versioned, "never") == []
    s3.delete_object(Bucket=versioned, Key="k", VersionId=marker.strip("()"))
    assert node.send("GET", f"/v1/objects/{versioned}/k").body == b"second"


def test_a_job_that_deletes_leaves_one_marker_each(node: Node, s3: Any, versioned: str) -> None:
    for key in ("a", "b"):
        put(node, versioned, key, b"1")
    value = {"objnames": ["a", "b"]}
    for _ in range(2):
        wait(node, act(node, "DELETE", f"/v1/buckets/{versioned}", "delete-listrange", value))
    assert names(node, versioned) == []
    for key in ("a", "b"):
        kept, marker = versions(s3, versioned, key)
        assert marker.startswith("(")
        assert s3.get_object(Bucket=versioned, Key=key, VersionId=kept)["Body"].read() == b"1"


def test_a_copy_takes_current_objects_and_a_sync_leaves_markers(
    node: Node, s3: Any, versioned: str, new: str
) -> None:
    for body in (b"one", b"second"):
        put(node, versioned, "k", body)
    put(node, versioned, "gone", b"1")

    def copy() -> None:
        target = f"/v1/buckets/{versioned}?provider=ais&bck_to=ais%2F%40%23%2F{new}%2F"
        wait(node, act(node, "POST", target, "copy-bck", {"synchronize": True}))

    copy()
    assert names(node, new) == ["gone", "k"]
    assert s3.get_bucket_versioning(Bucket=new)["Status"] == "Enabled"  # made like the source
    assert len(versions(s3, new, "k")) == 1
    s3.delete_object(Bucket=versioned, Key="gone")
    for _ in range(2):
        copy()
    assert names(node, new) == ["k"]
    kept, marker = versions(s3, new, "gone")
    assert marker.startswith("(")
    assert s3.get_object(Bucket=new, Key="gone", VersionId=kept)["Body"].read() == b"1"


def test_a_bucket_moves_with_its_versions(node: Node, s3: Any, versioned: str, new: str) -> None:
    for body in (b"one", b"second"):
        put(node, versioned, "k", body)
    s3.delete_object(Bucket=versioned, Key="k")
    before = versions(s3, versioned, "k")
    reply = act(node, "POST", f"/v1/buckets/{versioned}?bck_to=ais%2F%40%23%2F{new}%2F", "move-bck")
    assert ended(node, reply.body.decode())["err"] == ""
    assert versions(s3, new, "k") == before
    assert s3.get_object(Bucket=new, Key="k", VersionId=before[1])["Body"].read() == b"one"
    assert s3.get_bucket_versioning(Bucket=new)["Status"] == "Enabled"


def test_an_object_moves_and_its_versions_stay(node: Node, s3: Any, versioned: str) -> None:
    put(node, versioned, "k", b"one")
    [old] = versions(s3, versioned, "k")
    body = json.dumps({"action": "rename", "name": "to", "value": None}).encode()
    reply = node.send(
        "POST", f"/v1/objects/{versioned}/k", body=body,
        unsigned_headers={"Content-Length": str(len(body))},
    )  # fmt: skip
    assert reply.status == 200, reply.body
    assert names(node, versioned) == ["to"]
    assert s3.get_object(Bucket=versioned, Key="k", VersionId=old)["Body"].read() == b"one"


def test_a_destroyed_bucket_keeps_nothing(node: Node, s3: Any, new: str) -> None:
    act(node, "POST", f"/v1/buckets/{new}", "create-bck", {"versioning": {"enabled": True}})
    for body in (b"one", b"second"):
        put(node, new, "k", body)
    s3.delete_object(Bucket=new, Key="k")
    with refused(409, "BucketNotEmpty"):
        s3.delete_bucket(Bucket=new)
    assert act(node, "DELETE", f"/v1/buckets/{new}", "destroy-bck").status == 200
    act(node, "POST", f"/v1/buckets/{new}", "create-bck")
    assert s3.list_object_versions(Bucket=new).get("Versions", []) == []


def test_a_summary_counts_the_room_of_former_versions(node: Node, s3: Any, versioned: str) -> None:
    put(node, versioned, "k", b"x" * 1000)
    put(node, versioned, "k", b"y" * 10)
    put(node, versioned, "gone", b"z" * 500)
    s3.delete_object(Bucket=versioned, Key="gone")
    job = act(node, "GET", f"/v1/buckets/{versioned}?provider=ais", "summary-bck", {})
    while job.status == 202:
        value = {"uuid": job.body.decode().strip('"')}
        job = act(node, "GET", f"/v1/buckets/{versioned}?provider=ais", "summary-bck", value)
    [found] = json.loads(job.body)
    assert found["ObjCount"]["obj_count_present"] == "1"
    assert found["TotalSize"]["size_all_present_objs"] == "10"
    assert found["TotalSize"]["size_on_disk"] == "1510"
