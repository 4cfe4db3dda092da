"""RestoreObject: https://docs.aws.amazon.com/AmazonS3/latest/API/API_RestoreObject.html"""

from __future__ import annotations

from datetime import UTC
from email.utils import format_datetime
from typing import Any

import pytest

from tests.harness import Node
from tests.wire.support import bucket_target, expect_error, object_target, read, refused

REQUEST = {"Days": 2, "GlacierJobParameters": {"Tier": "Bulk"}}


@pytest.mark.parametrize("archive", ["GLACIER", "DEEP_ARCHIVE"])
def test_an_archived_object_is_restored_at_once_and_says_so(
    s3: Any, bucket: str, archive: str
) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"cold", StorageClass=archive)
    assert "Restore" not in s3.head_object(Bucket=bucket, Key="k")
    assert read(s3, bucket, "k") == b"cold"
    for status in (202, 200):
        reply = s3.restore_object(Bucket=bucket, Key="k", RestoreRequest=REQUEST)
        assert reply["ResponseMetadata"]["HTTPStatusCode"] == status
    for found in (s3.head_object(Bucket=bucket, Key="k"), s3.get_object(Bucket=bucket, Key="k")):
        assert found["Restore"].startswith('ongoing-request="false", expiry-date="')
        assert found["Restore"].endswith(' 00:00:00 GMT"')
        assert found["StorageClass"] == archive


@pytest.mark.parametrize("kind", ["STANDARD", "STANDARD_IA", "GLACIER_IR", "INTELLIGENT_TIERING"])
def test_what_is_not_archived_cannot_be_restored(s3: Any, bucket: str, kind: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"warm", StorageClass=kind)
    with refused(403, "InvalidObjectState"):
        s3.restore_object(Bucket=bucket, Key="k", RestoreRequest=REQUEST)


def test_a_version_is_restored_by_its_id(s3: Any, bucket: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    made = s3.put_object(Bucket=bucket, Key="k", Body=b"1", StorageClass="GLACIER")
    now = s3.put_object(Bucket=bucket, Key="k", Body=b"2", StorageClass="GLACIER")
    named = {"Bucket": bucket, "Key": "k", "VersionId": made["VersionId"]}
    s3.restore_object(**named, RestoreRequest=REQUEST)
    assert "Restore" in s3.head_object(**named)
    assert "Restore" not in s3.head_object(Bucket=bucket, Key="k")
    for version in (made, now):
        s3.delete_object(Bucket=bucket, Key="k", VersionId=version["VersionId"])


def test_a_copy_is_not_restored(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"1", StorageClass="GLACIER")
    s3.restore_object(Bucket=bucket, Key="k", RestoreRequest=REQUEST)
    source = {"Bucket": bucket, "Key": "k"}
    s3.copy_object(Bucket=bucket, Key="copy", CopySource=source, StorageClass="GLACIER")
    s3.copy_object(Bucket=bucket, Key="k", CopySource=source, StorageClass="DEEP_ARCHIVE")
    for key in ("copy", "k"):
        assert "Restore" not in s3.head_object(Bucket=bucket, Key=key)


@pytest.mark.parametrize(
    ("inner", "status", "code"),
    [
        ("", 400, "MalformedXML"),
        ("<Days>0</Days>", 400, "InvalidArgument"),
        ("<Days>many</Days>", 400, "InvalidArgument"),
        ("<Days>1</Days><Other/>", 400, "MalformedXML"),
        ("<Days>1</Days><Days>2</Days>", 400, "MalformedXML"),
        (
            "<Days>1</Days><GlacierJobParameters><Tier>Bulk</Tier><Tier>Bulk</Tier>"
            "</GlacierJobParameters>",
            400,
            "MalformedXML",
        ),
        ("<Days>1</Days><GlacierJobParameters/>", 400, "MalformedXML"),
        ("<Days>1</Days><Tier>Soon</Tier>", 400, "MalformedXML"),
        ("<Days>1</Days><Tier>Expedited</Tier>", 400, "InvalidArgument"),
        ("<Type>SELECT</Type>", 501, "NotImplemented"),
    ],
)
def test_what_cannot_be_asked_is_told(
    node: Node, s3: Any, bucket: str, inner: str, status: int, code: str
) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"1", StorageClass="DEEP_ARCHIVE")
    body = f"<RestoreRequest>{inner}</RestoreRequest>".encode()
    reply = node.send("POST", object_target(bucket, "k", "restore"), body=body)
    expect_error(reply, status, code)


def test_what_is_not_there_cannot_be_restored(s3: Any, bucket: str) -> None:
    with refused(404, "NoSuchKey"):
        s3.restore_object(Bucket=bucket, Key="none", RestoreRequest=REQUEST)


def test_listings_tell_what_is_restored_to_who_asks(node: Node, s3: Any, bucket: str) -> None:
    for key, kind in (("cold", "GLACIER"), ("left", "DEEP_ARCHIVE"), ("warm", "STANDARD")):
        s3.put_object(Bucket=bucket, Key=key, Body=b"1", StorageClass=kind)
    s3.restore_object(Bucket=bucket, Key="cold", RestoreRequest=REQUEST)
    shown = s3.head_object(Bucket=bucket, Key="cold")["Restore"]
    calls: tuple[tuple[Any, str, dict[str, bool]], ...] = (
        (s3.list_objects, "Contents", {}),
        (s3.list_objects_v2, "Contents", {}),
        (s3.list_objects_v2, "Contents", {"FetchOwner": True}),
        (s3.list_object_versions, "Versions", {}),
    )
    for call, name, more in calls:
        assert not any("RestoreStatus" in each for each in call(Bucket=bucket, **more)[name])
        page = call(Bucket=bucket, OptionalObjectAttributes=["RestoreStatus"], **more)
        told = {each["Key"]: each.get("RestoreStatus") for each in page[name]}
        status = told.pop("cold")
        assert told == {"left": None, "warm": None}
        assert status is not None
        assert status["IsRestoreInProgress"] is False
        assert format_datetime(status["RestoreExpiryDate"].astimezone(UTC), usegmt=True) in shown
    headers = {"x-amz-optional-object-attributes": "Colour"}
    reply = node.send("GET", bucket_target(bucket, "list-type=2"), headers=headers)
    expect_error(reply, 400, "InvalidArgument")
