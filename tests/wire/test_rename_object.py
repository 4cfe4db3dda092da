"""RenameObject: https://docs.aws.amazon.com/AmazonS3/latest/API/API_RenameObject.html"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.harness import Node
from tests.wire.people import People
from tests.wire.support import exists, expect_error, object_target, put_parts, read, refused

EARLIER = datetime.now(UTC) - timedelta(days=1)
LATER = datetime.now(UTC) + timedelta(days=1)


def test_an_object_gets_another_name_with_all_that_it_has(s3: Any, bucket: str) -> None:
    made = s3.put_object(
        Bucket=bucket, Key="old", Body=b"bytes", Metadata={"a": "1"}, ContentType="text/x"
    )
    s3.put_object(Bucket=bucket, Key="new/name", Body=b"replaced")
    reply = s3.rename_object(Bucket=bucket, Key="new/name", RenameSource=f"/{bucket}/old")
    assert reply["ResponseMetadata"]["HTTPStatusCode"] == 200
    found = s3.get_object(Bucket=bucket, Key="new/name")
    assert found["Body"].read() == b"bytes"
    assert (found["ETag"], found["Metadata"]) == (made["ETag"], {"a": "1"})
    assert found["ContentType"] == "text/x"
    assert not exists(s3, bucket, "old")


@pytest.mark.parametrize("form", ["{bucket}/k%20%C3%A4", "/{bucket}/k%20%C3%A4", "k%20%C3%A4"])
def test_the_source_is_named_in_three_ways(node: Node, s3: Any, bucket: str, form: str) -> None:
    s3.put_object(Bucket=bucket, Key="k ä", Body=b"1")
    headers = {"x-amz-rename-source": form.format(bucket=bucket)}
    reply = node.send("PUT", object_target(bucket, "to", "renameObject"), headers=headers)
    assert reply.status == 200, reply.body
    assert read(s3, bucket, "to") == b"1"


def test_what_cannot_be_renamed_is_told(node: Node, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    with refused(404, "NoSuchKey"):
        s3.rename_object(Bucket=bucket, Key="to", RenameSource=f"{bucket}/none")
    with refused(400, "InvalidRequest"):
        s3.rename_object(Bucket=bucket, Key="k", RenameSource=f"{bucket}/k")
    with refused(400, "InvalidRequest"):
        s3.rename_object(Bucket=bucket, Key="to", RenameSource="/another-bucket/k")
    expect_error(
        node.send("PUT", object_target(bucket, "to", "renameObject")), 400, "InvalidArgument"
    )


def test_an_object_of_parts_is_renamed(s3: Any, bucket: str) -> None:
    body = [b"a" * (5 << 20), b"b"]
    put_parts(s3, bucket, "old", body)
    s3.rename_object(Bucket=bucket, Key="new", RenameSource=f"{bucket}/old")
    assert read(s3, bucket, "new") == b"".join(body)
    assert s3.head_object(Bucket=bucket, Key="new", PartNumber=2)["ContentLength"] == 1


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ({"SourceIfMatch": "{etag}"}, True),
        ({"SourceIfMatch": '"other"'}, False),
        ({"SourceIfNoneMatch": '"other"'}, True),
        ({"SourceIfNoneMatch": "{etag}"}, False),
        ({"SourceIfNoneMatch": "*"}, False),
        ({"SourceIfModifiedSince": EARLIER}, True),
        ({"SourceIfModifiedSince": LATER}, False),
        ({"SourceIfUnmodifiedSince": LATER}, True),
        ({"SourceIfUnmodifiedSince": EARLIER}, False),
        ({"DestinationIfMatch": "{target}"}, True),
        ({"DestinationIfMatch": "{etag}"}, False),
        ({"DestinationIfNoneMatch": "*"}, False),
        ({"DestinationIfNoneMatch": "{target}"}, False),
        ({"DestinationIfModifiedSince": EARLIER}, True),
        ({"DestinationIfModifiedSince": LATER}, False),
        ({"DestinationIfUnmodifiedSince": LATER}, True),
        ({"DestinationIfUnmodifiedSince": EARLIER}, False),
    ],
)
def test_conditions_on_source_and_destination(
    s3: Any, bucket: str, condition: dict[str, Any], holds: bool
) -> None:
    etag = s3.put_object(Bucket=bucket, Key="old", Body=b"1")["ETag"]
    target = s3.put_object(Bucket=bucket, Key="new", Body=b"2")["ETag"]
    given = {
        name: value.format(etag=etag, target=target) if isinstance(value, str) else value
        for name, value in condition.items()
    }
    call = {"Bucket": bucket, "Key": "new", "RenameSource": f"{bucket}/old", **given}
    if holds:
        s3.rename_object(**call)
        assert read(s3, bucket, "new") == b"1"
        return
    with refused(412, "PreconditionFailed"):
        s3.rename_object(**call)
    assert (read(s3, bucket, "old"), read(s3, bucket, "new")) == (b"1", b"2")


def test_conditions_on_a_destination_that_is_not_there(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="old", Body=b"1")
    call = {"Bucket": bucket, "Key": "new", "RenameSource": f"{bucket}/old"}
    with refused(412, "PreconditionFailed"):
        s3.rename_object(**call, DestinationIfMatch='"any"')
    with refused(412, "PreconditionFailed"):
        s3.rename_object(**call, DestinationIfModifiedSince=EARLIER)
    s3.rename_object(**call, DestinationIfNoneMatch="*")
    assert read(s3, bucket, "new") == b"1"


def test_a_rename_is_done_once_under_a_token(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="old", Body=b"1")
    call = {"Bucket": bucket, "Key": "new", "RenameSource": f"{bucket}/old", "ClientToken": "t-1"}
    s3.rename_object(**call)
    s3.put_object(Bucket=bucket, Key="old", Body=b"2")
    s3.rename_object(**call)
    assert (read(s3, bucket, "old"), read(s3, bucket, "new")) == (b"2", b"1")
    with refused(400, "IdempotencyParameterMismatch"):
        s3.rename_object(**call | {"Key": "other"})
    with refused(400, "InvalidArgument"):
        s3.rename_object(**call | {"ClientToken": "x" * 65})


def test_where_versions_are_kept_the_source_gets_a_marker(s3: Any, bucket: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    first = s3.put_object(Bucket=bucket, Key="old", Body=b"1")["VersionId"]
    call = {"Bucket": bucket, "Key": "new", "RenameSource": f"{bucket}/old", "ClientToken": "t-2"}
    s3.rename_object(**call)
    s3.rename_object(**call)
    assert read(s3, bucket, "new") == b"1"
    assert not exists(s3, bucket, "old")
    assert read(s3, bucket, "old", VersionId=first) == b"1"
    listed = s3.list_object_versions(Bucket=bucket)
    assert [entry["Key"] for entry in listed["DeleteMarkers"]] == ["old"]
    for entry in [*listed["Versions"], *listed["DeleteMarkers"]]:
        s3.delete_object(Bucket=bucket, Key=entry["Key"], VersionId=entry["VersionId"])


def test_reading_and_removing_the_source_is_asked_for(people: People, alices: str) -> None:
    people.alice.s3.put_object(Bucket=alices, Key="old", Body=b"1")

    def allow(*actions: str) -> dict[str, Any]:
        return {"Effect": "Allow", "Action": list(actions), "Resource": f"arn:aws:s3:::{alices}/*"}

    needed = ["s3:RenameObject", "s3:PutObject", "s3:GetObject", "s3:DeleteObject"]
    call: Callable[[], Any] = lambda: people.ann.s3.rename_object(  # noqa: E731
        Bucket=alices, Key="new", RenameSource=f"{alices}/old"
    )
    for left_out in needed:
        rest = [action for action in needed if action != left_out]
        with people.allowed(people.ann, allow(*rest)), refused(403, "AccessDenied"):
            call()
    with people.allowed(people.ann, allow(*needed)):
        call()
    assert read(people.alice.s3, alices, "new") == b"1"
