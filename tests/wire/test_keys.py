"""Object keys: any UTF-8 of 1 to 1,024 bytes, and none of them a path.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
Requests go out raw: SDKs normalise some of these on their way.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote_plus
from xml.etree import ElementTree as ET

import pytest

from tests.conftest import empty_and_remove
from tests.harness import Node, encode_key
from tests.wire.support import (
    bucket_target,
    exists,
    expect_error,
    get,
    object_target,
    put_parts,
    read,
)

KEYS = [
    "a",
    "a/b",
    "a/b/c",
    "a/",
    "/",
    "//",
    "/a",
    "//a//",
    "a//b",
    ".",
    "..",
    "./a",
    "../a",
    "a/.",
    "a/..",
    "a/../b",
    "../../../../etc/passwd",
    "../" * 20 + "etc/passwd",
    " ",
    " a ",
    "a b",
    "a+b",
    "a%b",
    "a%20b",
    "a%2Fb",
    "%",
    "%%",
    "%00",
    "a&b=c",
    "a?b",
    "a#b",
    "a;b",
    "a:b",
    "a@b",
    "a\\b",
    "C:\\a",
    "a'b\"c",
    "<a>&amp;",
    "]]>",
    "*",
    "~",
    "$HOME",
    "`id`",
    "{a}",
    "a|b",
    "a^b",
    "é",
    "e\u0301",  # not the same key as the one above: keys are not normalised
    "日本語/キー",
    "🦆🦆",
    "\u202eabc",
    "\ufeffa",
    "\uffff",
    "\x00",
    "a\x00b",
    "\x01\x02\x1f",
    "\t",
    "a\nb",
    "a\rb",
    "\x7f",
    "con.txt.",
    "x" * 255,
    "y" * 1024,
    "ü" * 512,
    ("d" * 100 + "/") * 10,
    "s3",
    "s3/",
    "s3/a",
    "v1/health",
    "soap",
    "index.html",
]


@pytest.fixture(scope="module")
def shelf(node: Node, s3: Any) -> Iterator[str]:
    """A bucket that has every key of the table, each holding its own name."""
    name = f"keys-{uuid.uuid4().hex[:12]}"
    s3.create_bucket(Bucket=name)
    for key in KEYS:
        reply = node.send("PUT", object_target(name, key), body=key.encode())
        assert reply.status == 200, (key, reply.status, reply.body)
    yield name
    for key in KEYS:
        node.send("DELETE", object_target(name, key))
    empty_and_remove(s3, name)


def test_the_keys_of_the_table_differ() -> None:
    assert len(set(KEYS)) == len(KEYS)


@pytest.mark.parametrize("key", KEYS, ids=ascii)
def test_each_key_holds_its_own_bytes(node: Node, shelf: str, key: str) -> None:
    for method in ("GET", "HEAD"):
        reply = node.send(method, object_target(shelf, key))
        assert reply.status == 200
        assert reply.headers["content-length"] == str(len(key.encode()))
        assert reply.body == (key.encode() if method == "GET" else b"")


def test_every_key_is_listed_in_the_order_of_its_bytes(node: Node, shelf: str) -> None:
    root = node.send("GET", bucket_target(shelf, "encoding-type=url&list-type=2")).xml
    names = [unquote_plus(element.text or "") for element in root.iterfind("Contents/Key")]
    assert names == sorted(KEYS, key=str.encode)


def test_keys_that_xml_can_carry_are_listed_without_encoding(
    node: Node, s3: Any, bucket: str
) -> None:
    keys = [key for key in KEYS if not any(ord(c) < 32 or c in "\x7f\uffff" for c in key)]
    for key in keys:
        node.send("PUT", object_target(bucket, key), body=b"x")
    root = node.send("GET", bucket_target(bucket, "list-type=2")).xml
    assert [e.text for e in root.iterfind("Contents/Key")] == sorted(keys, key=str.encode)


def test_a_listing_without_encoding_is_well_formed_whatever_the_keys(
    node: Node, shelf: str
) -> None:
    """XML 1.0 has no way to say a control character; a client still has to get a document."""
    reply = node.send("GET", bucket_target(shelf, "list-type=2"))
    assert reply.status == 200
    assert len(ET.fromstring(reply.body)) >= len(KEYS)


def test_removing_one_key_leaves_those_beside_it(node: Node, s3: Any, bucket: str) -> None:
    keys = ["a", "a/", "a/b", "a//b", "a/..", "a/../b", "b"]
    for key in keys:
        node.send("PUT", object_target(bucket, key), body=key.encode())
    for key in list(keys):
        assert node.send("DELETE", object_target(bucket, key)).status == 204
        keys.remove(key)
        listed = [e["Key"] for e in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]
        assert listed == sorted(keys)


@pytest.mark.parametrize(
    ("one", "two"),
    [("a/b", "a//b"), ("a", "a/"), ("é", "e\u0301"), ("A", "a"), ("a b", "a+b"), ("..", "")],
)
def test_keys_that_look_alike_are_apart(
    node: Node, s3: Any, bucket: str, one: str, two: str
) -> None:
    node.send("PUT", object_target(bucket, one), body=b"one")
    if two:
        assert node.send("GET", object_target(bucket, two)).status == 404
        node.send("PUT", object_target(bucket, two), body=b"two")
    assert get(node, bucket, one).body == b"one"
    assert len(s3.list_objects_v2(Bucket=bucket)["Contents"]) == (2 if two else 1)


def test_no_key_reaches_another_bucket(node: Node, s3: Any, make_bucket: Any) -> None:
    one, two = make_bucket(), make_bucket()
    s3.put_object(Bucket=two, Key="k", Body=b"secret")
    reply = node.send("GET", f"/s3/{one}/../{two}/k")
    expect_error(reply, 404, "NoSuchKey")
    node.send("PUT", f"/s3/{one}/../{two}/k", body=b"overwritten")
    assert read(s3, two, "k") == b"secret"
    reply = node.send("GET", f"/s3/{one}/%2E%2E/{two}/k", signed=False)
    assert reply.body != b"secret"


@pytest.mark.parametrize("key", ["x" * 1025, "ü" * 513, "x/" * 2000])
@pytest.mark.parametrize("method", ["PUT", "GET", "DELETE"])
def test_a_key_above_1024_bytes_is_too_long(node: Node, bucket: str, key: str, method: str) -> None:
    """Bytes of UTF-8, not characters; S3 tells the limit and the size in the document."""
    reply = node.send(method, object_target(bucket, key), body=b"x" if method == "PUT" else b"")
    expect_error(reply, 400, "KeyTooLongError")


def test_a_key_that_is_no_utf8_is_refused(node: Node, s3: Any, bucket: str) -> None:
    reply = node.send("PUT", f"/s3/{bucket}/%FF%FE", body=b"x")
    assert reply.status == 400, reply.body
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_multipart_copy_and_attributes_take_any_key(node: Node, s3: Any, bucket: str) -> None:
    for key in ("a b+c%20/ü🦆", "//", "a&b=c;d?e#f"):
        put_parts(s3, bucket, key, [b"one", b"two"])
        assert read(s3, bucket, key) == b"onetwo"
        s3.copy_object(Bucket=bucket, Key=f"{key}-copy", CopySource={"Bucket": bucket, "Key": key})
        assert read(s3, bucket, f"{key}-copy") == b"onetwo"
        got = s3.get_object_attributes(Bucket=bucket, Key=key, ObjectAttributes=["ObjectSize"])
        assert got["ObjectSize"] == 6
        assert exists(s3, bucket, key)


def test_the_encoding_of_the_path_does_not_matter_to_the_key(
    open_node: Node, open_s3: Any, open_bucket: str
) -> None:
    """`%61` and `a` are the same byte."""
    open_node.send("PUT", f"/s3/{open_bucket}/%61%2fb", body=b"x", signed=False)
    assert open_node.send("GET", f"/s3/{open_bucket}/a/b", signed=False).body == b"x"
    assert encode_key("a/b") == "a/b"
