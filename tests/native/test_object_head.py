"""HEAD and GET of objects: what is asked for is told, and what is stored is verified."""

import hashlib
import time
from collections.abc import Callable

import pytest

from aisle.api.native.attributes import PROPS
from tests.harness import Node
from tests.native.support import act, message, put

PARTS = [b"a" * 70_000, b"b" * 10, b"c" * 5000]


def target(bucket: str, key: str, query: str = "") -> str:
    """The path of an object, its query written as whoever signs it has to."""
    return f"/v1/objects/{bucket}/{key}?provider=ais{query.replace(',', '%2C')}"


def ais_headers(node: Node, bucket: str, query: str) -> set[str]:
    fields = node.send("HEAD", target(bucket, "x", query)).headers
    return {name for name in fields if name.startswith("ais-")} & KNOWN


KNOWN = {
    "ais-name",
    "ais-bucket-name",
    "ais-bucket-provider",
    "ais-version",
    "ais-checksum-type",
    "ais-checksum-value",
    "ais-atime",
    "ais-mirror-copies",
    "ais-custom-md",
    "ais-location",
    "ais-present",
    "ais-chunks-count",
    "ais-chunks-max-chunk-size",
}
NAMES = {"ais-name", "ais-bucket-name", "ais-bucket-provider", "ais-present"}


@pytest.mark.parametrize(
    ("props", "told"),
    [
        ("", NAMES),
        ("name,size", NAMES),
        ("size", {"ais-present"}),
        ("version, atime", {"ais-present", "ais-version", "ais-atime"}),
        ("checksum", {"ais-present", "ais-checksum-type", "ais-checksum-value"}),
        ("copies,ec,chunked", {"ais-present", "ais-mirror-copies"}),
        ("custom,location", {"ais-present", "ais-location", "ais-custom-md"}),
    ],
)
def test_a_selective_head_tells_what_is_asked_for(
    node: Node, bucket: str, props: str, told: set[str]
) -> None:
    put(node, bucket, "x", b"12345")
    body = b'{"action": "", "value": {"k": "v"}}'
    size = {"Content-Length": str(len(body))}
    reply = node.send("PATCH", target(bucket, "x"), body=body, unsigned_headers=size)
    assert reply.status == 200
    assert ais_headers(node, bucket, f"&props={props.replace(' ', '%20')}") == told


def test_a_head_without_props_tells_everything(node: Node, bucket: str) -> None:
    put(node, bucket, "x", b"12345", headers={"Content-Type": "text/plain"})
    fields = node.send("HEAD", target(bucket, "x")).headers
    assert KNOWN - set(fields) == {
        "ais-custom-md",
        "ais-chunks-count",
        "ais-chunks-max-chunk-size",
    }
    assert (fields["ais-name"], fields["ais-bucket-name"]) == ("x", bucket)
    assert fields["ais-bucket-provider"] == "ais"
    assert fields["ais-location"].startswith("t[t")
    assert (fields["content-type"], fields["content-length"]) == ("text/plain", "5")
    assert fields["etag"] == f'"{hashlib.md5(b"12345").hexdigest()}"'


def test_a_large_object_lies_on_a_mountpath(node: Node, bucket: str) -> None:
    put(node, bucket, "x", bytes(100_000))
    fields = node.send("HEAD", target(bucket, "x")).headers
    path = fields["ais-mirror-paths"].strip("[]")
    assert path
    assert fields["ais-location"].endswith(f"]:mp[{path}]")


def test_the_parts_of_an_upload_are_its_chunks(node: Node, bucket: str) -> None:
    upload = act(node, "POST", target(bucket, "x"), "mpt-upload").body.decode()
    for number, piece in enumerate(PARTS, 1):
        query = f"&uploadId={upload}&partNumber={number}"
        assert node.send("PUT", target(bucket, "x", query), body=piece).status == 200
    value = [{"part-number": number} for number in (1, 2, 3)]
    done = act(node, "POST", target(bucket, "x", f"&uploadId={upload}"), "mpt-complete", value)
    assert done.status == 200
    for query in ("&props=chunked", ""):
        fields = node.send("HEAD", target(bucket, "x", query)).headers
        assert fields["ais-chunks-count"] == "3"
        assert fields["ais-chunks-max-chunk-size"] == "70000"


def test_a_name_that_no_header_can_carry_is_left_out(node: Node, bucket: str) -> None:
    put(node, bucket, "é", b"")
    fields = node.send("HEAD", target(bucket, "%C3%A9", "&props=name")).headers
    assert "ais-name" not in fields
    assert fields["ais-bucket-name"] == bucket


@pytest.mark.parametrize(
    ("props", "text"),
    [("cached", "only listings"), ("name,status", "only listings"), ("colour", "colour")],
)
def test_properties_that_head_does_not_have(node: Node, bucket: str, props: str, text: str) -> None:
    put(node, bucket, "x", b"")
    reply = node.send("HEAD", target(bucket, "x", f"&props={props}"))
    assert reply.status == 400
    assert text in message(reply)


def test_every_property_may_be_asked_for_at_once(node: Node, bucket: str) -> None:
    put(node, bucket, "x", b"")
    assert node.send("HEAD", target(bucket, "x", "&props=" + ",".join(PROPS))).status == 200


@pytest.mark.parametrize(
    ("presence", "status", "tells"),
    [("0", 200, True), ("1", 200, False), ("2", 200, True), ("3", 200, False), ("4", 200, True)],
)
def test_presence(node: Node, bucket: str, presence: str, status: int, tells: bool) -> None:
    put(node, bucket, "x", b"12345")
    reply = node.send("HEAD", target(bucket, "x", f"&presence={presence}"))
    assert reply.status == status
    assert ("ais-version" in reply.headers) == tells
    assert reply.headers["ais-present"] == "true"
    assert node.send("HEAD", target(bucket, "absent", f"&presence={presence}")).status == 404


def test_nothing_of_a_native_bucket_is_outside_of_the_cluster(node: Node, bucket: str) -> None:
    put(node, bucket, "x", b"")
    reply = node.send("HEAD", target(bucket, "x", "&presence=5"))
    assert reply.status == 404
    assert f"ais://{bucket}/x" in message(reply)


@pytest.mark.parametrize("presence", ["6", "-1", "x", "10"])
def test_a_presence_that_makes_no_sense(node: Node, bucket: str, presence: str) -> None:
    reply = node.send("HEAD", target(bucket, "x", f"&presence={presence}"))
    assert reply.status == 400


# --- GET ------------------------------------------------------------------------------------


def configure(node: Node, bucket: str, **checksum: object) -> None:
    reply = act(node, "PATCH", f"/v1/buckets/{bucket}", "set-bprops", {"checksum": checksum})
    assert reply.status == 200, reply.body


def ranged(node: Node, bucket: str, wanted: str) -> dict[str, str]:
    reply = node.send("GET", target(bucket, "x"), headers={"Range": wanted})
    assert reply.status == 206
    return {
        "body": hashlib.sha256(reply.body).hexdigest(),
        "told": reply.headers.get("ais-checksum-value", ""),
    }


@pytest.mark.parametrize("size", [1000, 300_000])
def test_a_range_comes_with_the_checksum_that_the_bucket_wants(
    node: Node, bucket: str, size: int
) -> None:
    configure(node, bucket, type="sha256")
    data = bytes(range(250)) * (size // 250)
    put(node, bucket, "x", data)
    whole = hashlib.sha256(data).hexdigest()
    assert ranged(node, bucket, "bytes=10-99")["told"] == whole
    configure(node, bucket, enable_read_range=True)
    eventually(lambda: told_of_range(node, bucket) != whole)
    for wanted in ("bytes=10-99", "bytes=-5", f"bytes=1-{size}"):
        found = ranged(node, bucket, wanted)
        assert found["told"] == found["body"]
    assert node.send("GET", target(bucket, "x")).headers["ais-checksum-value"] == whole
    configure(node, bucket, type="none")
    eventually(lambda: told_of_range(node, bucket) == "")


def told_of_range(node: Node, bucket: str) -> str:
    return ranged(node, bucket, "bytes=10-99")["told"]


def eventually(holds: Callable[[], bool], *, times: int = 4) -> None:
    """Of many gateways each hears of a bucket's new props a moment later: ask until all have."""
    deadline = time.monotonic() + 90
    in_a_row = 0
    while in_a_row < times:
        in_a_row = in_a_row + 1 if holds() else 0
        assert time.monotonic() < deadline


@pytest.mark.parametrize("size", [0, 1000, 300_000])
def test_a_verified_read_of_what_is_right(node: Node, bucket: str, size: int) -> None:
    configure(node, bucket, validate_warm_get=True)
    put(node, bucket, "x", bytes(size))
    for path in (target(bucket, "x"), f"/s3/{bucket}/x"):
        reply = node.send("GET", path)
        assert (reply.status, reply.body) == (200, bytes(size))


def test_parameters_of_remote_buckets_change_nothing(node: Node, bucket: str) -> None:
    put(node, bucket, "x", b"12345")
    blob = {"Ais-Blob-Download": "true", "Ais-Blob-Chunk": "1mb", "Ais-Blob-Workers": "4"}
    reply = node.send("GET", target(bucket, "x", "&latest-ver=true"), headers=blob)
    assert (reply.status, reply.body) == (200, b"12345")


@pytest.mark.parametrize("name", ["etl_name", "etl_pipeline", "etl_args"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT"])
def test_transformations_are_refused(node: Node, bucket: str, method: str, name: str) -> None:
    put(node, bucket, "x", b"12345")
    reply = node.send(method, target(bucket, "x", f"&{name}=resize"))
    assert reply.status == 501
    assert name in message(reply)
