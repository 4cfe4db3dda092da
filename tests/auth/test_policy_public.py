"""What makes a bucket's policy public."""

import pytest

from aisle.auth.policy.public import is_public
from tests.auth.policies import ALICE, BOB, bucket_policy, canonical, statement

ORG = "o-a1b2c3d4e5"
POINTS = "arn:aws:s3:us-west-2:222222222222:accesspoint"
CASES = [
    # who, under which conditions, whether that is public
    ("*", {}, True),
    ({"AWS": "*"}, {}, True),
    ({"AWS": [BOB, "*"]}, {}, True),
    ({"AWS": BOB}, {}, False),
    ({"AWS": f"arn:aws:iam::{ALICE}:root"}, {}, False),
    ({"CanonicalUser": canonical(BOB)}, {}, False),
    ({"Service": "logging.s3.amazonaws.com"}, {}, False),
    ({"Federated": "graph.facebook.com"}, {}, True),
    ({"AWS": BOB, "Federated": "graph.facebook.com"}, {}, True),
    ({"Federated": "graph.facebook.com"}, {"StringEquals": {"aws:SourceVpc": "vpc-1"}}, False),
    ("*", {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, False),
    ("*", {"IpAddress": {"aws:SourceIp": "10.0.0.0/32"}}, False),
    ("*", {"IpAddress": {"aws:SourceIp": "10.0.0.1"}}, False),
    ("*", {"IpAddress": {"aws:SourceIp": "10.0.0.0/7"}}, True),
    ("*", {"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}, True),
    ("*", {"IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "0.0.0.0/1"]}}, True),
    ("*", {"IpAddress": {"aws:SourceIp": "2001:db8::/32"}}, False),
    ("*", {"IpAddress": {"aws:SourceIp": "2000::/16"}}, True),
    ("*", {"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, True),
    ("*", {"IpAddressIfExists": {"aws:SourceIp": "10.0.0.0/8"}}, True),
    ("*", {"ForAllValues:IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, True),
    ("*", {"ForAnyValue:IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, False),
    ("*", {"StringEquals": {"aws:SourceIp": "10.0.0.1"}}, True),
    ("*", {"StringEquals": {"aws:PrincipalOrgID": ORG}}, False),
    ("*", {"StringLike": {"aws:PrincipalOrgID": ORG}}, False),
    ("*", {"StringLike": {"aws:PrincipalOrgID": "o-*"}}, True),
    ("*", {"StringEquals": {"aws:PrincipalOrgID": "${aws:PrincipalOrgID}"}}, True),
    ("*", {"StringEquals": {"aws:SourceVpc": ["vpc-1", "vpc-2"]}}, False),
    ("*", {"StringLike": {"aws:SourceVpce": ["vpce-1", "vpce-*"]}}, True),
    ("*", {"StringNotEquals": {"aws:SourceVpc": "vpc-1"}}, True),
    ("*", {"ArnEquals": {"aws:SourceArn": "arn:aws:s3:::logs"}}, False),
    ("*", {"ArnLike": {"aws:SourceArn": "arn:aws:s3:::*"}}, True),
    ("*", {"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{BOB}:role/r"}}, False),
    ("*", {"StringEquals": {"aws:PrincipalAccount": BOB}}, False),
    ("*", {"StringEquals": {"aws:userid": "amy"}}, False),
    ("*", {"StringLike": {"aws:userid": "AROA123:*"}}, True),
    ("*", {"StringLike": {"s3:DataAccessPointArn": f"{POINTS}/*"}}, False),
    ("*", {"ArnLike": {"s3:DataAccessPointArn": [f"{POINTS}/a", f"{POINTS}/*"]}}, False),
    ("*", {"StringLike": {"s3:DataAccessPointArn": "arn:aws:s3:*:222222222222:*"}}, True),
    ("*", {"StringLike": {"s3:DataAccessPointArn": "arn:aws:s3:eu:2222*:accesspoint/a"}}, True),
    ("*", {"StringLike": {"s3:DataAccessPointArn": "*"}}, True),
    ("*", {"StringEquals": {"aws:Referer": "https://example.com/"}}, True),
    ("*", {"Bool": {"aws:SecureTransport": "true"}}, True),
    ("*", {"DateLessThan": {"aws:CurrentTime": "2030-01-01"}}, True),
    ("*", {"Null": {"aws:PrincipalArn": "false"}}, True),
    ("*", {"Bool": {"aws:SecureTransport": "true"},
           "IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, False),
]  # fmt: skip


@pytest.mark.parametrize(("principal", "conditions", "expected"), CASES)
def test_a_policy_is_public_unless_it_says_who_or_from_where(
    principal: object, conditions: object, expected: bool
) -> None:
    made = statement(Principal=principal, Condition=conditions)
    assert is_public(bucket_policy(made)) == expected
    private = statement(Principal={"AWS": BOB})
    assert is_public(bucket_policy(private, made)) == expected


def test_a_fixed_key_for_encryption_is_a_fixed_value() -> None:
    name = "s3:x-amz-server-side-encryption-aws-kms-key-id"
    for operator, value, expected in (
        ("StringEquals", "arn:aws:kms:eu:1:key/k", False),
        ("StringLike", "arn:aws:kms:*", True),
    ):
        condition = {operator: {name: value}}
        made = statement(Principal="*", Action="s3:PutObject", Condition=condition)
        assert is_public(bucket_policy(made)) is expected


def test_a_denial_makes_nothing_public_and_nothing_private() -> None:
    deny = statement("Deny")
    assert not is_public(bucket_policy(deny))
    assert is_public(bucket_policy(deny, statement()))
    spared = {"Effect": "Deny", "NotPrincipal": {"AWS": BOB}, "Action": "s3:*"}
    assert not is_public(bucket_policy(spared | {"Resource": "arn:aws:s3:::photos/*"}))
