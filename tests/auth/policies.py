"""Principals, buckets and policies for tests of what is allowed, written as short as possible."""

import hashlib
import json
from typing import Any

from aisle.auth.access import Action, BucketAccess, Decision, ObjectAccess, decide
from aisle.auth.acl import ALL_USERS, Grant
from aisle.auth.policy.document import Policy, parse_bucket_policy, parse_identity_policy
from aisle.auth.principal import Principal
from aisle.core import permissions as bit

BUCKET = "photos"
ARN = f"arn:aws:s3:::{BUCKET}"
KEY = f"{ARN}/2024/jan/cat.jpg"
ALICE, BOB, CAROL = "111111111111", "222222222222", "333333333333"
ROOT = "000000000000"


def canonical(account: str) -> str:
    return hashlib.sha256(account.encode()).hexdigest()


def user_arn(name: str, account: str) -> str:
    return f"arn:aws:iam::{account}:user/{name}"


def who(name: str, account: str, *policies: Policy, **more: Any) -> Principal:
    """A user of an account, not the one that owns it unless `owner=True`."""
    arn = user_arn(name, account)
    names = {
        arn, account, canonical(account), f"arn:aws:iam::{account}:root",
        f"arn:aws:iam:::user/{name}", f"arn:aws:iam:::user/{canonical(account)}",
    }  # fmt: skip
    return Principal(
        name, account, canonical(account), f"{name}'s", arn, frozenset(names),
        policies=policies, **more,
    )  # fmt: skip


alice = who("alice", ALICE, owner=True)  # owns the account that the bucket belongs to
amy = who("amy", ALICE)  # a user of the same account, with no rights of her own
bob = who("bob", BOB, owner=True)  # owns another account
ben = who("ben", BOB)  # a user of that one, with no rights of his own
root = who("root", ROOT, owner=True, admin=True)

ACTIONS = {
    "s3:GetObject": bit.GET,
    "s3:GetObjectVersion": bit.GET,
    "s3:GetObjectAcl": bit.HEAD_OBJECT,
    "s3:PutObject": bit.PUT,
    "s3:PutObjectAcl": bit.UPDATE_OBJECT,
    "s3:DeleteObject": bit.DELETE_OBJECT,
    "s3:GetObjectTagging": bit.GET,
    "s3:ListBucket": bit.LIST_OBJECTS,
    "s3:ListBucketVersions": bit.LIST_OBJECTS,
    "s3:ListBucketMultipartUploads": bit.LIST_OBJECTS,
    "s3:GetBucketAcl": bit.HEAD_BUCKET,
    "s3:PutBucketAcl": bit.SET_BUCKET_ACL,
    "s3:GetBucketPolicy": bit.HEAD_BUCKET,
    "s3:PutBucketPolicy": bit.SET_BUCKET_ACL,
    "s3:DeleteBucketPolicy": bit.SET_BUCKET_ACL,
    "s3:PutBucketTagging": bit.PATCH,
    "s3:CreateBucket": bit.CREATE_BUCKET,
    "s3:ListAllMyBuckets": bit.LIST_BUCKETS,
    "ais:MoveBucket": bit.MOVE_BUCKET,
    "ais:ShowCluster": bit.SHOW_CLUSTER,
    "iam:CreateUser": 0,
}


class Circumstances(dict[str, tuple[str, ...] | None]):
    """Condition keys by name, given as text or tuples of it."""

    def __init__(self, values: dict[str, Any] | None = None) -> None:
        for key, value in (values or {}).items():
            self[key.lower()] = (value,) if isinstance(value, str) else value


def action(name: str) -> Action:
    return Action(name, ACTIONS[name])


def statement(effect: str = "Allow", **elements: Any) -> dict[str, Any]:
    """A statement about everything, for everyone, unless it says otherwise."""
    made: dict[str, Any] = {"Effect": effect}
    if "NotPrincipal" not in elements:
        made["Principal"] = "*"
    if "NotAction" not in elements:
        made["Action"] = "s3:*"
    if "NotResource" not in elements:
        made["Resource"] = [ARN, f"{ARN}/*"]
    return made | elements


def document(*statements: dict[str, Any], version: str = "2012-10-17") -> str:
    return json.dumps({"Version": version, "Statement": list(statements)})


def bucket_policy(*statements: dict[str, Any], version: str = "2012-10-17") -> Policy:
    return parse_bucket_policy(document(*statements, version=version), BUCKET)


def identity_policy(*statements: dict[str, Any]) -> Policy:
    """The same for a user: nobody is named."""
    nameless = [{k: v for k, v in s.items() if k != "Principal"} for s in statements]
    return parse_identity_policy(document(*nameless))


def bucket(*statements: dict[str, Any], **more: Any) -> BucketAccess:
    """The bucket of Alice's account, with this policy."""
    policy = bucket_policy(*statements) if statements else None
    return BucketAccess((BUCKET, "ais", ""), canonical(ALICE), policy=policy, **more)


def ask(
    principal: Principal,
    name: str,
    access: BucketAccess | None,
    resource: str = KEY,
    *,
    context: dict[str, Any] | None = None,
    target: ObjectAccess | None = None,
    whole: bool = False,
) -> Decision:
    return decide(
        principal, action(name), access, Circumstances(context),
        resource=resource, target=target, whole=whole,
    )  # fmt: skip


# What many of the tests say, of any bucket or key.
reads = statement(Action="s3:GetObject", Resource=f"{ARN}/*")
no_reads = statement("Deny", Action="s3:GetObject", Resource=f"{ARN}/*")
may_read = identity_policy(reads)
lists = statement(Action="s3:ListBucket", Resource=ARN)
no_lists = statement("Deny", Action="s3:ListBucket", Resource=ARN)
may_list = identity_policy(lists)
everything = identity_policy(statement(Action="*", Resource="*"))
PUBLIC = [Grant("group", ALL_USERS, "FULL_CONTROL"), Grant("id", canonical(BOB), "READ")]
