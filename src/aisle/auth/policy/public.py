"""Whether a bucket's policy is public: for GetBucketPolicyStatus and the public-access block.

A policy is public unless each of its Allow statements is limited to fixed values, without wildcards
or variables, of who may come: by its Principal, or by a condition on one of the keys that say who
or from where. Addresses are fixed if their network is no wider than /8 (IPv4) or /32 (IPv6), access
points if their account is. Whoever has an identity from elsewhere (Federated) may be anybody.

Spec: "The meaning of public", Blocking public access to your Amazon S3 storage, S3 user guide.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from aisle.auth.policy.conditions import Condition, Each
from aisle.auth.policy.document import Policy, Statement
from aisle.auth.policy.values import network

_WIDEST: Final = {4: 8, 6: 32}
_SOURCE_IP: Final = frozenset({"aws:sourceip", "aws:vpcsourceip"})
_WHO: Final = frozenset({
    "aws:principalaccount", "aws:principalarn", "aws:principalorgid", "aws:principalorgpaths",
    "aws:principalservicename", "aws:sourceaccount", "aws:sourcearn", "aws:sourceorgid",
    "aws:sourceorgpaths", "aws:sourceowner", "aws:sourcevpc", "aws:sourcevpce", "aws:userid",
    "aws:username", "s3:dataaccesspointaccount", "s3:dataaccesspointarn",
    "s3:x-amz-server-side-encryption-aws-kms-key-id",
})  # fmt: skip
_ACCESS_POINT: Final = "s3:dataaccesspointarn"
_FIXING: Final = frozenset({
    "StringEquals", "StringEqualsIgnoreCase", "StringLike", "ArnEquals", "ArnLike",
})  # fmt: skip


@lru_cache(maxsize=1024)
def is_public(policy: Policy) -> bool:
    """Whether a bucket's policy lets anybody in who is not named."""
    return any(statement.allow and _is_open(statement) for statement in policy.statements)


def _is_open(statement: Statement) -> bool:
    if not (statement.everyone or statement.federated):
        return False
    return not any(map(_fixes, statement.conditions))


def _fixes(condition: Condition) -> bool:
    """Whether a condition limits a statement to fixed values of who may come."""
    operator = condition.operator
    if operator.negative or operator.if_exists or operator.each is Each.ALL:
        return False
    if condition.key in _SOURCE_IP:
        return operator.name == "IpAddress" and all(map(_is_narrow, condition.values))
    if condition.key not in _WHO or operator.name not in _FIXING:
        return False
    return all(_is_fixed(condition.key, value) for value in condition.values)


def _is_fixed(key: str, value: str) -> bool:
    """Whether a value is without wildcards and variables: of the ARN of an access point all but its
    name, behind the fifth colon."""
    if key == _ACCESS_POINT and value.count(":") >= 5:
        value = ":".join(value.split(":", 5)[:5])
    return not set("*?$") & set(value)


def _is_narrow(text: str) -> bool:
    found = network(text)
    return found is not None and found.prefix >= _WIDEST[found.version]
