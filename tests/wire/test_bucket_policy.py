"""Get/Put/DeleteBucketPolicy: what is kept and what is refused. What policies do is elsewhere.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketPolicy.html
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.harness import Node
from tests.wire.support import bucket_target, content_md5, expect_error, refused

NONE = (404, "NoSuchBucketPolicy")
NOBODY = "f" * 64


def policy(bucket: str, **changed: Any) -> dict[str, Any]:
    """A policy of one statement that lets everybody read; `None` leaves an element out."""
    statement: dict[str, Any] = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{bucket}/*",
    }
    statement |= changed
    kept = {name: value for name, value in statement.items() if value is not None}
    return {"Version": "2012-10-17", "Statement": [kept]}


def put(node: Node, bucket: str, body: bytes, **headers: str) -> Any:
    return node.send("PUT", bucket_target(bucket, "policy"), headers=headers, body=body)


def test_a_new_bucket_has_none(s3: Any, bucket: str) -> None:
    with refused(*NONE):
        s3.get_bucket_policy(Bucket=bucket)


def test_a_policy_comes_back_byte_for_byte(node: Node, s3: Any, bucket: str) -> None:
    text = json.dumps(policy(bucket, Sid="Grüße"), ensure_ascii=False, indent=3)
    body = f"{text} \r\n\t".replace("Grüße", "x").encode()
    reply = put(node, bucket, body)
    assert (reply.status, reply.body) == (204, b"")
    reply = node.send("GET", bucket_target(bucket, "policy"))
    assert reply.status == 200
    assert reply.headers["content-type"] == "application/json"
    assert reply.body == body
    assert s3.get_bucket_policy(Bucket=bucket)["Policy"] == body.decode()


def test_a_policy_replaces_another(s3: Any, bucket: str) -> None:
    for action in ("s3:GetObject", "s3:PutObject"):
        text = json.dumps(policy(bucket, Action=action))
        s3.put_bucket_policy(Bucket=bucket, Policy=text)
        assert s3.get_bucket_policy(Bucket=bucket)["Policy"] == text


def test_a_policy_is_deleted_and_deleting_none_is_no_error(s3: Any, bucket: str) -> None:
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy(bucket)))
    for _ in range(2):
        reply = s3.delete_bucket_policy(Bucket=bucket)
        assert reply["ResponseMetadata"]["HTTPStatusCode"] == 204
    with refused(*NONE):
        s3.get_bucket_policy(Bucket=bucket)


def test_a_policy_goes_with_its_bucket(s3: Any, make_bucket: Callable[..., str]) -> None:
    bucket = make_bucket()
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy(bucket)))
    s3.delete_bucket(Bucket=bucket)
    s3.create_bucket(Bucket=bucket)
    with refused(*NONE):
        s3.get_bucket_policy(Bucket=bucket)


BAD: dict[str, Callable[[str], bytes]] = {
    "nothing": lambda bucket: b"",
    "no JSON": lambda bucket: b"Statement",
    "half of it": lambda bucket: json.dumps(policy(bucket)).encode()[:-1],
    "a list": lambda bucket: b"[]",
    "no UTF-8": lambda bucket: json.dumps(policy(bucket)).encode().replace(b"Allow", b"\xff\xfe"),
    "nested": lambda bucket: b"[" * 20_000,
    "no statement": lambda bucket: b'{"Version": "2012-10-17"}',
    "a version of another year": lambda bucket: json.dumps(
        policy(bucket) | {"Version": "2020-10-17"}
    ).encode(),
    "an unknown element": lambda bucket: json.dumps(policy(bucket, Owner="me")).encode(),
    "an unknown effect": lambda bucket: json.dumps(policy(bucket, Effect="Perhaps")).encode(),
    "an unknown action": lambda bucket: json.dumps(policy(bucket, Action="s3:Fly")).encode(),
    "another bucket": lambda bucket: json.dumps(policy(f"{bucket}2")).encode(),
    "no principal": lambda bucket: json.dumps(policy(bucket, Principal=None)).encode(),
    "no resource": lambda bucket: json.dumps(policy(bucket, Resource=None)).encode(),
    "an unknown condition": lambda bucket: json.dumps(
        policy(bucket, Condition={"Feels": {"aws:SourceIp": "::1"}})
    ).encode(),
    "more than 20 KiB": lambda bucket: json.dumps(policy(bucket, Sid="x" * 20480)).encode(),
}  # fmt: skip


@pytest.mark.parametrize("name", list(BAD))
def test_a_malformed_policy_is_refused_with_the_reason(
    node: Node, s3: Any, bucket: str, name: str
) -> None:
    reply = put(node, bucket, BAD[name](bucket))
    expect_error(reply, 400, "MalformedPolicy")
    with refused(*NONE):
        s3.get_bucket_policy(Bucket=bucket)


def test_20_kib_are_allowed(node: Node, bucket: str) -> None:
    body = json.dumps(policy(bucket)).encode()
    assert put(node, bucket, body + b" " * (20480 - len(body))).status == 204


def test_more_than_can_be_a_policy_is_not_read(node: Node, bucket: str) -> None:
    expect_error(put(node, bucket, b" " * (65 << 10)), 400, "MaxMessageLengthExceeded")


@pytest.mark.parametrize(
    "principal",
    [
        {"AWS": "123456789012"},
        {"AWS": "arn:aws:iam::123456789012:root"},
        {"AWS": "arn:aws:iam::000000000000:user/nobody-there"},
        {"AWS": ["arn:aws:iam::000000000000:root", "arn:aws:iam:::user/nobody-there"]},
        {"AWS": "arn:aws:iam::000000000000:role/nobody-there"},
        {"CanonicalUser": NOBODY},
        {"AWS": "nobody"},
        {"CanonicalUser": "nobody"},
    ],
)
def test_a_policy_that_names_nobody_there_is_refused(
    node: Node, bucket: str, principal: dict[str, Any]
) -> None:
    reply = put(node, bucket, json.dumps(policy(bucket, Principal=principal)).encode())
    expect_error(reply, 400, "MalformedPolicy")
    assert reply.xml.findtext("Message") == "Invalid principal in policy"


@pytest.mark.parametrize("kind", ["AWS", "CanonicalUser"])
def test_a_policy_may_name_who_is_there(s3: Any, bucket: str, kind: str) -> None:
    owner = s3.get_bucket_acl(Bucket=bucket)["Owner"]["ID"]
    text = json.dumps(policy(bucket, Principal={kind: owner}))
    s3.put_bucket_policy(Bucket=bucket, Policy=text)
    for name in ("000000000000", "arn:aws:iam::000000000000:root", "arn:aws:iam:::user/root"):
        text = json.dumps(policy(bucket, Principal={"AWS": [name]}))
        s3.put_bucket_policy(Bucket=bucket, Policy=text)


def test_a_policy_is_held_to_its_digests(node: Node, s3: Any, bucket: str) -> None:
    body = json.dumps(policy(bucket)).encode()
    reply = put(node, bucket, body, **{"Content-MD5": content_md5(b"other")})
    expect_error(reply, 400, "BadDigest")
    reply = put(node, bucket, body, **{"x-amz-checksum-crc32": "AAAAAA=="})
    expect_error(reply, 400, "BadDigest")
    with refused(*NONE):
        s3.get_bucket_policy(Bucket=bucket)


def test_where_public_policies_are_blocked_none_can_be_set(s3: Any, bucket: str) -> None:
    s3.put_public_access_block(
        Bucket=bucket, PublicAccessBlockConfiguration={"BlockPublicPolicy": True}
    )
    with refused(403, "AccessDenied"):
        s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy(bucket)))
    with refused(*NONE):
        s3.get_bucket_policy(Bucket=bucket)
    local = {"IpAddress": {"aws:SourceIp": "10.1.0.0/16"}}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy(bucket, Condition=local)))


def test_root_can_take_back_what_denies_everybody_everything(s3: Any, bucket: str) -> None:
    resources = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    text = json.dumps(policy(bucket, Effect="Deny", Action="s3:*", Resource=resources))
    s3.put_bucket_policy(Bucket=bucket, Policy=text)
    with refused(403, "AccessDenied"):
        s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    assert s3.get_bucket_policy(Bucket=bucket)["Policy"] == text
    s3.delete_bucket_policy(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")


def test_a_bucket_that_is_not_there_has_no_policy(s3: Any) -> None:
    name = "no-such-bucket-of-policies"
    for call in (s3.get_bucket_policy, s3.delete_bucket_policy, s3.get_bucket_policy_status):
        with refused(404, "NoSuchBucket"):
            call(Bucket=name)
    with refused(404, "NoSuchBucket"):
        s3.put_bucket_policy(Bucket=name, Policy=json.dumps(policy(name)))
