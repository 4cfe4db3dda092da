"""Path style and virtual hosts, under `/s3` and at the root.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html
Virtual hosts are at the root: their whole path is the key.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.harness import Node, presign
from tests.wire.support import expect_error


@pytest.fixture
def filled(s3: Any, bucket: str) -> str:
    for key in ("k", "a/b c", "s3/k", "v1/health"):
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    return bucket


def virtual(node: Node, bucket: str) -> str:
    return f"{bucket}.localhost:{node.port}"


@pytest.mark.parametrize("mount", ["", "/s3"])
def test_path_style_works_at_both_mounts(node: Node, filled: str, mount: str) -> None:
    assert node.send("GET", f"{mount}/{filled}/k").body == b"k"
    assert node.send("GET", f"{mount}/{filled}/a/b%20c").body == b"a/b c"
    assert node.send("GET", f"{mount}/{filled}").xml.findtext("Name") == filled
    assert node.send("GET", f"{mount}/{filled}/").xml.findtext("Name") == filled
    listed = node.send("GET", f"{mount}/").xml
    assert filled in [element.text for element in listed.iterfind("Buckets/Bucket/Name")]


@pytest.mark.parametrize("host", ["127.0.0.1:{port}", "localhost:{port}", "other.example:{port}"])
def test_a_host_that_names_no_bucket_is_path_style(node: Node, filled: str, host: str) -> None:
    reply = node.send("GET", f"/s3/{filled}/k", host=host.format(port=node.port))
    assert (reply.status, reply.body) == (200, b"k")


def test_a_virtual_host_names_the_bucket(node: Node, filled: str) -> None:
    host = virtual(node, filled)
    assert node.send("GET", "/k", host=host).body == b"k"
    assert node.send("GET", "/a/b%20c", host=host).body == b"a/b c"
    assert node.send("GET", "/", host=host).xml.findtext("Name") == filled
    assert node.send("GET", "/?list-type=2", host=host).xml.findtext("KeyCount") == "4"
    assert node.send("HEAD", "/", host=host).status == 200
    assert node.send("GET", "/?location", host=host).xml.tag == "LocationConstraint"


def test_on_a_virtual_host_the_whole_path_is_the_key(node: Node, filled: str) -> None:
    host = virtual(node, filled)
    assert node.send("GET", "/s3/k", host=host).body == b"s3/k"
    assert node.send("GET", "/v1/health", host=host).body == b"v1/health"


def test_the_name_in_the_host_may_be_in_capitals(node: Node, filled: str) -> None:
    """Host names know no case; bucket names are lower case."""
    assert node.send("GET", "/k", host=virtual(node, filled).upper()).body == b"k"


def test_a_bucket_with_dots_can_be_a_virtual_host(
    node: Node, s3: Any, make_bucket: Callable[..., str]
) -> None:
    name = make_bucket("a.b")
    s3.put_object(Bucket=name, Key="k", Body=b"x")
    assert node.send("GET", "/k", host=virtual(node, name)).body == b"x"


def test_objects_are_written_and_removed_on_a_virtual_host(
    node: Node, s3: Any, bucket: str
) -> None:
    host = virtual(node, bucket)
    assert node.send("PUT", "/a/k", host=host, body=b"x").status == 200
    assert s3.get_object(Bucket=bucket, Key="a/k")["Body"].read() == b"x"
    assert node.send("DELETE", "/a/k", host=host).status == 204
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_a_bucket_is_made_and_removed_on_its_virtual_host(node: Node) -> None:
    host = virtual(node, "made-on-its-virtual-host")
    assert node.send("PUT", "/", host=host).status == 200
    assert node.send("HEAD", "/", host=host).status == 200
    assert node.send("DELETE", "/", host=host).status == 204
    expect_error(node.send("GET", "/", host=host), 404, "NoSuchBucket")


def test_a_url_presigned_for_a_virtual_host_works(node: Node, filled: str) -> None:
    client = node.client(
        endpoint=node.root, signature_version="s3v4", s3={"addressing_style": "virtual"}
    )
    url = client.generate_presigned_url("get_object", Params={"Bucket": filled, "Key": "a/b c"})
    host, _, target = url.removeprefix("http://").partition("/")
    assert host == virtual(node, filled)
    assert node.send("GET", f"/{target}", host=host, signed=False).body == b"a/b c"
    target = presign("GET", "/k", host=host)
    assert node.send("GET", target, host=host, signed=False).body == b"k"


@pytest.mark.parametrize("mount", ["", "/s3"])
def test_boto3_works_at_both_mounts(node: Node, bucket: str, mount: str) -> None:
    client = node.client(endpoint=node.root + mount)
    client.put_object(Bucket=bucket, Key="a b", Body=b"hello")
    assert client.get_object(Bucket=bucket, Key="a b")["Body"].read() == b"hello"
    assert client.list_objects_v2(Bucket=bucket)["KeyCount"] == 1
    assert bucket in [entry["Name"] for entry in client.list_buckets()["Buckets"]]


@pytest.mark.parametrize("target", ["/s3/{}/k", "/{}/k", "/s3/{}", "/s3"])
def test_a_client_is_never_redirected(node: Node, filled: str, target: str) -> None:
    assert node.send("GET", target.format(filled)).status == 200


def test_the_signature_covers_the_host(node: Node, filled: str) -> None:
    """A request signed for one bucket's host does not work for another's."""
    target = presign("GET", "/k", host=virtual(node, "another-bucket"))
    reply = node.send("GET", target, host=virtual(node, filled), signed=False)
    expect_error(reply, 403, "SignatureDoesNotMatch")
