"""What an ETag is: the MD5 of the body, unless a bucket has opted out of it.

`checksum.type` of a bucket is a checksum beside the ETag and never changes it; `etag.type=opaque`
gives an ETag with a hyphen, which S3 clients do not take for an MD5 and do not compare.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.harness import Node
from tests.wire.support import (
    MIB,
    etag_of,
    etag_of_parts,
    pattern,
    put_parts,
    read,
    refused,
    set_props,
)


@pytest.mark.parametrize("kind", ["none", "xxhash", "xxhash2", "md5", "crc32c", "sha256", "sha512"])
def test_the_checksum_of_a_bucket_does_not_change_its_etags(
    open_node: Node, open_s3: Any, open_bucket: str, kind: str
) -> None:
    if kind != "xxhash":  # which is the default
        set_props(open_node, open_bucket, f"checksum.type={kind}")
    for size in (0, 10, 200_000):
        data = pattern(size)
        reply = open_s3.put_object(Bucket=open_bucket, Key="k", Body=data)
        assert reply["ETag"] == etag_of(data)
        assert open_s3.head_object(Bucket=open_bucket, Key="k")["ETag"] == etag_of(data)
        assert read(open_s3, open_bucket, "k") == data
    bodies = [b"one", b"two"]
    assert put_parts(open_s3, open_bucket, "m", bodies)["ETag"] == etag_of_parts(bodies)


@pytest.mark.parametrize("size", [0, 10, 2 * MIB])
def test_an_opaque_etag_has_a_hyphen_and_names_the_write(
    open_node: Node, open_s3: Any, open_bucket: str, size: int
) -> None:
    set_props(open_node, open_bucket, "etag.type=opaque")
    data = pattern(size)
    first = open_s3.put_object(Bucket=open_bucket, Key="k", Body=data)["ETag"]
    assert "-" in first
    assert (first[0], first[-1]) == ('"', '"')
    assert open_s3.head_object(Bucket=open_bucket, Key="k")["ETag"] == first
    assert open_s3.list_objects_v2(Bucket=open_bucket)["Contents"][0]["ETag"] == first
    assert read(open_s3, open_bucket, "k", IfMatch=first) == data
    second = open_s3.put_object(Bucket=open_bucket, Key="k", Body=data + b"x", IfMatch=first)
    assert second["ETag"] != first
    with refused(412, "PreconditionFailed"):
        open_s3.put_object(Bucket=open_bucket, Key="k", Body=data, IfMatch=first)
