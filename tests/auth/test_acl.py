"""`aisle.auth.acl` on literals: canned ACLs, whom a grant is for, what an action needs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aisle.auth import acl
from aisle.auth.acl import ALL_USERS, AUTHENTICATED_USERS, LOG_DELIVERY, Grant
from aisle.auth.principal import ANONYMOUS, Principal

OWNER, OTHER = "a" * 64, "b" * 64
FULL = Grant("id", OWNER, "FULL_CONTROL")
ALICE = Principal("alice", "111111111111", OWNER, "Alice", "", frozenset({OWNER}), owner=True)
BOB = replace(ALICE, name="bob", account="222222222222", canonical=OTHER, names=frozenset({OTHER}))

CANNED_GRANTS = {
    "private": [FULL],
    "public-read": [FULL, Grant("group", ALL_USERS, "READ")],
    "public-read-write": [
        FULL,
        Grant("group", ALL_USERS, "READ"),
        Grant("group", ALL_USERS, "WRITE"),
    ],
    "authenticated-read": [FULL, Grant("group", AUTHENTICATED_USERS, "READ")],
    "aws-exec-read": [FULL],
    "bucket-owner-read": [FULL, Grant("id", OTHER, "READ")],
    "bucket-owner-full-control": [FULL, Grant("id", OTHER, "FULL_CONTROL")],
    "log-delivery-write": [
        FULL,
        Grant("group", LOG_DELIVERY, "WRITE"),
        Grant("group", LOG_DELIVERY, "READ_ACP"),
    ],
}


def test_every_canned_acl_has_an_expectation() -> None:
    assert set(CANNED_GRANTS) == acl.CANNED


@pytest.mark.parametrize("name", sorted(CANNED_GRANTS))
def test_a_canned_acl_gives_the_owner_everything_and_others_what_it_says(name: str) -> None:
    assert acl.canned(name, owner=OWNER, bucket_owner=OTHER) == CANNED_GRANTS[name]


@pytest.mark.parametrize("name", ["bucket-owner-read", "bucket-owner-full-control"])
def test_acls_for_the_buckets_owner_change_nothing_on_what_is_its_own(name: str) -> None:
    assert acl.canned(name, owner=OWNER, bucket_owner=OWNER) == [FULL]


@pytest.mark.parametrize("given", acl.PERMISSIONS)
@pytest.mark.parametrize("wanted", acl.PERMISSIONS)
def test_a_grant_gives_its_own_permission_and_full_control_gives_all(
    given: str, wanted: str
) -> None:
    grants = [Grant("id", OTHER, given)]
    assert acl.allows(grants, BOB, wanted) is (given in (wanted, "FULL_CONTROL"))
    assert not acl.allows(grants, ALICE, wanted)
    assert not acl.allows(grants, ANONYMOUS, wanted)


@pytest.mark.parametrize(
    ("group", "anonymous", "known"),
    [(ALL_USERS, True, True), (AUTHENTICATED_USERS, False, True), (LOG_DELIVERY, False, False)],
)
def test_a_group_has_who_is_in_it(group: str, anonymous: bool, known: bool) -> None:
    grants = [Grant("group", group, "READ")]
    assert acl.allows(grants, ANONYMOUS, "READ") is anonymous
    assert acl.allows(grants, BOB, "READ") is known
    assert not acl.allows(grants, BOB, "WRITE")


def test_an_empty_id_is_nobody() -> None:
    assert not acl.allows([Grant("id", "", "FULL_CONTROL")], ANONYMOUS, "READ")


def test_a_group_uri_as_an_id_is_no_group() -> None:
    assert not acl.allows([Grant("id", ALL_USERS, "READ")], BOB, "READ")
    assert not acl.is_public([Grant("id", ALL_USERS, "READ")])


def test_without_an_acl_the_owner_alone_has_everything() -> None:
    grants = acl.effective(None, OWNER)
    assert grants == [FULL]
    assert acl.allows(grants, ALICE, "WRITE_ACP")
    assert not acl.allows(grants, BOB, "READ")
    assert acl.effective([], OWNER) == []


@pytest.mark.parametrize("name", sorted(CANNED_GRANTS))
def test_what_is_public_is_what_everybody_gets(name: str) -> None:
    grants = CANNED_GRANTS[name]
    public = name in ("public-read", "public-read-write", "authenticated-read")
    assert acl.is_public(grants) is public


def test_the_default_is_not_written_down_and_no_grant_twice() -> None:
    read = Grant("id", OTHER, "READ")
    assert acl.kept([FULL], OWNER) is None
    assert acl.kept([FULL, FULL], OWNER) is None
    assert acl.kept([], OWNER) == []
    assert acl.kept([read, FULL, read], OWNER) == [read, FULL]
    assert acl.kept([FULL], OTHER) == [FULL]


def test_actions_need_permissions_that_there_are() -> None:
    for table in (acl.IN_BUCKET, acl.IN_OBJECT):
        assert all(action.startswith("s3:") for action in table)
        assert set(table.values()) <= set(acl.PERMISSIONS) - {"FULL_CONTROL"}
    assert not acl.IN_BUCKET.keys() & acl.IN_OBJECT.keys()
