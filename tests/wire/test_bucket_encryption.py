"""PutBucketEncryption, GetBucketEncryption, DeleteBucketEncryption."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.cluster.cluster import Cluster
from tests.harness import Node
from tests.wire.sealed import REPORTS, customer
from tests.wire.support import bucket_target, content_md5, expect_error, refused

AES256 = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"},
                     "BucketKeyEnabled": False}]}  # fmt: skip


def rule(mode: str, key: str = "", **more: Any) -> dict[str, Any]:
    default = {"SSEAlgorithm": mode, **({"KMSMasterKeyID": key} if key else {})}
    return {"Rules": [{"ApplyServerSideEncryptionByDefault": default, **more}]}


def put(s3: Any, bucket: str, configuration: dict[str, Any]) -> None:
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=configuration)


def settle(node: Node) -> None:
    """Let all gateways of a cluster know: they look at documents again within a second."""
    if isinstance(node, Cluster):
        time.sleep(1.2)


def get(s3: Any, bucket: str) -> Any:
    return s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]


def test_with_a_ring_every_bucket_says_what_it_does(
    sealing_node: Node, sealing: Any, vault: str
) -> None:
    assert get(sealing, vault) == AES256
    put(sealing, vault, rule("aws:kms", REPORTS, BucketKeyEnabled=True))
    assert get(sealing, vault) == rule("aws:kms", REPORTS, BucketKeyEnabled=True)
    settle(sealing_node)
    told = sealing.put_object(Bucket=vault, Key="k", Body=b"x")
    assert (told["ServerSideEncryption"], told["SSEKMSKeyId"]) == ("aws:kms", REPORTS)
    assert told["BucketKeyEnabled"] is True
    plain = sealing.put_object(Bucket=vault, Key="k", Body=b"x", BucketKeyEnabled=False)
    assert (plain["ServerSideEncryption"], plain.get("BucketKeyEnabled")) == ("aws:kms", None)
    upload = sealing.create_multipart_upload(Bucket=vault, Key="k")
    assert upload["SSEKMSKeyId"] == REPORTS
    copied = sealing.copy_object(Bucket=vault, Key="to", CopySource=f"{vault}/k")
    assert copied["SSEKMSKeyId"] == REPORTS
    sealing.delete_bucket_encryption(Bucket=vault)
    settle(sealing_node)
    assert get(sealing, vault) == AES256
    assert sealing.put_object(Bucket=vault, Key="k", Body=b"x")["ServerSideEncryption"] == "AES256"


def test_without_a_ring_there_is_none_until_it_is_asked_for(
    node: Node, s3: Any, bucket: str
) -> None:
    with refused(404, "ServerSideEncryptionConfigurationNotFoundError"):
        get(s3, bucket)
    if isinstance(node, Cluster):  # its nodes have no key of their own
        with refused(501, "NotImplemented"):
            put(s3, bucket, AES256)
    else:
        put(s3, bucket, AES256)
        assert get(s3, bucket) == AES256
        told = s3.put_object(Bucket=bucket, Key="k", Body=b"x")
        assert told["ServerSideEncryption"] == "AES256"
    s3.delete_bucket_encryption(Bucket=bucket)
    settle(node)
    assert "ServerSideEncryption" not in s3.put_object(Bucket=bucket, Key="plain", Body=b"x")


def test_keys_of_clients_can_be_blocked(node: Node, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="before", Body=b"x", **customer())
    blocked = {"Rules": [{"BlockedEncryptionTypes": {"EncryptionType": ["SSE-C"]}}]}
    put(s3, bucket, blocked)
    settle(node)
    assert get(s3, bucket)["Rules"][0]["BlockedEncryptionTypes"] == {"EncryptionType": ["SSE-C"]}
    with refused(403, "AccessDenied"):
        s3.put_object(Bucket=bucket, Key="k", Body=b"x", **customer())
    with refused(403, "AccessDenied"):
        s3.create_multipart_upload(Bucket=bucket, Key="k", **customer())
    with refused(403, "AccessDenied"):
        s3.copy_object(
            Bucket=bucket,
            Key="k",
            CopySource=f"{bucket}/before",
            **{f"CopySource{name}": value for name, value in customer().items()},
            **customer(),
        )
    assert s3.get_object(Bucket=bucket, Key="before", **customer())["Body"].read() == b"x"
    put(s3, bucket, {"Rules": [{"BlockedEncryptionTypes": {"EncryptionType": ["NONE"]}}]})
    settle(node)
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", **customer())


def test_a_key_is_looked_for_by_those_who_write(
    sealing_node: Node, sealing: Any, vault: str
) -> None:
    """The API reference: "Amazon S3 doesn't validate the KMS key ID provided"."""
    put(sealing, vault, rule("aws:kms", REPORTS.replace("reports", "nobody")))
    settle(sealing_node)
    with refused(400, "KMS.NotFoundException"):
        sealing.put_object(Bucket=vault, Key="k", Body=b"x")
    with refused(400, "KMS.NotFoundException"):
        sealing.create_multipart_upload(Bucket=vault, Key="k")
    assert sealing.put_object(Bucket=vault, Key="k", Body=b"x", ServerSideEncryption="AES256")


@pytest.mark.parametrize(
    ("mode", "key", "code"),
    [
        ("AES256", "reports", "InvalidArgument"),
        ("aws:fsx", "", "MalformedXML"),
        ("rot13", "", "MalformedXML"),
    ],
)
def test_what_cannot_be_is_refused(
    sealing: Any, vault: str, mode: str, key: str, code: str
) -> None:
    with refused(400, code):
        put(sealing, vault, rule(mode, key))
    assert get(sealing, vault) == AES256


DEFAULT = (
    "<ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm>"
    "</ApplyServerSideEncryptionByDefault>"
)


@pytest.mark.parametrize(
    "inner",
    [
        "",
        "<Rule></Rule>",
        f"<Rule>{DEFAULT}</Rule><Rule>{DEFAULT}</Rule>",
        f"<Rule>{DEFAULT}{DEFAULT}</Rule>",
        f"<Rule>{DEFAULT}<Other/></Rule>",
        f"<Rule>{DEFAULT}<BucketKeyEnabled>yes</BucketKeyEnabled></Rule>",
        "<Rule><BlockedEncryptionTypes><EncryptionType>SSE-S3</EncryptionType>"
        "</BlockedEncryptionTypes></Rule>",
        "<Rule><BlockedEncryptionTypes></BlockedEncryptionTypes></Rule>",
    ],
)
def test_malformed_documents_are_refused(sealing_node: Node, vault: str, inner: str) -> None:
    body = (
        f"<ServerSideEncryptionConfiguration>{inner}</ServerSideEncryptionConfiguration>".encode()
    )
    reply = sealing_node.send(
        "PUT",
        bucket_target(vault, "encryption"),
        headers={"Content-MD5": content_md5(body)},
        body=body,
    )
    expect_error(reply, 400, "MalformedXML")
