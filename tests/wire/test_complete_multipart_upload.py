"""CompleteMultipartUpload.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html
Checksums of multipart objects are in `test_checksums.py`.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.harness import Node
from tests.wire.support import (
    MIB,
    begin,
    complete,
    etag_of,
    etag_of_parts,
    exists,
    expect_error,
    object_target,
    outcome,
    pattern,
    put_part,
    put_parts,
    read,
    refused,
    set_props,
)


def test_the_answer_names_the_object_and_the_etag_of_its_parts(s3: Any, bucket: str) -> None:
    bodies = [pattern(1000, 1), pattern(2000, 2), b""]
    reply = put_parts(s3, bucket, "a/k", bodies)
    assert (reply["Bucket"], reply["Key"]) == (bucket, "a/k")
    assert reply["ETag"] == etag_of_parts(bodies)
    assert reply["Location"].endswith(f"/{bucket}/a/k") or "a%2Fk" in reply["Location"]
    head = s3.head_object(Bucket=bucket, Key="a/k")
    assert (head["ETag"], head["ContentLength"]) == (etag_of_parts(bodies), 3000)
    listed = s3.list_objects_v2(Bucket=bucket)["Contents"][0]
    assert (listed["ETag"], listed["Size"]) == (etag_of_parts(bodies), 3000)


def test_one_part_makes_a_multipart_object_too(s3: Any, bucket: str) -> None:
    assert put_parts(s3, bucket, "k", [b"x"])["ETag"] == etag_of_parts([b"x"])
    assert etag_of_parts([b"x"]).endswith('-1"')


def test_parts_of_a_few_kilobytes_are_allowed_by_default(s3: Any, bucket: str) -> None:
    """A seed document completes an upload of two parts of 10,725 and 1,075 bytes."""
    bodies = [pattern(10_725, 1), pattern(1_075, 2)]
    put_parts(s3, bucket, "large-test-file", bodies)
    assert read(s3, bucket, "large-test-file") == b"".join(bodies)


def test_many_parts_are_joined_in_order(s3: Any, bucket: str) -> None:
    upload = begin(s3, bucket, "k")
    bodies = [pattern(5_000 + n, n) for n in range(120)]
    with ThreadPoolExecutor(8) as pool:
        parts = list(
            pool.map(lambda n: put_part(s3, bucket, "k", upload, n + 1, bodies[n]), range(120))
        )
    assert complete(s3, bucket, "k", upload, parts)["ETag"] == etag_of_parts(bodies)
    data = b"".join(bodies)
    assert read(s3, bucket, "k") == data
    assert read(s3, bucket, "k", Range="bytes=4000-320000") == data[4000:320_001]


def test_parts_that_are_not_named_are_left_out(s3: Any, bucket: str) -> None:
    upload = begin(s3, bucket, "k")
    parts = [put_part(s3, bucket, "k", upload, n, str(n).encode() * 10) for n in range(1, 6)]
    complete(s3, bucket, "k", upload, [parts[1], parts[3]])
    assert read(s3, bucket, "k") == b"2" * 10 + b"4" * 10


def test_it_replaces_what_was_there_at_once(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"before", Metadata={"a": "1"})
    upload = begin(s3, bucket, "k")
    part = put_part(s3, bucket, "k", upload, 1, b"after")
    assert read(s3, bucket, "k") == b"before"
    complete(s3, bucket, "k", upload, [part])
    assert read(s3, bucket, "k") == b"after"
    assert s3.head_object(Bucket=bucket, Key="k")["Metadata"] == {}


def test_a_retry_gets_the_same_answer(s3: Any, bucket: str) -> None:
    """A client that did not hear the answer asks again; the object must not vanish for it."""
    upload = begin(s3, bucket, "k")
    parts = [put_part(s3, bucket, "k", upload, n, pattern(100, n)) for n in (1, 2)]
    first = complete(s3, bucket, "k", upload, parts)
    again = complete(s3, bucket, "k", upload, parts)
    assert again["ETag"] == first["ETag"]
    assert read(s3, bucket, "k") == pattern(100, 1) + pattern(100, 2)


def test_a_retry_hears_the_version_too(s3: Any, bucket: str) -> None:
    """The SDKs repeat a complete whose reply was lost, and hand on what the second one says."""
    for status, named in (("Enabled", True), ("Suspended", False)):
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})
        upload = begin(s3, bucket, "k")
        parts = [put_part(s3, bucket, "k", upload, 1, b"x")]
        first = complete(s3, bucket, "k", upload, parts)
        assert (first["VersionId"] != "null") is named
        s3.put_object(Bucket=bucket, Key="k", Body=b"later")
        assert complete(s3, bucket, "k", upload, parts)["VersionId"] == first["VersionId"]


def test_a_retry_does_not_undo_a_later_write(s3: Any, bucket: str) -> None:
    upload = begin(s3, bucket, "k")
    parts = [put_part(s3, bucket, "k", upload, 1, b"upload")]
    complete(s3, bucket, "k", upload, parts)
    s3.put_object(Bucket=bucket, Key="k", Body=b"later")
    assert outcome(lambda: complete(s3, bucket, "k", upload, parts)) in ("", "NoSuchUpload")
    assert read(s3, bucket, "k") == b"later"


def test_concurrent_completes_agree(s3: Any, bucket: str) -> None:
    upload = begin(s3, bucket, "k")
    bodies = [pattern(1000, 1), pattern(1000, 2)]
    parts = [put_part(s3, bucket, "k", upload, n, body) for n, body in enumerate(bodies, 1)]
    with ThreadPoolExecutor(6) as pool:
        etags = pool.map(lambda _: complete(s3, bucket, "k", upload, parts)["ETag"], range(6))
        assert set(etags) == {etag_of_parts(bodies)}
    assert read(s3, bucket, "k") == b"".join(bodies)


@pytest.mark.parametrize("quote", ['"{}"', "{}", "&quot;{}&quot;"])
def test_etags_may_be_quoted_or_not(node: Node, s3: Any, bucket: str, quote: str) -> None:
    upload = begin(s3, bucket, "k")
    etag = put_part(s3, bucket, "k", upload, 1, b"x")["ETag"].strip('"')
    body = (
        '<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Part>'
        f"<PartNumber>1</PartNumber><ETag>{quote.format(etag)}</ETag></Part>"
        "</CompleteMultipartUpload>"
    )
    reply = node.send("POST", object_target(bucket, "k", f"uploadId={upload}"), body=body.encode())
    assert reply.status == 200, reply.body
    assert reply.xml.tag == "CompleteMultipartUploadResult"
    assert reply.xml.findtext("ETag") == etag_of_parts([b"x"])


def test_parts_out_of_order_are_refused(s3: Any, bucket: str) -> None:
    upload = begin(s3, bucket, "k")
    one, two = (put_part(s3, bucket, "k", upload, n, b"x") for n in (1, 2))
    for parts in ([two, one], [one, one], [one, two, one]):
        with refused(400, "InvalidPartOrder"):
            complete(s3, bucket, "k", upload, parts)
    complete(s3, bucket, "k", upload, [one, two])


def test_parts_that_were_not_uploaded_are_refused(s3: Any, bucket: str) -> None:
    upload = begin(s3, bucket, "k")
    one = put_part(s3, bucket, "k", upload, 1, b"x")
    for parts in (
        [one, {"PartNumber": 2, "ETag": one["ETag"]}],
        [{"PartNumber": 1, "ETag": etag_of(b"other")}],
        [{"PartNumber": 1, "ETag": "nonsense"}],
    ):
        with refused(400, "InvalidPart"):
            complete(s3, bucket, "k", upload, parts)
    assert not exists(s3, bucket, "k")
    complete(s3, bucket, "k", upload, [one])


def test_a_part_number_below_one_is_an_invalid_argument(s3: Any, bucket: str) -> None:
    upload = begin(s3, bucket, "k")
    part = put_part(s3, bucket, "k", upload, 1, b"x")
    with refused(400, "InvalidArgument"):
        complete(s3, bucket, "k", upload, [{**part, "PartNumber": 0}])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not xml",
        b"<CompleteMultipartUpload>",
        b"<CompleteMultipartUpload/>",
        b"<Other><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part></Other>",
        b"<CompleteMultipartUpload><Part><ETag>x</ETag></Part></CompleteMultipartUpload>",
        b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber></Part>"
        b"</CompleteMultipartUpload>",
        b"<CompleteMultipartUpload><Part><PartNumber>x</PartNumber><ETag>x</ETag></Part>"
        b"</CompleteMultipartUpload>",
        b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag><ETag>y</ETag>"
        b"</Part></CompleteMultipartUpload>",
    ],
)
def test_a_malformed_list_completes_nothing(node: Node, s3: Any, bucket: str, body: bytes) -> None:
    upload = begin(s3, bucket, "k")
    put_part(s3, bucket, "k", upload, 1, b"x")
    reply = node.send("POST", object_target(bucket, "k", f"uploadId={upload}"), body=body)
    # S3 tells a body that is empty as InvalidRequest ("You must specify at least one part").
    expect_error(reply, 400, ("MalformedXML",) if body else ("MalformedXML", "InvalidRequest"))
    assert not exists(s3, bucket, "k")
    assert s3.list_parts(Bucket=bucket, Key="k", UploadId=upload)["Parts"]


def test_a_total_size_that_differs_is_refused(s3: Any, bucket: str) -> None:
    upload = begin(s3, bucket, "k")
    part = put_part(s3, bucket, "k", upload, 1, b"12345")
    with refused(400, "InvalidRequest"):
        complete(s3, bucket, "k", upload, [part], MpuObjectSize=6)
    assert not exists(s3, bucket, "k")
    complete(s3, bucket, "k", upload, [part], MpuObjectSize=5)


def test_an_unknown_upload_is_404(s3: Any, bucket: str) -> None:
    with refused(404, "NoSuchUpload"):
        complete(s3, bucket, "k", "no-such-upload", [{"PartNumber": 1, "ETag": etag_of(b"")}])


def test_an_upload_belongs_to_its_key(s3: Any, bucket: str) -> None:
    upload = begin(s3, bucket, "k")
    part = put_part(s3, bucket, "k", upload, 1, b"x")
    with refused(404, "NoSuchUpload"):
        complete(s3, bucket, "other", upload, [part])
    assert not exists(s3, bucket, "other")


def test_with_the_minimum_of_s3_a_small_part_is_refused(
    open_node: Node, open_s3: Any, open_bucket: str
) -> None:
    """The minimum is a setting of the bucket; 5 MiB is what S3 asks for."""
    set_props(open_node, open_bucket, "multipart.min_part_size=5MiB")
    upload = begin(open_s3, open_bucket, "k")
    small = put_part(open_s3, open_bucket, "k", upload, 1, pattern(5 * MIB - 1))
    last = put_part(open_s3, open_bucket, "k", upload, 2, b"tail")
    with refused(400, "EntityTooSmall"):
        complete(open_s3, open_bucket, "k", upload, [small, last])
    right = put_part(open_s3, open_bucket, "k", upload, 1, pattern(5 * MIB))
    complete(open_s3, open_bucket, "k", upload, [right, last])
    assert read(open_s3, open_bucket, "k") == pattern(5 * MIB) + b"tail"


def test_an_upload_survives_a_restart(tmp_path: Path) -> None:
    node = Node(tmp_path / "data", workers=1).start()
    try:
        client = node.client()
        client.create_bucket(Bucket="kept")
        upload = begin(client, "kept", "k")
        part = put_part(client, "kept", "k", upload, 1, pattern(200_000))
        node.restart()
        client = node.client()
        listed = client.list_parts(Bucket="kept", Key="k", UploadId=upload)["Parts"]
        assert [entry["ETag"] for entry in listed] == [part["ETag"]]
        complete(client, "kept", "k", upload, [part])
        node.restart()
        assert read(node.client(), "kept", "k") == pattern(200_000)
    finally:
        node.kill()
