"""Object Lock of buckets: how they get it, their defaults, and what is refused without it.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html
"""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.harness import Node
from tests.wire.locks import BODY, default, governed, put, retain, soon
from tests.wire.support import bucket_target, content_md5, expect_error, refused


def test_a_bucket_made_with_it_keeps_versions_for_good(s3: Any, locked: str) -> None:
    assert s3.get_bucket_versioning(Bucket=locked)["Status"] == "Enabled"
    told = s3.get_object_lock_configuration(Bucket=locked)["ObjectLockConfiguration"]
    assert told == {"ObjectLockEnabled": "Enabled"}
    # Terraform goes by these words when it is to take the versioning of such a bucket away.
    told = "An Object Lock configuration is present on this bucket, so the versioning state cannot"
    with pytest.raises(ClientError, match=rf"\(InvalidBucketState\).*{told} be changed"):
        s3.put_bucket_versioning(Bucket=locked, VersioningConfiguration={"Status": "Suspended"})
    assert s3.get_bucket_versioning(Bucket=locked)["Status"] == "Enabled"


def test_a_bucket_gets_it_once_it_is_versioned(s3: Any, bucket: str) -> None:
    with refused(404, "ObjectLockConfigurationNotFoundError"):
        s3.get_object_lock_configuration(Bucket=bucket)
    given = {"ObjectLockEnabled": "Enabled"}
    for status in ("", "Suspended"):
        if status:
            configuration = {"Status": status}
            s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=configuration)
        with refused(409, "InvalidBucketState"):
            s3.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=given)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=given)
    with refused(409, "InvalidBucketState"):
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    version = put(s3, bucket, **governed())
    with refused(403, "AccessDenied"):
        s3.delete_object(Bucket=bucket, Key="k", VersionId=version)
    s3.delete_object(Bucket=bucket, Key="k", VersionId=version, BypassGovernanceRetention=True)


@pytest.mark.parametrize("period", [{"Days": 1}, {"Days": 36_500}, {"Years": 1}, {"Years": 100}])
def test_a_default_comes_back(s3: Any, locked: str, period: dict[str, int]) -> None:
    given = default("COMPLIANCE", **period)
    s3.put_object_lock_configuration(Bucket=locked, ObjectLockConfiguration=given)
    told = s3.get_object_lock_configuration(Bucket=locked)
    assert told["ObjectLockConfiguration"] == given
    plain = {"ObjectLockEnabled": "Enabled"}
    s3.put_object_lock_configuration(Bucket=locked, ObjectLockConfiguration=plain)
    told = s3.get_object_lock_configuration(Bucket=locked)
    assert told["ObjectLockConfiguration"] == plain


ENABLED = "<ObjectLockEnabled>Enabled</ObjectLockEnabled>"


def rule(inner: str) -> str:
    return f"{ENABLED}<Rule><DefaultRetention>{inner}</DefaultRetention></Rule>"


CONFIGURATIONS = {
    "nothing": ("", "MalformedXML"),
    "disabled": ("<ObjectLockEnabled>Disabled</ObjectLockEnabled>", "MalformedXML"),
    "no mode": (rule("<Days>1</Days>"), "MalformedXML"),
    "another mode": (rule("<Mode>SOFT</Mode><Days>1</Days>"), "MalformedXML"),
    "no period": (rule("<Mode>GOVERNANCE</Mode>"), "MalformedXML"),
    "both": (rule("<Mode>GOVERNANCE</Mode><Days>1</Days><Years>1</Years>"), "MalformedXML"),
    "no number": (rule("<Mode>GOVERNANCE</Mode><Days>x</Days>"), "MalformedXML"),
    "nought": (rule("<Mode>GOVERNANCE</Mode><Days>0</Days>"), "InvalidArgument"),
    "negative": (rule("<Mode>GOVERNANCE</Mode><Years>-1</Years>"), "InvalidArgument"),
    "too many days": (rule("<Mode>GOVERNANCE</Mode><Days>36501</Days>"), "InvalidArgument"),
    "too many years": (rule("<Mode>GOVERNANCE</Mode><Years>101</Years>"), "InvalidArgument"),
}


def test_configurations_that_are_wrong(node: Node, s3: Any, locked: str) -> None:
    for inner, code in CONFIGURATIONS.values():
        body = f"<ObjectLockConfiguration>{inner}</ObjectLockConfiguration>".encode()
        headers = {"Content-MD5": content_md5(body)}
        target = bucket_target(locked, "object-lock")
        expect_error(node.send("PUT", target, headers=headers, body=body), 400, code)
    told = s3.get_object_lock_configuration(Bucket=locked)["ObjectLockConfiguration"]
    assert told == {"ObjectLockEnabled": "Enabled"}


def test_a_bucket_without_it_locks_nothing(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=BODY)
    calls = (
        lambda: s3.put_object(Bucket=bucket, Key="n", Body=BODY, **governed()),
        lambda: s3.put_object(Bucket=bucket, Key="n", Body=BODY, ObjectLockLegalHoldStatus="ON"),
        lambda: s3.create_multipart_upload(Bucket=bucket, Key="n", **governed()),
        lambda: s3.copy_object(
            Bucket=bucket, Key="n", CopySource={"Bucket": bucket, "Key": "k"}, **governed()
        ),
        lambda: s3.get_object_retention(Bucket=bucket, Key="k"),
        lambda: s3.get_object_legal_hold(Bucket=bucket, Key="k"),
        lambda: retain(s3, bucket, "GOVERNANCE", soon()),
        lambda: s3.put_object_legal_hold(Bucket=bucket, Key="k", LegalHold={"Status": "ON"}),
    )
    for call in calls:
        with refused(400, "InvalidRequest"):
            call()
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["k"]
