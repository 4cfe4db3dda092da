"""Buckets over the native API: create, list, head, set and reset props, destroy."""

import json
import uuid
from typing import Any

import pytest

from tests.harness import Node
from tests.native.support import act, listed, message, props, put


def fresh() -> str:
    return f"native-{uuid.uuid4().hex[:12]}"


def test_a_bucket_is_created_listed_and_destroyed(node: Node) -> None:
    name = fresh()
    target = f"/v1/buckets/{name}?provider=ais"
    assert act(node, "POST", target, "create-bck", {}).status == 200
    found = json.loads(act(node, "GET", "/v1/buckets?provider=ais", "list").body)
    assert {"name": name, "provider": "ais", "namespace": {"uuid": "", "name": ""}} in found
    assert act(node, "DELETE", target, "destroy-bck").status == 200
    found = json.loads(act(node, "GET", "/v1/buckets").body)
    assert name not in [row["name"] for row in found]


def test_both_apis_see_the_same_bucket(node: Node, s3: Any) -> None:
    name = fresh()
    act(node, "POST", f"/v1/buckets/{name}", "create-bck")
    s3.put_object(Bucket=name, Key="x", Body=b"1", Metadata={"a": "b"})
    assert [entry["name"] for entry in listed(node, name)["entries"]] == ["x"]
    s3.delete_object(Bucket=name, Key="x")
    s3.delete_bucket(Bucket=name)
    assert act(node, "HEAD", f"/v1/buckets/{name}").status == 404


def test_a_name_is_taken_once(node: Node, bucket: str) -> None:
    reply = act(node, "POST", f"/v1/buckets/{bucket}", "create-bck")
    assert reply.status == 409
    assert message(reply) == f'bucket "ais://{bucket}" already exists'


def test_other_providers_have_no_buckets(node: Node, bucket: str) -> None:
    assert json.loads(act(node, "GET", "/v1/buckets?provider=aws&presence=2", "list").body) == []
    reply = act(node, "DELETE", f"/v1/buckets/{bucket}?provider=s3", "destroy-bck")
    assert (reply.status, message(reply)) == (404, f'bucket "aws://{bucket}" does not exist')
    reply = act(node, "POST", f"/v1/buckets/{fresh()}?provider=oc", "create-bck")
    assert (reply.status, message(reply)) == (400, 'there is no backend "oci" here')
    reply = act(node, "GET", "/v1/buckets?provider=nope", "list")
    assert (reply.status, message(reply)) == (400, 'invalid backend provider "nope"')


@pytest.mark.parametrize("name", ["a%20b", "..", "%FF", "a%00b", "x" * 65, "s3"])
def test_a_bad_name_is_a_bad_request(node: Node, name: str) -> None:
    reply = act(node, "POST", f"/v1/buckets/{name}", "create-bck")
    assert reply.status == 400
    assert "bucket name" in message(reply)


def test_a_bucket_may_be_created_with_props(node: Node) -> None:
    name = fresh()
    value = {"checksum": {"type": "sha256"}, "features": "512"}
    assert act(node, "POST", f"/v1/buckets/{name}", "create-bck", value).status == 200
    assert props(node, name)["checksum"]["type"] == "sha256"
    assert props(node, name)["features"] == "512"
    assert act(node, "DELETE", f"/v1/buckets/{name}", "destroy-bck").status == 200


def test_props_may_be_flat_or_nested_or_both(node: Node) -> None:
    name = fresh()
    value = {"checksum.type": "md5", "mirror": {"copies": "3"}, "backend_bck": {"name": ""}}
    assert act(node, "POST", f"/v1/buckets/{name}", "create-bck", value).status == 200
    found = props(node, name)
    assert (found["checksum"]["type"], found["mirror"]["copies"]) == ("md5", 3)
    assert act(node, "DELETE", f"/v1/buckets/{name}", "destroy-bck").status == 200


@pytest.mark.parametrize(
    ("value", "status", "text"),
    [
        ({"backend_bck": "ais://xyz"}, 400, "ais://xyz is no remote bucket"),
        ({"backend_bck": {"name": "xyz", "provider": "ais"}}, 400, "ais://xyz is no remote"),
        ({"backend_bck.name": "xyz", "backend_bck.provider": "oc"}, 400, 'no backend "oci" here'),
        ({"backend_bck": "ais://a b"}, 400, "bucket name"),
        ({"backend_bck": "nope://xyz"}, 400, 'invalid backend provider "nope"'),
        ({"backend_bck": {"name": 1}}, 400, "backend_bck is not a bucket"),
        ({"backend_bck": {"name": "xyz", "provider": ["aws"]}}, 400, "backend_bck is not a bucket"),
    ],
)
def test_what_cannot_stand_behind_a_bucket_does_not(
    node: Node, bucket: str, value: Any, status: int, text: str
) -> None:
    reply = act(node, "PATCH", f"/v1/buckets/{bucket}", "set-bprops", value)
    assert (reply.status, text in message(reply)) == (status, True)
    name = fresh()
    assert act(node, "POST", f"/v1/buckets/{name}", "create-bck", value).status == status
    assert act(node, "HEAD", f"/v1/buckets/{name}").status == 404


@pytest.mark.parametrize("value", ["none", "", {"name": "", "provider": ""}, {}])
def test_no_bucket_may_be_said_to_stand_behind_another(node: Node, bucket: str, value: Any) -> None:
    target = f"/v1/buckets/{bucket}"
    assert act(node, "PATCH", target, "set-bprops", {"backend_bck": value}).status == 200
    assert props(node, bucket)["backend_bck"]["name"] == ""


def test_props_have_the_structure_of_aistore(node: Node, bucket: str) -> None:
    found = props(node, bucket)
    sections = {
        "write_policy": {"data", "md"},
        "versioning": {"enabled", "validate_warm_get", "synchronize"},
        "lru": {"enabled", "dont_evict_time", "capacity_upd_time", "batch_size"},
        "mirror": {"enabled", "copies", "burst_buffer"},
        "chunks": {
            "objsize_limit", "max_monolithic_size", "chunk_size", "checkpoint_every", "flags"
        },
        "rate_limit": {"backend", "frontend"},
        "extra": {"aws", "gcp", "oci", "custom"},
    }  # fmt: skip
    for section, names in sections.items():
        assert names <= set(found[section]), section
    assert set(found["rate_limit"]["backend"]) == {
        "num_retries", "interval", "per_op_max_tokens", "max_tokens", "enabled"
    }  # fmt: skip


@pytest.mark.parametrize(
    "value", [{"checksum": {"type": "rot13"}}, {"nonsense": 1}, ["checksum.type"], "x"]
)
def test_props_that_make_no_sense_create_nothing(node: Node, value: Any) -> None:
    name = fresh()
    assert act(node, "POST", f"/v1/buckets/{name}", "create-bck", value).status == 400
    assert act(node, "HEAD", f"/v1/buckets/{name}").status == 404


def test_props_are_nested_and_large_numbers_are_text(node: Node, bucket: str) -> None:
    found = props(node, bucket)
    assert found["provider"] == "ais"
    assert found["backend_bck"]["name"] == ""
    assert found["checksum"]["type"] == "xxhash"
    assert found["lru"]["enabled"] is False
    assert found["ec"]["objsize_limit"] == 262144
    for name in ("access", "features", "bid", "created"):
        assert found[name].isdigit()


def test_props_are_set_one_by_one(node: Node, bucket: str) -> None:
    target = f"/v1/buckets/{bucket}"
    assert act(node, "PATCH", target, "set-bprops", {"checksum": {"type": "md5"}}).status == 200
    assert act(node, "PATCH", target, "set-bprops", {"mirror.copies": "3"}).status == 200
    found = props(node, bucket)
    assert found["checksum"]["type"] == "md5"
    assert found["mirror"]["copies"] == 3
    assert act(node, "PATCH", target, "reset-bprops").status == 200
    assert props(node, bucket)["checksum"]["type"] == "xxhash"
    assert props(node, bucket)["mirror"]["copies"] == 2


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"checksum": {"type": "rot13"}}, "expected one of"),
        ({"checksum": {"kind": "md5"}}, "no setting 'checksum.kind'"),
        ({"net": {"http": {"use_https": True}}}, "no setting 'net.http.use_https'"),
        ({}, "nothing to set"),
        (None, "nothing to set"),
    ],
)
def test_props_that_make_no_sense_change_nothing(
    node: Node, bucket: str, value: Any, text: str
) -> None:
    before = props(node, bucket)
    reply = act(node, "PATCH", f"/v1/buckets/{bucket}", "set-bprops", value)
    assert reply.status == 400
    assert text in message(reply)
    assert props(node, bucket) == before


def test_the_checksum_type_counts_for_objects_written_from_then_on(node: Node, bucket: str) -> None:
    put(node, bucket, "before", b"x")
    act(node, "PATCH", f"/v1/buckets/{bucket}", "set-bprops", {"checksum": {"type": "md5"}})
    put(node, bucket, "after", b"x")
    kinds = {
        key: node.send("HEAD", f"/v1/objects/{bucket}/{key}").headers["ais-checksum-type"]
        for key in ("before", "after")
    }
    assert kinds == {"before": "xxhash", "after": "md5"}


def test_destroying_takes_objects_and_uploads_along(node: Node, s3: Any) -> None:
    name = fresh()
    act(node, "POST", f"/v1/buckets/{name}", "create-bck")
    for number in range(20):
        put(node, name, f"dir/{number}", b"x" * (number * 10_000))
    s3.create_multipart_upload(Bucket=name, Key="unfinished")
    assert act(node, "DELETE", f"/v1/buckets/{name}", "destroy-bck").status == 200
    reply = act(node, "GET", f"/v1/buckets/{name}", "list")
    assert (reply.status, message(reply)) == (404, f'bucket "ais://{name}" does not exist')
    act(node, "POST", f"/v1/buckets/{name}", "create-bck")
    assert listed(node, name)["entries"] == []
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=name)
    act(node, "DELETE", f"/v1/buckets/{name}", "destroy-bck")


def test_destroying_what_is_not_there_is_not_found(node: Node) -> None:
    name = fresh()
    reply = act(node, "DELETE", f"/v1/buckets/{name}", "destroy-bck")
    assert (reply.status, message(reply)) == (404, f'bucket "ais://{name}" does not exist')


def test_a_delete_without_the_action_destroys_nothing(node: Node, bucket: str) -> None:
    assert act(node, "DELETE", f"/v1/buckets/{bucket}").status == 400
    assert act(node, "HEAD", f"/v1/buckets/{bucket}").status == 200
