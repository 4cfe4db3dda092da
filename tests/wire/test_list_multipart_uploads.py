"""ListMultipartUploads.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html
Order: by key, and for one key by the time at which the uploads were begun.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote_plus

import pytest

from tests.harness import Node
from tests.wire.support import begin, bucket_target, complete, expect_error, put_part, refused


def pairs(reply: dict[str, Any]) -> list[tuple[str, str]]:
    return [(upload["Key"], upload["UploadId"]) for upload in reply.get("Uploads", [])]


def test_unfinished_uploads_are_listed_by_key(s3: Any, bucket: str) -> None:
    ids = {key: begin(s3, bucket, key) for key in ("b", "a/2", "a/1", "é", "B")}
    put_part(s3, bucket, "b", ids["b"], 1, b"x")
    reply = s3.list_multipart_uploads(Bucket=bucket)
    assert pairs(reply) == [(key, ids[key]) for key in ("B", "a/1", "a/2", "b", "é")]
    first = reply["Uploads"][0]
    assert first["Initiated"]
    assert first["StorageClass"] == "STANDARD"
    assert first["Owner"]["ID"]
    assert first["Initiator"] == first["Owner"]
    assert (reply["Bucket"], reply["IsTruncated"], reply["MaxUploads"]) == (bucket, False, 1000)


def test_finished_and_aborted_uploads_are_not_listed(s3: Any, bucket: str) -> None:
    done, gone = begin(s3, bucket, "k"), begin(s3, bucket, "k")
    complete(s3, bucket, "k", done, [put_part(s3, bucket, "k", done, 1, b"x")])
    s3.abort_multipart_upload(Bucket=bucket, Key="k", UploadId=gone)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


def test_prefix_and_delimiter_roll_up(s3: Any, bucket: str) -> None:
    for key in ("a/1", "a/2", "a/b/3", "ab", "c/4"):
        begin(s3, bucket, key)
    reply = s3.list_multipart_uploads(Bucket=bucket, Prefix="a", Delimiter="/")
    assert [key for key, _ in pairs(reply)] == ["ab"]
    assert [entry["Prefix"] for entry in reply["CommonPrefixes"]] == ["a/"]
    assert (reply["Prefix"], reply["Delimiter"]) == ("a", "/")
    reply = s3.list_multipart_uploads(Bucket=bucket, Prefix="a/", Delimiter="/")
    assert [key for key, _ in pairs(reply)] == ["a/1", "a/2"]
    assert [entry["Prefix"] for entry in reply["CommonPrefixes"]] == ["a/b/"]


@pytest.mark.parametrize("size", [1, 2, 3, 6, 7])
def test_pages_join_to_the_whole(s3: Any, bucket: str, size: int) -> None:
    keys = ["a", "k", "k", "k", "l/1", "z"]
    begun = [(key, begin(s3, bucket, key)) for key in keys]
    found: list[tuple[str, str]] = []
    markers: dict[str, str] = {}
    while True:
        reply = s3.list_multipart_uploads(Bucket=bucket, MaxUploads=size, **markers)
        found += pairs(reply)
        if not reply["IsTruncated"]:
            break
        assert len(pairs(reply)) == size
        assert (reply["NextKeyMarker"], reply["NextUploadIdMarker"]) == pairs(reply)[-1]
        markers = {
            "KeyMarker": reply["NextKeyMarker"],
            "UploadIdMarker": reply["NextUploadIdMarker"],
        }
    assert [key for key, _ in found] == keys
    assert sorted(found) == sorted(begun)


def test_a_key_marker_alone_skips_all_uploads_of_that_key(s3: Any, bucket: str) -> None:
    for key in ("a", "k", "k", "z"):
        begin(s3, bucket, key)
    reply = s3.list_multipart_uploads(Bucket=bucket, KeyMarker="k")
    assert [key for key, _ in pairs(reply)] == ["z"]
    assert reply["KeyMarker"] == "k"


def test_an_upload_id_marker_without_a_key_marker_is_ignored(s3: Any, bucket: str) -> None:
    upload = begin(s3, bucket, "a")
    reply = s3.list_multipart_uploads(Bucket=bucket, UploadIdMarker=upload)
    assert pairs(reply) == [("a", upload)]


def test_keys_can_be_url_encoded(node: Node, s3: Any, bucket: str) -> None:
    upload = begin(s3, bucket, "a b/ü+\x01")
    root = node.send("GET", bucket_target(bucket, "encoding-type=url&uploads")).xml
    assert root.tag == "ListMultipartUploadsResult"
    assert root.findtext("EncodingType") == "url"
    assert unquote_plus(root.findtext("Upload/Key") or "") == "a b/ü+\x01"
    # Without the encoding, boto3 (which does not ask for it here) could not learn the key.
    s3.abort_multipart_upload(Bucket=bucket, Key="a b/ü+\x01", UploadId=upload)


@pytest.mark.parametrize("query", ["max-uploads=x", "max-uploads=-1", "encoding-type=x"])
def test_a_parameter_that_cannot_be_is_refused(node: Node, bucket: str, query: str) -> None:
    reply = node.send("GET", bucket_target(bucket, f"{query}&uploads"))
    expect_error(reply, 400, "InvalidArgument")


def test_an_unknown_bucket_is_404(s3: Any) -> None:
    with refused(404, "NoSuchBucket"):
        s3.list_multipart_uploads(Bucket="no-such-bucket-here")
