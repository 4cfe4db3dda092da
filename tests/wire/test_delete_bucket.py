"""DeleteBucket: https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucket.html"""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.conftest import empty_and_remove
from tests.harness import Node
from tests.wire.support import begin, bucket_target, expect_error, outcome, read, refused


def test_an_empty_bucket_goes_with_204(node: Node, s3: Any) -> None:
    name = f"delete-{uuid.uuid4().hex[:12]}"
    s3.create_bucket(Bucket=name)
    reply = node.send("DELETE", bucket_target(name))
    assert (reply.status, reply.body) == (204, b"")
    with refused(404, "404"):
        s3.head_bucket(Bucket=name)


def test_a_bucket_with_an_object_stays(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="a/b", Body=b"kept")
    with refused(409, "BucketNotEmpty"):
        s3.delete_bucket(Bucket=bucket)
    assert read(s3, bucket, "a/b") == b"kept"


def test_an_emptied_bucket_can_go_and_come_back_empty(s3: Any) -> None:
    name = f"delete-{uuid.uuid4().hex[:12]}"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(Bucket=name, Key="k", Body=b"x")
    s3.delete_object(Bucket=name, Key="k")
    s3.delete_bucket(Bucket=name)
    s3.create_bucket(Bucket=name)
    assert s3.get_bucket_location(Bucket=name)["LocationConstraint"] is None
    assert "Contents" not in s3.list_objects_v2(Bucket=name)
    s3.delete_bucket(Bucket=name)


def test_an_unknown_bucket_is_404(node: Node, s3: Any) -> None:
    with refused(404, "NoSuchBucket"):
        s3.delete_bucket(Bucket="no-such-bucket-here")
    expect_error(node.send("DELETE", bucket_target("no-such-bucket-here")), 404, "NoSuchBucket")


def test_uploads_of_a_removed_bucket_do_not_come_back(s3: Any) -> None:
    name = f"delete-{uuid.uuid4().hex[:12]}"
    s3.create_bucket(Bucket=name)
    upload = begin(s3, name, "k")
    # S3 documents only that objects must be gone; a store may count uploads as content.
    code = outcome(lambda: s3.delete_bucket(Bucket=name))
    assert code in ("", "BucketNotEmpty")
    if code:
        empty_and_remove(s3, name)
    s3.create_bucket(Bucket=name)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=name)
    with refused(404, "NoSuchUpload"):
        s3.list_parts(Bucket=name, Key="k", UploadId=upload)
    s3.delete_bucket(Bucket=name)


def test_no_object_survives_a_delete_of_its_bucket(s3: Any) -> None:
    """Writers race with the removal: whoever is acknowledged must be right afterwards."""
    name = f"delete-{uuid.uuid4().hex[:12]}"
    s3.create_bucket(Bucket=name)

    def put(number: int) -> str:
        return outcome(lambda: s3.put_object(Bucket=name, Key=f"k{number}", Body=b"x"))

    def remove(_: int) -> str:
        return outcome(lambda: s3.delete_bucket(Bucket=name))

    with ThreadPoolExecutor(8) as pool:
        removals = pool.map(remove, range(3))
        puts = list(pool.map(put, range(12)))
    removed = "" in set(removals)
    stored = [number for number, code in enumerate(puts) if not code]
    assert set(puts) <= {"", "NoSuchBucket", "OperationAborted"}
    if removed:
        assert stored == [], "a bucket with acknowledged objects was removed"
    else:
        keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket=name).get("Contents", [])]
        assert keys == sorted(f"k{n}" for n in stored)
        empty_and_remove(s3, name)
