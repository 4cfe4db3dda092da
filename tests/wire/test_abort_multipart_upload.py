"""AbortMultipartUpload: https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.harness import Node
from tests.wire.support import begin, complete, object_target, put_part, read, refused


def test_an_aborted_upload_is_gone_with_its_parts(node: Node, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"kept")
    upload = begin(s3, bucket, "k")
    part = put_part(s3, bucket, "k", upload, 1, b"x" * 100_000)
    reply = node.send("DELETE", object_target(bucket, "k", f"uploadId={upload}"))
    assert (reply.status, reply.body) == (204, b"")
    for call in (
        lambda: put_part(s3, bucket, "k", upload, 2, b"y"),
        lambda: complete(s3, bucket, "k", upload, [part]),
        lambda: s3.list_parts(Bucket=bucket, Key="k", UploadId=upload),
        lambda: s3.abort_multipart_upload(Bucket=bucket, Key="k", UploadId=upload),
    ):
        with refused(404, "NoSuchUpload"):
            call()
    assert read(s3, bucket, "k") == b"kept", "abort is no DeleteObject"


def test_an_unknown_upload_is_404_and_the_object_stays(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"kept")
    with refused(404, "NoSuchUpload"):
        s3.abort_multipart_upload(Bucket=bucket, Key="k", UploadId="no-such-upload")
    assert read(s3, bucket, "k") == b"kept"


def test_an_empty_upload_id_never_deletes_the_object(node: Node, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"kept")
    reply = node.send("DELETE", object_target(bucket, "k", "uploadId="))
    assert reply.status in (400, 404)
    assert read(s3, bucket, "k") == b"kept"


def test_other_uploads_of_the_key_go_on(s3: Any, bucket: str) -> None:
    one, two = begin(s3, bucket, "k"), begin(s3, bucket, "k")
    part = put_part(s3, bucket, "k", two, 1, b"two")
    s3.abort_multipart_upload(Bucket=bucket, Key="k", UploadId=one)
    complete(s3, bucket, "k", two, [part])
    assert read(s3, bucket, "k") == b"two"


def test_an_unknown_bucket_is_404(s3: Any) -> None:
    with refused(404, "NoSuchBucket"):
        s3.abort_multipart_upload(Bucket="no-such-bucket-here", Key="k", UploadId="u")


def test_an_upload_is_aborted_if_it_was_begun_then(node: Node, s3: Any, bucket: str) -> None:
    upload = begin(s3, bucket, "k")
    named = {"Bucket": bucket, "Key": "k", "UploadId": upload}
    (listed,) = s3.list_multipart_uploads(Bucket=bucket)["Uploads"]
    begun = listed["Initiated"]
    with refused(412, "PreconditionFailed"):
        s3.abort_multipart_upload(**named, IfMatchInitiatedTime=begun + timedelta(seconds=1))
    headers = {"x-amz-if-match-initiated-time": "then"}
    target = object_target(bucket, "k", f"uploadId={upload}")
    assert node.send("DELETE", target, headers=headers).code == "InvalidRequest"
    assert s3.list_multipart_uploads(Bucket=bucket)["Uploads"] == [listed]
    s3.abort_multipart_upload(**named, IfMatchInitiatedTime=begun)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)
