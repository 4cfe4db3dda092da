"""Renaming a bucket over the native API: move-bck and the job behind it."""

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.harness import Node
from tests.native.support import act, ended, listed, message, put


@pytest.fixture
def new(node: Node) -> Iterator[str]:
    """A name that no bucket has; what has it in the end is destroyed."""
    name = f"native-{uuid.uuid4().hex[:12]}"
    yield name
    for space in ("", "%23ns"):
        target = f"/v1/buckets/{name}?namespace={space}"
        assert act(node, "DELETE", target, "destroy-bck").status in (200, 404)


def test_a_bucket_moves_with_all_that_is_in_it(node: Node, bucket: str, new: str, s3: Any) -> None:
    put(node, bucket, "key", b"body")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
    reply = act(node, "POST", f"/v1/buckets/{bucket}?bck_to=ais%2F%40%23%2F{new}%2F", "move-bck")
    assert reply.status == 200
    assert ended(node, reply.body.decode())["err"] == ""
    assert act(node, "HEAD", f"/v1/buckets/{bucket}").status == 404
    assert [entry["name"] for entry in listed(node, new)["entries"]] == ["key"]
    assert node.send("GET", f"/v1/objects/{new}/key").body == b"body"
    there = s3.list_multipart_uploads(Bucket=new)["Uploads"]
    assert [one["UploadId"] for one in there] == [upload]


def test_a_bucket_moves_into_a_namespace(node: Node, bucket: str, new: str, s3: Any) -> None:
    put(node, bucket, "key", b"body")
    reply = act(node, "POST", f"/v1/buckets/{bucket}?bck_to=ais%2F%40%23ns%2F{new}%2F", "move-bck")
    assert ended(node, reply.body.decode())["err"] == ""
    assert node.send("GET", f"/v1/objects/{new}/key?namespace=%23ns").body == b"body"
    assert node.send("GET", f"/v1/objects/{new}/key").status == 404


def test_a_name_that_is_taken_is_a_conflict(node: Node, bucket: str, new: str) -> None:
    act(node, "POST", f"/v1/buckets/{new}", "create-bck")
    reply = act(node, "POST", f"/v1/buckets/{bucket}?bck_to=ais%2F%40%23%2F{new}%2F", "move-bck")
    assert (reply.status, message(reply)) == (409, f'bucket "ais://{new}" already exists')
    assert act(node, "HEAD", f"/v1/buckets/{bucket}").status == 200


@pytest.mark.parametrize(
    ("target", "status", "text"),
    [
        ("", 400, "needs bck_to"),
        ("?bck_to=xyz", 400, "does not name a bucket"),
        ("?bck_to=ais%2F%40%23%2Fa%20b%2F", 400, "bucket name"),
        ("?bck_to=nope%2F%40%23%2Fxyz%2F", 400, "invalid backend provider"),
        ("?bck_to=aws%2F%40%23%2Fxyz%2F", 400, "that is a remote bucket"),
        ("?bck_to=ais%2F%40uuid%23%2Fxyz%2F", 400, "that is a remote bucket"),
        ("?bck_to=ais%2F%40%23%2F{own}%2F", 400, "has that name already"),
    ],
)
def test_what_is_no_new_name_is_refused(
    node: Node, bucket: str, target: str, status: int, text: str
) -> None:
    reply = act(node, "POST", f"/v1/buckets/{bucket}{target.format(own=bucket)}", "move-bck")
    assert (reply.status, text in message(reply)) == (status, True)
    assert act(node, "HEAD", f"/v1/buckets/{bucket}").status == 200


def test_a_bucket_that_is_not_there_cannot_move(node: Node, new: str) -> None:
    reply = act(node, "POST", f"/v1/buckets/none-{new}?bck_to=ais%2F%40%23%2F{new}%2F", "move-bck")
    assert (reply.status, message(reply)) == (404, f'bucket "ais://none-{new}" does not exist')


def test_of_two_moves_to_one_name_one_is_done(node: Node, bucket: str, new: str) -> None:
    """The other is refused, at once or by its job."""
    other = f"{new}-2"
    assert act(node, "POST", f"/v1/buckets/{other}", "create-bck").status == 200
    target = f"?bck_to=ais%2F%40%23%2F{new}%2F"
    replies = [
        act(node, "POST", f"/v1/buckets/{name}{target}", "move-bck") for name in (bucket, other)
    ]
    failed = [
        reply.status == 409 or ended(node, reply.body.decode())["err"] != "" for reply in replies
    ]
    there = [act(node, "HEAD", f"/v1/buckets/{name}").status == 200 for name in (bucket, other)]
    assert failed == there
    assert sorted(failed) == [False, True]
    assert act(node, "DELETE", f"/v1/buckets/{other}", "destroy-bck").status in (200, 404)


def test_a_bucket_with_a_policy_that_names_it_is_not_moved(
    node: Node, s3: Any, bucket: str
) -> None:
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject"}
    resource = {"Resource": f"arn:aws:s3:::{bucket}/*"}
    s3.put_bucket_policy(
        Bucket=bucket, Policy=json.dumps({"Statement": [{**statement, **resource}]})
    )
    target = f"/v1/buckets/{bucket}?bck_to=ais%2F%40%23%2F{bucket}2%2F"
    reply = act(node, "POST", target, "move-bck")
    assert reply.status == 400
    assert "has a policy that names it" in message(reply)
    assert s3.head_bucket(Bucket=bucket)["ResponseMetadata"]["HTTPStatusCode"] == 200
