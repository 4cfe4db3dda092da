"""PutBucketAcl: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketAcl.html"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.harness import Node
from tests.wire import acls
from tests.wire.support import bucket_target, content_md5, expect_error, refused


@pytest.fixture
def owner(s3: Any, bucket: str) -> str:
    return str(s3.get_bucket_acl(Bucket=bucket)["Owner"]["ID"])


@pytest.mark.parametrize("name", sorted(acls.CANNED))
def test_a_canned_acl_is_set(node: Node, s3: Any, bucket: str, owner: str, name: str) -> None:
    target = bucket_target(bucket, "acl")
    reply = node.send("PUT", target, headers={"x-amz-acl": name})
    assert (reply.status, reply.body) == (200, b"")
    first, *others = acls.of_bucket(s3, bucket)
    assert first == (owner, "FULL_CONTROL")
    assert set(others) == acls.CANNED[name]


@pytest.mark.parametrize("name", sorted(acls.CANNED))
def test_a_bucket_is_made_with_a_canned_acl(
    s3: Any, node: Node, make_bucket: Callable[..., str], name: str
) -> None:
    bucket = make_bucket(ACL=name)
    (_, permission), *others = acls.of_bucket(s3, bucket)
    assert permission == "FULL_CONTROL"
    assert set(others) == acls.CANNED[name]


def test_private_takes_everything_back(s3: Any, bucket: str, owner: str) -> None:
    s3.put_bucket_acl(Bucket=bucket, ACL="public-read-write")
    s3.put_bucket_acl(Bucket=bucket, ACL="private")
    assert acls.of_bucket(s3, bucket) == [(owner, "FULL_CONTROL")]


def test_a_canned_acl_that_is_none_is_refused(node: Node, s3: Any, bucket: str, owner: str) -> None:
    for target in (bucket_target(bucket, "acl"), bucket_target("never-made-for-acls")):
        reply = node.send("PUT", target, headers={"x-amz-acl": "public-ready"})
        expect_error(reply, 400, "InvalidArgument")
        assert reply.xml.findtext("ArgumentName") == "x-amz-acl"
    assert acls.of_bucket(s3, bucket) == [(owner, "FULL_CONTROL")]
    with refused(404, "404"):
        s3.head_bucket(Bucket="never-made-for-acls")


def test_headers_grant_to_ids_and_groups(s3: Any, bucket: str, owner: str) -> None:
    s3.put_bucket_acl(
        Bucket=bucket,
        GrantFullControl=f'id="{owner}"',
        GrantRead=f'uri="{acls.ALL_USERS}", uri={acls.LOG_DELIVERY}',
        GrantWriteACP=f"id={owner}",
    )
    assert acls.of_bucket(s3, bucket) == [
        (owner, "FULL_CONTROL"),
        (owner, "WRITE_ACP"),
        (acls.ALL_USERS, "READ"),
        (acls.LOG_DELIVERY, "READ"),
    ]


def test_grants_name_everyone_who_has_any(s3: Any, bucket: str) -> None:
    s3.put_bucket_acl(Bucket=bucket, GrantRead=f'uri="{acls.ALL_USERS}"')
    assert acls.of_bucket(s3, bucket) == [(acls.ALL_USERS, "READ")]


@pytest.mark.parametrize("header", ["full-control", "read", "write", "read-acp", "write-acp"])
def test_a_bucket_is_made_with_a_grant(
    s3: Any, make_bucket: Callable[..., str], header: str
) -> None:
    parameter = "Grant" + "".join(
        {"acp": "ACP"}.get(part, part.title()) for part in header.split("-")
    )
    bucket = make_bucket(**{parameter: f'uri="{acls.LOG_DELIVERY}"'})
    permission = header.upper().replace("-", "_")
    assert acls.of_bucket(s3, bucket) == [(acls.LOG_DELIVERY, permission)]


@pytest.mark.parametrize(
    ("grantee", "code"),
    [
        ('id="0000"', "InvalidArgument"),
        (f'id="{"f" * 64}"', "InvalidArgument"),
        ('uri="http://acs.amazonaws.com/groups/global/Nobody"', "InvalidArgument"),
        ('emailAddress="nobody@example.org"', "UnresolvableGrantByEmailAddress"),
        ("nobody", "InvalidArgument"),
        ('name="root"', "InvalidArgument"),
        ("id=", "InvalidArgument"),
        ("", "InvalidArgument"),
        (",", "InvalidArgument"),
    ],
)
def test_a_grantee_who_is_not_there_is_refused(
    node: Node, s3: Any, bucket: str, owner: str, grantee: str, code: str
) -> None:
    headers = {"x-amz-grant-read": grantee}
    reply = node.send("PUT", bucket_target(bucket, "acl"), headers=headers)
    expect_error(reply, 400, code)
    assert acls.of_bucket(s3, bucket) == [(owner, "FULL_CONTROL")]


def test_a_canned_acl_and_grants_exclude_each_other(s3: Any, bucket: str, owner: str) -> None:
    with refused(400, "InvalidRequest"):
        s3.put_bucket_acl(Bucket=bucket, ACL="private", GrantRead=f'id="{owner}"')


def test_headers_and_a_document_exclude_each_other(node: Node, bucket: str, owner: str) -> None:
    body = acls.document(owner, [acls.grant("CanonicalUser", "ID", owner, "FULL_CONTROL")])
    headers = {"x-amz-acl": "private"}
    reply = node.send("PUT", bucket_target(bucket, "acl"), headers=headers, body=body)
    expect_error(reply, 400, "UnexpectedContent")


def test_neither_headers_nor_a_document_is_too_little(node: Node, bucket: str) -> None:
    expect_error(node.send("PUT", bucket_target(bucket, "acl")), 400, "MissingSecurityHeader")


def test_a_document_sets_grants(s3: Any, bucket: str, owner: str) -> None:
    given = [
        ("CanonicalUser", owner, "FULL_CONTROL"),
        ("Group", acls.AUTHENTICATED_USERS, "READ"),
        ("Group", acls.LOG_DELIVERY, "WRITE"),
    ]
    s3.put_bucket_acl(Bucket=bucket, AccessControlPolicy=acls.policy(owner, *given))
    assert acls.of_bucket(s3, bucket) == [(who, permission) for _, who, permission in given]


def test_an_acl_without_grants_can_be_set_and_taken_back(s3: Any, bucket: str, owner: str) -> None:
    s3.put_bucket_acl(Bucket=bucket, AccessControlPolicy=acls.policy(owner))
    assert acls.of_bucket(s3, bucket) == []
    s3.put_bucket_acl(Bucket=bucket, ACL="private")
    assert acls.of_bucket(s3, bucket) == [(owner, "FULL_CONTROL")]


def _bad_documents() -> dict[str, tuple[str, int, str]]:
    """Documents with OWNER in the place of the owner, and how they are refused."""
    full = acls.grant("CanonicalUser", "ID", "OWNER", "FULL_CONTROL")
    good = acls.document("OWNER", [full]).decode()
    malformed = (400, "MalformedACLError")

    def with_grant(text: str) -> str:
        return acls.document("OWNER", [text]).decode()

    return {
        "no xml": ("{}", *malformed),
        "another root": (good.replace("AccessControlPolicy", "Tagging"), *malformed),
        "no owner": (good.replace("<Owner><ID>OWNER</ID></Owner>", ""), *malformed),
        "no list": ("<AccessControlPolicy><Owner><ID>OWNER</ID></Owner></AccessControlPolicy>",
                    *malformed),
        "another owner": (good.replace("<Owner><ID>OWNER", "<Owner><ID>" + "f" * 64), 403,
                          "AccessDenied"),
        "no permission": (good.replace("<Permission>FULL_CONTROL</Permission>", ""), *malformed),
        "unknown permission": (good.replace("FULL_CONTROL", "EXECUTE"), *malformed),
        "no type": (good.replace('xsi:type="CanonicalUser"', ""), *malformed),
        "unknown type": (good.replace("CanonicalUser", "Robot"), *malformed),
        "type of another": (good.replace("CanonicalUser", "Group"), *malformed),
        "no grantee": (with_grant("<Grant><Permission>READ</Permission></Grant>"), *malformed),
        "empty id": (with_grant(acls.grant("CanonicalUser", "ID", "")), *malformed),
        "unknown id": (with_grant(acls.grant("CanonicalUser", "ID", "nobody")), 400,
                       "InvalidArgument"),
        "unknown group": (with_grant(acls.grant("Group", "URI", "http://example.org/")), 400,
                          "InvalidArgument"),
        "unknown address": (
            with_grant(acls.grant("AmazonCustomerByEmail", "EmailAddress", "no@example.org")),
            400, "UnresolvableGrantByEmailAddress"),
        "101 grants": (acls.document("OWNER", [full] * 101).decode(), *malformed),
        "entities": (
            '<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;&b;&b;">]>'
            + good.replace("READ", "&c;"), *malformed),
        "deep": ("<AccessControlPolicy>" * 40 + "</AccessControlPolicy>" * 40, *malformed),
        "too long": (good + " " * (1 << 17), 400, "MaxMessageLengthExceeded"),
        "bytes": (good.replace("OWNER", "\udcff"), *malformed),
    }  # fmt: skip


BAD = _bad_documents()


@pytest.mark.parametrize("name", list(BAD))
def test_a_bad_document_is_refused_and_changes_nothing(
    node: Node, s3: Any, bucket: str, owner: str, name: str
) -> None:
    text, status, code = BAD[name]
    body = text.replace("OWNER", owner).encode("utf-8", "surrogateescape")
    expect_error(node.send("PUT", bucket_target(bucket, "acl"), body=body), status, code)
    assert acls.of_bucket(s3, bucket) == [(owner, "FULL_CONTROL")]


def test_100_grants_are_allowed(node: Node, s3: Any, bucket: str, owner: str) -> None:
    listed = [acls.grant("CanonicalUser", "ID", owner, "FULL_CONTROL")] * 50
    listed += [acls.grant("Group", "URI", acls.ALL_USERS, "READ_ACP")] * 50
    body = acls.document(owner, listed)
    assert node.send("PUT", bucket_target(bucket, "acl"), body=body).status == 200
    assert acls.of_bucket(s3, bucket) == [(owner, "FULL_CONTROL"), (acls.ALL_USERS, "READ_ACP")]


def test_the_prefix_of_the_instance_namespace_does_not_matter(
    node: Node, s3: Any, bucket: str, owner: str
) -> None:
    text = acls.grant("Group", "URI", acls.ALL_USERS).replace("xsi", "i")
    reply = node.send("PUT", bucket_target(bucket, "acl"), body=acls.document(owner, [text]))
    assert reply.status == 200
    assert acls.of_bucket(s3, bucket) == [(acls.ALL_USERS, "READ")]


def test_a_document_is_held_to_its_digests(node: Node, s3: Any, bucket: str, owner: str) -> None:
    body = acls.document(owner, [acls.grant("Group", "URI", acls.ALL_USERS)])
    target = bucket_target(bucket, "acl")
    headers = {"Content-MD5": content_md5(b"other")}
    expect_error(node.send("PUT", target, headers=headers, body=body), 400, "BadDigest")
    headers = {"x-amz-checksum-crc32": "AAAAAA=="}
    expect_error(node.send("PUT", target, headers=headers, body=body), 400, "BadDigest")
    assert acls.of_bucket(s3, bucket) == [(owner, "FULL_CONTROL")]


def test_with_the_owner_enforced_no_acl_can_be_set(
    s3: Any, make_bucket: Callable[..., str]
) -> None:
    bucket = make_bucket(ObjectOwnership="BucketOwnerEnforced")
    owner = s3.get_bucket_acl(Bucket=bucket)["Owner"]["ID"]
    with refused(400, "AccessControlListNotSupported"):
        s3.put_bucket_acl(Bucket=bucket, ACL="public-read")
    with refused(400, "AccessControlListNotSupported"):
        s3.put_bucket_acl(Bucket=bucket, GrantRead=f'uri="{acls.LOG_DELIVERY}"')
    # What Terraform's users know: "The bucket does not allow ACLs", not even this one.
    with refused(400, "AccessControlListNotSupported"):
        s3.put_bucket_acl(Bucket=bucket, ACL="private")
    full = acls.policy(owner, ("CanonicalUser", owner, "FULL_CONTROL"))
    s3.put_bucket_acl(Bucket=bucket, AccessControlPolicy=full)
    s3.put_bucket_acl(Bucket=bucket, ACL="bucket-owner-full-control")


def test_where_public_acls_are_blocked_none_can_be_set(s3: Any, bucket: str, owner: str) -> None:
    s3.put_public_access_block(
        Bucket=bucket, PublicAccessBlockConfiguration={"BlockPublicAcls": True}
    )
    for name in ("public-read", "public-read-write", "authenticated-read"):
        with refused(403, "AccessDenied"):
            s3.put_bucket_acl(Bucket=bucket, ACL=name)
    s3.put_bucket_acl(Bucket=bucket, ACL="log-delivery-write")
    assert len(acls.of_bucket(s3, bucket)) == 3


def test_the_acl_goes_with_the_bucket(s3: Any, make_bucket: Callable[..., str]) -> None:
    bucket = make_bucket(ACL="public-read")
    s3.delete_bucket(Bucket=bucket)
    s3.create_bucket(Bucket=bucket)
    assert len(acls.of_bucket(s3, bucket)) == 1
