"""Listing a bucket over the native API: pages, prefixes, props, flags, JSON and msgpack."""

from typing import Any

import msgspec
import pytest

from tests.harness import Node
from tests.native.support import MSGPACK, act, listed, message, put

KEYS = ["a", "a/1", "a/2", "b/c/d", "b/e", "z", "é"]


@pytest.fixture
def filled(node: Node, bucket: str) -> str:
    for key in KEYS:
        assert put(node, bucket, key, key.encode()).status == 200
    return bucket


def names(page: dict[str, Any]) -> list[str]:
    return [entry["name"] for entry in page["entries"]]


def test_everything_in_order(node: Node, filled: str) -> None:
    page = listed(node, filled)
    assert names(page) == KEYS
    assert page["continuation_token"] == ""
    assert page["entries"][0] == {"name": "a", "size": 1, "flags": 64}


def test_an_empty_bucket(node: Node, bucket: str) -> None:
    assert listed(node, bucket)["entries"] == []


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
@pytest.mark.parametrize("flags", ["0", "2048"])
def test_pages_make_up_the_whole(node: Node, filled: str, size: int, flags: str) -> None:
    whole = names(listed(node, filled, flags=flags))
    found: list[str] = []
    token = uuid = ""
    while True:
        page = listed(node, filled, pagesize=size, continuation_token=token, uuid=uuid, flags=flags)
        assert len(page["entries"]) <= size
        assert page["uuid"]
        assert uuid in ("", page["uuid"])
        found += names(page)
        token, uuid = page["continuation_token"], page["uuid"]
        if not token:
            break
    assert found == whole


def test_a_prefix_and_a_beginning(node: Node, filled: str) -> None:
    assert names(listed(node, filled, prefix="a/")) == ["a/1", "a/2"]
    assert names(listed(node, filled, start_after="b/e")) == ["z", "é"]
    assert names(listed(node, filled, prefix="b", start_after="b/c/d")) == ["b/e"]


def test_one_level_has_directories_among_the_names(node: Node, filled: str) -> None:
    page = listed(node, filled, flags=str(1 << 11))
    assert names(page) == ["a", "a/", "b/", "z", "é"]
    assert [entry["flags"] for entry in page["entries"]] == [64, 256, 256, 64, 64]
    page = listed(node, filled, prefix="b/", flags=1 << 11)
    assert names(page) == ["b/c/", "b/e"]
    page = listed(node, filled, flags=1 << 11 | 1 << 13)
    assert names(page) == ["a", "z", "é"]


def test_only_the_props_asked_for_are_there(node: Node, filled: str, s3: Any) -> None:
    s3.put_object(Bucket=filled, Key="z", Body=b"zz", Metadata={"k": "v"})
    props = "name,size,checksum,atime,version,custom,copies"
    entry = listed(node, filled, prefix="z", props=props)["entries"][0]
    checksum = node.send("HEAD", f"/v1/objects/{filled}/z").headers["ais-checksum-value"]
    assert entry.pop("atime").endswith(" UTC")
    assert entry == {
        "name": "z",
        "size": 2,
        "checksum": checksum,
        "version": "2",
        "copies": 1,
        "custom-md": "map[ETag:25ed1bcb423b0b7200f485fc5ff71c8e k:v]",
    }
    assert listed(node, filled, prefix="z", props="name")["entries"] == [{"name": "z"}]
    assert listed(node, filled, prefix="z", flags="16")["entries"] == [{"name": "z"}]
    assert listed(node, filled, prefix="z", flags="32")["entries"] == [{"name": "z", "size": 2}]


def test_msgpack_has_the_fields_that_the_sdk_reads(node: Node, filled: str) -> None:
    reply = act(
        node,
        "GET",
        f"/v1/buckets/{filled}",
        "list",
        {"prefix": "a", "pagesize": 2},
        headers=MSGPACK,
    )
    assert reply.headers["content-type"] == "application/msgpack"
    page = msgspec.msgpack.decode(reply.body)
    assert set(page) == {"UUID", "ContinuationToken", "Flags", "Entries"}
    assert page["ContinuationToken"]
    assert page["Entries"] == [{"n": "a", "s": 1, "f": 64}, {"n": "a/1", "s": 3, "f": 64}]


@pytest.mark.parametrize("prop", ["target_url", "node"])
def test_a_location_may_be_asked_for_by_its_former_names(
    node: Node, filled: str, prop: str
) -> None:
    page = listed(node, filled, props=f"name,{prop}")
    assert page["entries"] == listed(node, filled, props="name,location")["entries"]
    assert all(entry["location"].startswith("t[") for entry in page["entries"])


def test_a_field_that_is_null_is_as_good_as_absent(node: Node, filled: str) -> None:
    fields = ("prefix", "pagesize", "props", "flags", "continuation_token", "start_after", "uuid")
    assert names(listed(node, filled, **dict.fromkeys(fields))) == KEYS


REMOTE_FLAGS = {
    "cached": 0,
    "missing": 1,
    "deleted": 2,
    "bck-present": 6,
    "dont-head-remote": 7,
    "dont-add-remote": 8,
    "only-remote-props": 10,
    "diff": 12,
    "is-s3": 14,
}


@pytest.mark.parametrize("bit", REMOTE_FLAGS.values(), ids=REMOTE_FLAGS)
def test_flags_of_remote_buckets_change_nothing(node: Node, filled: str, bit: int) -> None:
    page = listed(node, filled, flags=str(1 << bit), props="name,size,cached,status")
    assert names(page) == KEYS
    assert {entry["flags"] for entry in page["entries"]} == {64}


def test_what_is_not_cached_is_nothing(node: Node, filled: str) -> None:
    page = listed(node, filled, flags=str(1 << 9), pagesize=2)
    assert (page["entries"], page["continuation_token"]) == ([], "")


def test_an_object_of_parts_is_chunked_and_all_have_a_location(
    node: Node, bucket: str, s3: Any
) -> None:
    upload = s3.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
    etag = s3.upload_part(Bucket=bucket, Key="parts", UploadId=upload, PartNumber=1, Body=b"x")
    parts = [{"PartNumber": 1, "ETag": etag["ETag"]}]
    s3.complete_multipart_upload(
        Bucket=bucket, Key="parts", UploadId=upload, MultipartUpload={"Parts": parts}
    )
    put(node, bucket, "whole", b"x")
    found = listed(node, bucket, props="name,chunked,cached,location,ec,status")["entries"]
    assert [(entry["name"], entry["flags"]) for entry in found] == [
        ("parts", 1 << 13 | 1 << 6),
        ("whole", 1 << 6),
    ]
    assert all(entry["location"].startswith("t[") for entry in found)


def test_a_page_of_no_size_is_the_largest(node: Node, filled: str) -> None:
    assert names(listed(node, filled, pagesize="0")) == KEYS
    assert names(listed(node, filled, pagesize="20000")) == KEYS


def test_a_token_counts_for_more_than_a_beginning(node: Node, filled: str) -> None:
    token = listed(node, filled, pagesize=3)["continuation_token"]
    page = listed(node, filled, continuation_token=token, start_after="z")
    assert names(page) == KEYS[3:]


@pytest.mark.parametrize(
    ("value", "status"),
    [
        ({"props": "name,nonsense"}, 400),
        ({"pagesize": "many"}, 400),
        ({"pagesize": -1}, 400),
        ({"flags": "x"}, 400),
        ({"continuation_token": "!"}, 400),
        ({"prefix": 1}, 400),
        ([], 400),
        ({"flags": str(1 << 16)}, 400),
        ({"flags": str(1 << 15)}, 501),
    ],
)
def test_what_makes_no_sense_or_is_not_there_is_refused(
    node: Node, bucket: str, value: Any, status: int
) -> None:
    reply = act(node, "GET", f"/v1/buckets/{bucket}", "list", value)
    assert reply.status == status
    assert message(reply)
