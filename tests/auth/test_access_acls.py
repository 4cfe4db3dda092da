"""Decisions about what ACLs grant, and about objects of other accounts than the bucket's."""

import itertools

import pytest

from aisle.auth.access import Decision, ObjectAccess, PublicAccessBlock
from aisle.auth.acl import ALL_USERS, AUTHENTICATED_USERS, LOG_DELIVERY, Grant
from aisle.auth.principal import ANONYMOUS, Principal
from aisle.core import permissions as bit
from tests.auth.policies import (
    ALICE,
    ARN,
    BOB,
    PUBLIC,
    alice,
    amy,
    ask,
    ben,
    bob,
    bucket,
    canonical,
    everything,
    may_list,
    may_read,
    no_lists,
    no_reads,
    reads,
    root,
    who,
)

ALLOW, DENY, OBJECT = Decision.ALLOW, Decision.DENY, Decision.OBJECT

# --- ACLs of buckets --------------------------------------------------------------------------

GIVES = {
    "READ": {"s3:ListBucket", "s3:ListBucketVersions", "s3:ListBucketMultipartUploads"},
    "WRITE": {"s3:PutObject", "s3:DeleteObject"},
    "READ_ACP": {"s3:GetBucketAcl"},
    "WRITE_ACP": {"s3:PutBucketAcl"},
}
GIVES["FULL_CONTROL"] = set().union(*GIVES.values())
TRIED = sorted(GIVES["FULL_CONTROL"] | {"s3:PutBucketTagging", "s3:GetBucketPolicy"})


@pytest.mark.parametrize("permission", GIVES)
@pytest.mark.parametrize("grantee", ["bob", "everyone", "authenticated", "log delivery"])
def test_a_bucket_acl_gives_what_its_permission_stands_for(permission: str, grantee: str) -> None:
    grants = {
        "bob": Grant("id", canonical(BOB), permission),
        "everyone": Grant("group", ALL_USERS, permission),
        "authenticated": Grant("group", AUTHENTICATED_USERS, permission),
        "log delivery": Grant("group", LOG_DELIVERY, permission),
    }
    groups = {"everyone", "authenticated"}
    access = bucket(acl=[grants[grantee]])
    people = {
        "bob": (bob, {"bob"} | groups),
        "ben": (ben, set[str]()),
        "ben, who may": (who("ben", BOB, everything), {"bob"} | groups),
        "amy": (amy, groups),
        "nobody": (ANONYMOUS, {"everyone"}),
    }
    for (principal, by), name in itertools.product(people.values(), TRIED):
        expected = ALLOW if grantee in by and name in GIVES[permission] else DENY
        assert ask(principal, name, access, ARN) is expected, (principal.name, name)


def test_a_grant_to_its_own_account_gives_nothing_to_a_user_without_rights() -> None:
    access = bucket(acl=[Grant("id", canonical(ALICE), "FULL_CONTROL")])
    assert ask(amy, "s3:ListBucket", access, ARN) is DENY
    assert ask(who("amy", ALICE, may_list), "s3:ListBucket", access, ARN) is ALLOW


def test_ignored_acls_are_the_public_ones() -> None:
    access = bucket(acl=PUBLIC, block=PublicAccessBlock(ignore_acls=True))
    assert ask(ANONYMOUS, "s3:ListBucket", access, ARN) is DENY
    assert ask(bob, "s3:ListBucket", access, ARN) is ALLOW
    assert ask(bob, "s3:PutObject", access) is DENY


def test_where_the_bucket_owner_owns_everything_acls_do_not_count() -> None:
    access = bucket(acl=PUBLIC, ownership="BucketOwnerEnforced")
    assert ask(ANONYMOUS, "s3:ListBucket", access, ARN) is DENY
    assert ask(bob, "s3:ListBucket", access, ARN) is DENY
    assert ask(bob, "s3:GetObject", access) is DENY


@pytest.mark.parametrize("ownership", ["", "ObjectWriter", "BucketOwnerPreferred"])
def test_with_any_other_ownership_acls_count(ownership: str) -> None:
    access = bucket(acl=PUBLIC, ownership=ownership)
    assert ask(ANONYMOUS, "s3:ListBucket", access, ARN) is ALLOW


def test_an_explicit_deny_wins_over_acls() -> None:
    access = bucket(no_lists, acl=PUBLIC)
    assert ask(ANONYMOUS, "s3:ListBucket", access, ARN) is DENY


# --- ACLs of objects --------------------------------------------------------------------------

PRIVATE_OBJECT = ObjectAccess(canonical(ALICE), None)
PUBLIC_OBJECT = ObjectAccess(canonical(ALICE), [Grant("group", ALL_USERS, "READ")])
BOBS_TO_READ = ObjectAccess(canonical(ALICE), [Grant("id", canonical(BOB), "READ")])
OBJECTS = [
    # who, what, the object (None: not read yet), answer
    (ANONYMOUS, "s3:GetObject", None, OBJECT),
    (ANONYMOUS, "s3:GetObject", PRIVATE_OBJECT, DENY),
    (ANONYMOUS, "s3:GetObject", PUBLIC_OBJECT, ALLOW),
    (ANONYMOUS, "s3:GetObjectVersion", PUBLIC_OBJECT, ALLOW),
    (ANONYMOUS, "s3:GetObjectAcl", PUBLIC_OBJECT, DENY),
    (ANONYMOUS, "s3:GetObject", BOBS_TO_READ, DENY),
    (ANONYMOUS, "s3:PutObject", None, DENY),
    (ANONYMOUS, "s3:GetObjectTagging", None, DENY),
    (bob, "s3:GetObject", None, OBJECT),
    (bob, "s3:GetObject", PRIVATE_OBJECT, DENY),
    (bob, "s3:GetObject", PUBLIC_OBJECT, ALLOW),
    (bob, "s3:GetObject", BOBS_TO_READ, ALLOW),
    (bob, "s3:PutObjectAcl", BOBS_TO_READ, DENY),
    (bob, "s3:PutObjectAcl", ObjectAccess(canonical(ALICE),
     [Grant("id", canonical(BOB), "WRITE_ACP")]), ALLOW),
    (bob, "s3:GetObjectAcl", ObjectAccess(canonical(ALICE),
     [Grant("id", canonical(BOB), "READ_ACP")]), ALLOW),
    (ben, "s3:GetObject", None, DENY),
    (ben, "s3:GetObject", BOBS_TO_READ, DENY),
    (who("ben", BOB, may_read), "s3:GetObject", BOBS_TO_READ, ALLOW),
    (alice, "s3:GetObject", None, ALLOW),
    (amy, "s3:GetObject", None, OBJECT),
    (amy, "s3:GetObject", PRIVATE_OBJECT, DENY),
    (amy, "s3:GetObject", PUBLIC_OBJECT, ALLOW),
    (root, "s3:GetObject", None, ALLOW),
]  # fmt: skip


@pytest.mark.parametrize(("principal", "name", "target", "expected"), OBJECTS)
def test_an_object_is_asked_only_if_its_acl_can_matter(
    principal: Principal, name: str, target: ObjectAccess | None, expected: Decision
) -> None:
    assert ask(principal, name, bucket(), target=target) is expected


def test_a_policy_that_allows_saves_reading_the_object() -> None:
    assert ask(ANONYMOUS, "s3:GetObject", bucket(reads)) is ALLOW
    assert ask(ANONYMOUS, "s3:GetObject", bucket(reads, no_reads)) is DENY


def test_ignored_acls_save_strangers_from_reading_the_object() -> None:
    access = bucket(block=PublicAccessBlock(ignore_acls=True))
    assert ask(ANONYMOUS, "s3:GetObject", access) is DENY
    assert ask(ANONYMOUS, "s3:GetObject", access, target=PUBLIC_OBJECT) is DENY
    assert ask(bob, "s3:GetObject", access, target=BOBS_TO_READ) is ALLOW


# --- objects of other accounts ----------------------------------------------------------------

BOBS = ObjectAccess(canonical(BOB), None)
BOBS_PUBLIC = ObjectAccess(canonical(BOB), [Grant("group", ALL_USERS, "READ")])
BOBS_FOR_ALICE = ObjectAccess(canonical(BOB), [Grant("id", canonical(ALICE), "FULL_CONTROL")])
SHARED = [
    (alice, "s3:GetObject", (), None, OBJECT),
    (alice, "s3:GetObject", (), PRIVATE_OBJECT, ALLOW),
    (alice, "s3:GetObject", (), BOBS, DENY),
    (alice, "s3:GetObjectTagging", (), BOBS, DENY),
    (alice, "s3:GetObject", (), BOBS_FOR_ALICE, ALLOW),
    (alice, "s3:PutObjectAcl", (), BOBS_FOR_ALICE, ALLOW),
    (alice, "s3:GetObject", (reads,), BOBS, DENY),
    (alice, "s3:GetObject", (no_reads,), None, DENY),
    (alice, "s3:DeleteObject", (), None, ALLOW),
    (alice, "s3:PutObject", (), None, ALLOW),
    (bob, "s3:GetObject", (), BOBS, ALLOW),
    (bob, "s3:PutObjectAcl", (), BOBS, ALLOW),
    (bob, "s3:GetObjectTagging", (), BOBS, ALLOW),
    (bob, "s3:GetObject", (no_reads,), BOBS, DENY),
    (bob, "s3:DeleteObject", (), BOBS, DENY),
    (ben, "s3:GetObject", (), BOBS, DENY),
    (ben, "s3:GetObject", (), BOBS_PUBLIC, ALLOW),
    (who("ben", BOB, may_read), "s3:GetObject", (), BOBS, ALLOW),
    (ANONYMOUS, "s3:GetObject", (reads,), None, OBJECT),
    (ANONYMOUS, "s3:GetObject", (reads,), BOBS, DENY),
    (ANONYMOUS, "s3:GetObject", (), BOBS_PUBLIC, ALLOW),
    (ANONYMOUS, "s3:GetObject", (reads,), PRIVATE_OBJECT, ALLOW),
    (root, "s3:GetObject", (), BOBS, ALLOW),
    (who("ben", BOB, bits=bit.GET), "s3:GetObject", (), PRIVATE_OBJECT, ALLOW),
]


@pytest.mark.parametrize(("principal", "name", "policy", "target", "expected"), SHARED)
def test_an_object_of_another_account_is_that_accounts_to_give(
    principal: Principal, name: str, policy: tuple[dict[str, object], ...],
    target: ObjectAccess | None, expected: Decision,
) -> None:  # fmt: skip
    assert ask(principal, name, bucket(*policy, shared=True), target=target) is expected


def test_where_the_bucket_owner_owns_everything_nobody_elses_objects_are_left() -> None:
    access = bucket(reads, shared=True, ownership="BucketOwnerEnforced")
    assert ask(alice, "s3:GetObject", access) is ALLOW
    assert ask(ANONYMOUS, "s3:GetObject", access) is ALLOW
