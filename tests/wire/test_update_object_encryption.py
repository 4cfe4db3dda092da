"""UpdateObjectEncryption."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cluster.cluster import Cluster
from tests.harness import Node
from tests.wire.sealed import REPORTS, customer
from tests.wire.support import content_md5, expect_error, object_target, pattern, read, refused


def update(s3: Any, bucket: str, key: str = "k", arn: str = REPORTS, **more: Any) -> None:
    kms = {"KMSKeyArn": arn, **more}
    s3.update_object_encryption(Bucket=bucket, Key=key, ObjectEncryption={"SSEKMS": kms})


@pytest.mark.parametrize("before", ["AES256", "aws:kms"])
def test_the_key_changes_and_nothing_else(sealing: Any, vault: str, before: str) -> None:
    data = pattern(100_000)
    sealing.put_object(
        Bucket=vault, Key="k", Body=data, Metadata={"a": "b"}, ServerSideEncryption=before
    )
    old = sealing.head_object(Bucket=vault, Key="k")
    update(sealing, vault, BucketKeyEnabled=True)
    new = sealing.head_object(Bucket=vault, Key="k")
    assert (new["ServerSideEncryption"], new["SSEKMSKeyId"]) == ("aws:kms", REPORTS)
    assert new["BucketKeyEnabled"] is True
    for name in ("ETag", "LastModified", "ContentLength", "Metadata"):
        assert new[name] == old[name]
    assert read(sealing, vault, "k") == data
    sealing.copy_object(Bucket=vault, Key="copy", CopySource=f"{vault}/k")
    assert read(sealing, vault, "copy") == data


@pytest.mark.parametrize("parameters", [customer(), {"ServerSideEncryption": "aws:kms:dsse"}])
def test_some_objects_cannot_be_changed(sealing: Any, vault: str, parameters: Any) -> None:
    sealing.put_object(Bucket=vault, Key="k", Body=b"x", **parameters)
    with refused(400, "InvalidRequest"):
        update(sealing, vault)


def test_what_is_not_there_cannot_be_changed(
    sealing: Any, vault: str, node: Node, s3: Any, bucket: str
) -> None:
    with refused(404, "NoSuchKey"):
        update(sealing, vault)
    sealing.put_object(Bucket=vault, Key="k", Body=b"x")
    with refused(400, "KMS.NotFoundException"):
        update(sealing, vault, arn=REPORTS.replace("reports", "nobody"))
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    shared = isinstance(node, Cluster)  # whose nodes have no key of their own
    with refused(501 if shared else 400, ("KMS.NotFoundException", "NotImplemented")):
        update(s3, bucket)


@pytest.mark.parametrize(
    ("inner", "code"),
    [
        ("", "MalformedXML"),
        ("<SSE-S3/>", "InvalidRequest"),
        ("<SSE-C/>", "InvalidRequest"),
        ("<SSE-KMS/>", "InvalidRequest"),
        ("<SSE-KMS><KMSKeyArn>reports</KMSKeyArn></SSE-KMS>", "InvalidRequest"),
        (
            f"<SSE-KMS><KMSKeyArn>{REPORTS}</KMSKeyArn><BucketKeyEnabled>1</BucketKeyEnabled>"
            "</SSE-KMS>",
            "InvalidRequest",
        ),
    ],
)
def test_what_is_wrong_with_a_request(
    sealing_node: Node, sealing: Any, vault: str, inner: str, code: str
) -> None:
    sealing.put_object(Bucket=vault, Key="k", Body=b"x")
    body = f"<ObjectEncryption>{inner}</ObjectEncryption>".encode()
    reply = sealing_node.send(
        "PUT",
        object_target(vault, "k", "encryption"),
        headers={"Content-MD5": content_md5(body)},
        body=body,
    )
    expect_error(reply, 400, code)


def test_a_former_version_is_changed_by_its_id(sealing: Any, vault: str) -> None:
    sealing.put_bucket_versioning(Bucket=vault, VersioningConfiguration={"Status": "Enabled"})
    first, _ = (
        sealing.put_object(Bucket=vault, Key="k", Body=b"%d" % n)["VersionId"] for n in range(2)
    )
    sealing.update_object_encryption(
        Bucket=vault, Key="k", VersionId=first, ObjectEncryption={"SSEKMS": {"KMSKeyArn": REPORTS}}
    )
    named = {"Bucket": vault, "Key": "k"}
    assert sealing.head_object(**named)["ServerSideEncryption"] == "AES256"
    changed = sealing.get_object(**named, VersionId=first)
    assert (changed["ServerSideEncryption"], changed["Body"].read()) == ("aws:kms", b"0")
