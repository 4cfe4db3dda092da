"""DeleteObject: https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html

Conditional deletes: https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-deletes.html
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.harness import Node
from tests.wire.support import exists, expect_error, object_target, outcome, pattern, refused


@pytest.mark.parametrize("size", [0, 10, 200_000])
def test_a_deleted_object_is_gone_from_reads_and_listings(
    node: Node, s3: Any, bucket: str, size: int
) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=pattern(size))
    reply = node.send("DELETE", object_target(bucket, "k"))
    assert (reply.status, reply.body) == (204, b"")
    assert "x-amz-delete-marker" not in reply.headers
    with refused(404, "NoSuchKey"):
        s3.get_object(Bucket=bucket, Key="k")
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_a_missing_key_is_204_as_well(node: Node, bucket: str) -> None:
    assert node.send("DELETE", object_target(bucket, "never-was")).status == 204


def test_an_unknown_bucket_is_404(node: Node) -> None:
    reply = node.send("DELETE", object_target("no-such-bucket-here", "k"))
    expect_error(reply, 404, "NoSuchBucket")


def test_only_the_named_key_goes(s3: Any, bucket: str) -> None:
    for key in ("a", "a/", "a/b", "a/b/c", "A"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    s3.delete_object(Bucket=bucket, Key="a/b")
    left = [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    assert left == ["A", "a", "a/", "a/b/c"]


def test_a_version_that_does_not_exist_deletes_nothing(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"kept")
    code = outcome(lambda: s3.delete_object(Bucket=bucket, Key="k", VersionId="no-such-version"))
    assert code in ("", "InvalidArgument", "NoSuchVersion")
    assert exists(s3, bucket, "k")
    s3.delete_object(Bucket=bucket, Key="k", VersionId="null")
    assert not exists(s3, bucket, "k")


def test_if_match_deletes_the_object_it_names(s3: Any, bucket: str) -> None:
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"one")["ETag"]
    s3.delete_object(Bucket=bucket, Key="k", IfMatch=etag)
    assert not exists(s3, bucket, "k")


def test_if_match_of_any_deletes_what_exists(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"one")
    s3.delete_object(Bucket=bucket, Key="k", IfMatch="*")
    assert not exists(s3, bucket, "k")


def test_if_match_of_another_etag_deletes_nothing(s3: Any, bucket: str) -> None:
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"one")["ETag"]
    s3.put_object(Bucket=bucket, Key="k", Body=b"two")
    with refused(412, "PreconditionFailed"):
        s3.delete_object(Bucket=bucket, Key="k", IfMatch=etag)
    assert exists(s3, bucket, "k")


@pytest.mark.parametrize("condition", ["*", '"d41d8cd98f00b204e9800998ecf8427e"'])
def test_if_match_of_a_missing_key_fails(s3: Any, bucket: str, condition: str) -> None:
    """The guide tells both "404 Not Found" and "412" for an object that is not there."""
    with pytest.raises(ClientError) as caught:
        s3.delete_object(Bucket=bucket, Key="k", IfMatch=condition)
    response = caught.value.response
    assert (response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]) in (
        (404, "NoSuchKey"),
        (412, "PreconditionFailed"),
    )


def test_of_concurrent_conditional_deletes_exactly_one_succeeds(s3: Any, bucket: str) -> None:
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"one")["ETag"]

    def delete(_: int) -> int:
        try:
            reply = s3.delete_object(Bucket=bucket, Key="k", IfMatch=etag)
        except ClientError as error:
            reply = error.response
        return int(reply["ResponseMetadata"]["HTTPStatusCode"])

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(delete, range(8)))
    assert statuses.count(204) == 1
    assert set(statuses) <= {204, 404, 409, 412}


def test_size_and_time_are_conditions(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"12345")
    written = s3.head_object(Bucket=bucket, Key="k")["LastModified"]
    wrong = ({"IfMatchSize": 4}, {"IfMatchLastModifiedTime": written - timedelta(seconds=1)},
             {"IfMatchSize": 5, "IfMatch": '"other"'})  # fmt: skip
    for more in wrong:
        with refused(412, "PreconditionFailed"):
            s3.delete_object(Bucket=bucket, Key="k", **more)
    for entry in ({"Size": 4}, {"LastModifiedTime": written - timedelta(seconds=1)}):
        objects = [{"Key": "k", **entry}]
        reply = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects})
        assert [error["Code"] for error in reply["Errors"]] == ["PreconditionFailed"]
    assert exists(s3, bucket, "k")
    s3.delete_object(Bucket=bucket, Key="k", IfMatchSize=5, IfMatchLastModifiedTime=written)
    assert not exists(s3, bucket, "k")
    # "If the Size matches or if the object doesn't exist": the same is told of the time.
    s3.delete_object(Bucket=bucket, Key="k", IfMatchSize=5, IfMatchLastModifiedTime=written)
    gone = {"Key": "k", "Size": 5}
    reply = s3.delete_objects(Bucket=bucket, Delete={"Objects": [gone]})
    assert [entry["Key"] for entry in reply["Deleted"]] == ["k"]
    with refused(404, "NoSuchKey"):
        s3.delete_object(Bucket=bucket, Key="k", IfMatchSize=5, IfMatch="*")
