"""The native endpoint that a pull reads: pages of rows, asked bodies, and who gets them."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from aisle.namespace.transfer.items import BucketItem, Item, NoteItem, ObjectItem, PartItem
from tests.harness import Node, Reply
from tests.namespace.support import run
from tests.native.support import act, message
from tests.people import new_user
from tests.transfer.support import reader_of


def items_of(reply: Reply) -> tuple[list[tuple[Item, bytes]], bytes]:
    """The items of a stream with their bodies, and where the next page begins."""

    async def work() -> tuple[list[tuple[Item, bytes]], bytes]:
        reader = reader_of(reply.body)
        await reader.begin()
        found = []
        async for item in reader.items():
            body = b""
            if isinstance(item, ObjectItem | PartItem):
                while piece := await item.body.read(1 << 20):
                    body += piece
            found.append((item, body))
        return found, reader.end.after

    return run(work())


def pages(node: Node) -> Iterator[list[Item]]:
    token = ""
    while True:
        reply = act(node, "GET", "/v1/export" + (f"?after={token}" if token else ""))
        assert reply.status == 200
        assert reply.headers["content-type"] == "application/x-aisle-export"
        found, after = items_of(reply)
        yield [item for item, _ in found]
        if not after:
            return
        token = base64.urlsafe_b64encode(after).decode().rstrip("=")


def asked(bucket: str, **value: Any) -> dict[str, Any]:
    return {"bucket": bucket, "provider": "ais", "namespace": "", **value}


def test_pages_tell_every_object_once(node: Node, s3: Any, bucket: str) -> None:
    keys = [f"{number:04d}" for number in range(1010)]
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    told: list[str] = []
    here = ""
    for page in pages(node):
        for item in page:
            if isinstance(item, BucketItem):
                here = item.bucket.name
            elif isinstance(item, ObjectItem) and here == bucket:
                told.append(item.key.decode())
    assert told == keys


def test_what_is_asked_for_comes_with_its_bytes(node: Node, s3: Any, bucket: str) -> None:
    for key in ("a", "b\n", "ü"):
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode() * 3)
    where = {"Bucket": bucket, "Key": "up"}
    upload = s3.create_multipart_upload(**where)["UploadId"]
    for number in (1, 2, 3):
        s3.upload_part(**where, UploadId=upload, PartNumber=number, Body=b"part%d" % number)
    value = asked(
        bucket,
        objects=["b\n", "absent", "ü"],
        uploads=[
            {"key": "up", "id": upload, "parts": [1, 3, 9]},
            {"key": "other", "id": upload, "parts": [1]},
        ],
    )
    reply = act(node, "POST", "/v1/export", "export", value)
    assert reply.headers["transfer-encoding"] == "chunked"
    found, _ = items_of(reply)
    assert [
        (item.key if isinstance(item, ObjectItem) else item.record.number, body)
        for item, body in found
        if isinstance(item, ObjectItem | PartItem)
    ] == [
        (b"b\n", b"b\n" * 3),
        ("ü".encode(), "ü".encode() * 3),
        (1, b"part1"),
        (3, b"part3"),
    ]


def test_a_body_may_begin_at_an_offset(node: Node, s3: Any, bucket: str) -> None:
    data = bytes(range(256)) * 8000
    s3.put_object(Bucket=bucket, Key="a", Body=data)
    for offset in (0, 1, 1 << 20, len(data) - 1):
        value = asked(bucket, objects=["a"], offset=offset)
        found, _ = items_of(act(node, "POST", "/v1/export", "export", value))
        assert found[-1][1] == data[offset:]


def test_versions_come_by_their_places(node: Node, s3: Any, bucket: str) -> None:
    switched = {"Status": "Enabled"}
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=switched)
    large = bytes(range(256)) * 8000
    for body in (large, b"second"):
        s3.put_object(Bucket=bucket, Key="a", Body=body)
    s3.delete_object(Bucket=bucket, Key="a")
    told: list[tuple[int, bool]] = []
    here = ""
    for page in pages(node):
        for item in page:
            if isinstance(item, BucketItem):
                here = item.bucket.name
            elif isinstance(item, ObjectItem) and here == bucket:
                assert item.version
                told.append((item.record.seq, item.record.marker))
    assert told == [(3, True), (2, False), (1, False)]
    wanted = [{"key": "a", "seq": seq} for seq in (3, 1, 2, 9)] + [{"key": "b", "seq": 1}]
    found, _ = items_of(act(node, "POST", "/v1/export", "export", asked(bucket, versions=wanted)))
    came = [(item.record.seq, body) for item, body in found if isinstance(item, ObjectItem)]
    assert came == [(3, b""), (1, large), (2, b"second")]
    value = asked(bucket, versions=[{"key": "a", "seq": 1}], offset=1 << 20)
    found, _ = items_of(act(node, "POST", "/v1/export", "export", value))
    assert found[-1][1] == large[1 << 20 :]
    for seq in (0, -1, 1 << 63):
        value = asked(bucket, versions=[{"key": "a", "seq": seq}])
        assert act(node, "POST", "/v1/export", "export", value).status == 400


def test_nothing_comes_of_a_bucket_that_is_gone(node: Node) -> None:
    reply = act(node, "POST", "/v1/export", "export", asked("gone", objects=["a"]))
    assert reply.status == 200
    assert items_of(reply) == ([], b"")


@pytest.mark.parametrize("token", ["%3F", "AAAA", "gA", "AZE"])
def test_a_place_that_is_none_is_refused(node: Node, token: str) -> None:
    reply = act(node, "GET", f"/v1/export?after={token}")
    assert reply.status == 400
    assert "after is not a place" in message(reply)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "missing required field"),
        ({"bucket": "abc"}, "missing required field"),
        (asked("abc", objects="a"), "Expected `array`"),
        (asked("abc", uploads=[{"key": "a", "id": "zz", "parts": [1]}]), "non-hexadecimal"),
        (asked("abc", uploads=[{"key": "a", "id": "00", "parts": [1 << 16]}]), "up to 1000"),
        (asked("abc", uploads=[{"key": "a", "id": "00", "parts": [0]}]), "up to 1000"),
        (asked("abc", objects=["a"] * 1001), "up to 1000"),
        (asked("abc", objects=["a", "b"], offset=1), "goes with one"),
        (asked("abc", objects=["a"], offset=-1), "goes with one"),
    ],
)
def test_what_cannot_be_asked_is_refused(node: Node, value: Any, text: str) -> None:
    reply = act(node, "POST", "/v1/export", "export", value)
    assert reply.status == 400
    assert text in message(reply)


@pytest.mark.parametrize(("method", "action"), [("GET", ""), ("POST", "export")])
def test_a_stranger_hears_nothing(node: Node, method: str, action: str) -> None:
    value = asked("abc", objects=["a"]) if action else None
    assert act(node, method, "/v1/export", action, value, signed=False).status == 401
    wrong = act(node, method, "/v1/export", action, value, secret_key="not the secret key")
    assert wrong.status in (401, 403)


@pytest.mark.parametrize(("method", "action"), [("GET", ""), ("POST", "export")])
def test_only_an_administrator_gets_what_others_own(node: Node, method: str, action: str) -> None:
    """The rows of users are among it, with their secrets."""
    value = asked("abc", objects=["a"]) if action else None
    people = {name: new_user(node, f"{name}-{uuid.uuid4().hex[:8]}") for name in ("plain", "boss")}
    body = json.dumps({"id": people["boss"].name, "roles": [{"name": "Admin"}]}).encode()
    target = f"/v1/users/{people['boss'].name}"
    assert node.send("PUT", target, body=body).status == 200
    try:
        told = {
            name: act(node, method, "/v1/export", action, value, **person.signing).status
            for name, person in people.items()
        }
    finally:
        for person in people.values():
            assert node.send("DELETE", f"/v1/users/{person.name}").status == 200
    assert told == {"plain": 403, "boss": 200}


def test_annotations_are_told_and_come_with_their_texts(node: Node, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="a", Body=b"x")
    for name in ("one", "two"):
        s3.put_object_annotation(
            Bucket=bucket, Key="a", AnnotationName=name, AnnotationPayload=name.encode() * 3
        )
    told = [item for page in pages(node) for item in page if isinstance(item, NoteItem)]
    here = [item for item in told if item.key == b"a" and item.name in (b"one", b"two")][-2:]
    assert [item.text for item in here] == [b"", b""]
    names = [{"key": "a", "seq": item.seq, "name": item.name.decode()} for item in here]
    absent = {"key": "a", "seq": here[0].seq, "name": "three"}
    value = asked(bucket, notes=[*names, absent])
    found, _ = items_of(act(node, "POST", "/v1/export", "export", value))
    texts = {item.name: item.text for item, _ in found if isinstance(item, NoteItem)}
    assert texts == {b"one": b"oneoneone", b"two": b"twotwotwo"}
    value["notes"][0]["seq"] = -1
    assert act(node, "POST", "/v1/export", "export", value).status == 400
