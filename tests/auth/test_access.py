"""Decisions: who against what, for every source of permission and for what they make together."""

from dataclasses import replace

import pytest

from aisle.auth.access import Decision, PublicAccessBlock, decide
from aisle.auth.acl import ALL_USERS, Grant
from aisle.auth.principal import ANONYMOUS, Principal
from aisle.core import permissions as bit
from aisle.core.permissions import ACCESS_ALL
from tests.auth.policies import (
    ALICE,
    ARN,
    BOB,
    BUCKET,
    CAROL,
    KEY,
    PUBLIC,
    ROOT,
    action,
    alice,
    amy,
    ask,
    ben,
    bob,
    bucket,
    canonical,
    everything,
    identity_policy,
    lists,
    may_list,
    may_read,
    no_lists,
    reads,
    root,
    statement,
    user_arn,
    who,
)

ALLOW, DENY, OBJECT = Decision.ALLOW, Decision.DENY, Decision.OBJECT

# --- accounts: the matrix of own side and bucket's side ---------------------------------------

# An action without an ACL that could grant it to objects, so that every answer is final.
MATRIX = [
    # who                              bucket's policy, answer
    (alice, (), ALLOW),
    (alice, (no_lists,), DENY),
    (alice, (lists,), ALLOW),
    (alice, (lists, no_lists), DENY),
    (amy, (), DENY),
    (amy, (lists,), ALLOW),
    (amy, (lists, no_lists), DENY),
    (amy, (no_lists,), DENY),
    (who("amy", ALICE, may_list), (), ALLOW),
    (who("amy", ALICE, may_list), (no_lists,), DENY),
    (who("amy", ALICE, identity_policy(no_lists)), (lists,), DENY),
    (who("amy", ALICE, may_list, identity_policy(no_lists)), (), DENY),
    (who("alice", ALICE, identity_policy(no_lists), owner=True), (), DENY),
    (bob, (), DENY),
    (bob, (lists,), ALLOW),
    (bob, (lists, no_lists), DENY),
    (ben, (), DENY),
    (ben, (lists,), DENY),
    (who("ben", BOB, may_list), (), DENY),
    (who("ben", BOB, may_list), (lists,), ALLOW),
    (who("ben", BOB, may_list), (lists, no_lists), DENY),
    (who("ben", BOB, may_list, identity_policy(no_lists)), (lists,), DENY),
    (ANONYMOUS, (), DENY),
    (ANONYMOUS, (lists,), ALLOW),
    (ANONYMOUS, (lists, no_lists), DENY),
    (root, (), ALLOW),
    (root, (no_lists,), DENY),
    (who("root", ROOT, identity_policy(no_lists), admin=True), (), DENY),
    (who("op", CAROL, admin=True), (), ALLOW),
    (who("op", CAROL, admin=True), (no_lists,), DENY),
]


@pytest.mark.parametrize(("principal", "policy", "expected"), MATRIX)
def test_both_accounts_have_their_say(
    principal: Principal, policy: tuple[dict[str, object], ...], expected: Decision
) -> None:
    assert ask(principal, "s3:ListBucket", bucket(*policy), ARN) is expected


PRINCIPALS: list[tuple[object, set[str]]] = [
    # a Principal                                        whom of the five it lets in
    ("*", {"alice", "amy", "bob", "ben", "anonymous"}),
    ({"AWS": "*"}, {"alice", "amy", "bob", "ben", "anonymous"}),
    ({"AWS": ["*"]}, {"alice", "amy", "bob", "ben", "anonymous"}),
    ({"AWS": ALICE}, {"alice", "amy"}),
    ({"AWS": f"arn:aws:iam::{ALICE}:root"}, {"alice", "amy"}),
    ({"AWS": BOB}, {"alice", "bob", "ben"}),
    ({"AWS": f"arn:aws:iam::{BOB}:root"}, {"alice", "bob", "ben"}),
    ({"AWS": [ALICE, BOB]}, {"alice", "amy", "bob", "ben"}),
    ({"AWS": user_arn("amy", ALICE)}, {"alice", "amy"}),
    ({"AWS": user_arn("ben", BOB)}, {"alice", "ben"}),
    ({"AWS": user_arn("bob", BOB)}, {"alice", "bob"}),
    ({"AWS": user_arn("ben", ALICE)}, {"alice"}),
    ({"AWS": "arn:aws:iam:::user/ben"}, {"alice", "ben"}),
    ({"AWS": f"arn:aws:iam:::user/{canonical(BOB)}"}, {"alice", "bob", "ben"}),
    ({"AWS": canonical(BOB)}, {"alice", "bob", "ben"}),
    ({"CanonicalUser": canonical(BOB)}, {"alice", "bob", "ben"}),
    ({"CanonicalUser": [canonical(BOB), canonical(ALICE)]}, {"alice", "amy", "bob", "ben"}),
    ({"CanonicalUser": canonical(CAROL)}, {"alice"}),
    ({"AWS": user_arn("ben", BOB), "CanonicalUser": canonical(ALICE)}, {"alice", "amy", "ben"}),
    ({"Service": "logging.s3.amazonaws.com"}, {"alice"}),
    ({"Federated": "accounts.google.com"}, {"alice"}),
    ({"AWS": f"arn:aws:iam::{BOB}:role/reader"}, {"alice", "sid"}),
    ({"AWS": f"arn:aws:sts::{BOB}:assumed-role/reader/s1"}, {"alice", "sid"}),
    ({"AWS": f"arn:aws:sts::{BOB}:assumed-role/reader/s2"}, {"alice"}),
]


@pytest.mark.parametrize(("principal", "expected"), PRINCIPALS)
def test_a_principal_is_whom_it_names(principal: object, expected: set[str]) -> None:
    session = Principal(
        "sid", BOB, canonical(BOB), "", f"arn:aws:sts::{BOB}:assumed-role/reader/s1",
        frozenset({
            f"arn:aws:iam::{BOB}:role/reader", f"arn:aws:sts::{BOB}:assumed-role/reader/s1",
        }),
        policies=(may_list,),
    )  # fmt: skip
    people = {
        "alice": alice, "amy": amy, "bob": bob, "ben": who("ben", BOB, may_list),
        "anonymous": ANONYMOUS, "sid": session,
    }  # fmt: skip
    if principal in ("*", {"AWS": "*"}, {"AWS": ["*"]}):
        expected = expected | {"sid"}
    access = bucket(lists | {"Principal": principal})
    let_in = {
        name for name, who in people.items() if ask(who, "s3:ListBucket", access, ARN) is ALLOW
    }
    assert let_in == expected


NOT_PRINCIPALS: list[tuple[object, set[str]]] = [
    ({"AWS": user_arn("amy", ALICE)}, {"amy"}),
    ({"AWS": [user_arn("amy", ALICE), user_arn("bob", BOB)]}, {"amy", "bob"}),
    ({"AWS": ALICE}, {"alice", "amy"}),
    ({"AWS": [ALICE, BOB]}, {"alice", "amy", "bob"}),
    ({"CanonicalUser": canonical(BOB)}, {"bob"}),
    ({"Service": "logging.s3.amazonaws.com"}, set()),
]


@pytest.mark.parametrize(("spared", "expected"), NOT_PRINCIPALS)
def test_a_deny_spares_its_not_principals(spared: object, expected: set[str]) -> None:
    deny = {"Effect": "Deny", "NotPrincipal": spared, "Action": "s3:ListBucket", "Resource": ARN}
    access = bucket(lists, deny)
    people = {"alice": alice, "amy": amy, "bob": bob, "anonymous": ANONYMOUS}
    let_in = {
        name for name, who in people.items() if ask(who, "s3:ListBucket", access, ARN) is ALLOW
    }
    assert let_in == expected


# --- sessions ---------------------------------------------------------------------------------

SESSIONS = [
    # the user,                session policy,  bucket's policy, answer
    (alice, lists, (), ALLOW),
    (alice, reads, (), DENY),
    (alice, no_lists, (), DENY),
    (amy, lists, (), DENY),
    (amy, lists, (lists,), ALLOW),
    (amy, reads, (lists,), DENY),
    (who("amy", ALICE, may_list), lists, (), ALLOW),
    (who("amy", ALICE, may_list), reads, (), DENY),
    (bob, lists, (lists,), ALLOW),
    (bob, lists, (), DENY),
    (root, lists, (), ALLOW),
    (root, reads, (), DENY),
    (who("amy", ALICE, bits=bit.LIST_OBJECTS), reads, (), DENY),
    (who("amy", ALICE, bits=bit.LIST_OBJECTS), lists, (), ALLOW),
]


@pytest.mark.parametrize(("user", "session", "policy", "expected"), SESSIONS)
def test_a_session_is_limited_to_its_policy(
    user: Principal, session: dict[str, object], policy: tuple[dict[str, object], ...],
    expected: Decision,
) -> None:  # fmt: skip
    fields = {name: getattr(user, name) for name in Principal.__slots__}
    in_session = Principal(**fields | {"session": identity_policy(session)})
    assert ask(in_session, "s3:ListBucket", bucket(*policy), ARN) is expected


# --- AIStore's permissions --------------------------------------------------------------------

ROLES = [
    (who("ben", BOB, bits=bit.LIST_OBJECTS), "s3:ListBucket", (), ALLOW),
    (who("ben", BOB, bits=bit.READ_ONLY), "s3:ListBucket", (), ALLOW),
    (who("ben", BOB, bits=bit.READ_ONLY), "s3:PutBucketTagging", (), DENY),
    (who("ben", BOB, bits=bit.READ_ONLY), "s3:ListBucket", (no_lists,), DENY),
    (who("ben", BOB, bits=bit.EVERYTHING), "ais:MoveBucket", (), ALLOW),
    (who("ben", BOB, identity_policy(no_lists), bits=bit.EVERYTHING), "s3:ListBucket", (), DENY),
    (who("ben", BOB, bucket_bits={(BUCKET, "ais", ""): bit.LIST_OBJECTS}), "s3:ListBucket", (),
     ALLOW),
    (who("ben", BOB, bucket_bits={(BUCKET, "ais", "#ns"): bit.LIST_OBJECTS}), "s3:ListBucket", (),
     DENY),
    (who("ben", BOB, bucket_bits={("other", "ais", ""): bit.EVERYTHING}), "s3:ListBucket", (),
     DENY),
    (who("ben", BOB, bits=bit.GET, bucket_bits={(BUCKET, "ais", ""): bit.LIST_OBJECTS}),
     "s3:ListBucket", (), ALLOW),
]  # fmt: skip


@pytest.mark.parametrize(("principal", "name", "policy", "expected"), ROLES)
def test_roles_allow_across_accounts(
    principal: Principal, name: str, policy: tuple[dict[str, object], ...], expected: Decision
) -> None:
    assert ask(principal, name, bucket(*policy), ARN) is expected


CLOSED = [
    # who, what, what of the bucket is open, answer
    (alice, "s3:GetObject", bit.READ_ONLY, ALLOW),
    (alice, "s3:PutObject", bit.READ_ONLY, DENY),
    (alice, "s3:PutBucketTagging", bit.READ_ONLY, DENY),
    (alice, "s3:PutBucketAcl", bit.READ_ONLY, DENY),
    (root, "s3:GetObject", bit.READ_ONLY, ALLOW),
    (root, "s3:PutObject", bit.READ_ONLY, DENY),
    (root, "s3:PutBucketTagging", bit.READ_ONLY, ALLOW),
    (root, "s3:PutBucketAcl", 0, ALLOW),
    (root, "s3:GetObject", 0, DENY),
    (who("ben", BOB, bits=bit.EVERYTHING), "s3:PutObject", bit.READ_ONLY, DENY),
    (who("ben", BOB, bits=bit.EVERYTHING), "s3:PutBucketTagging", bit.READ_ONLY, DENY),
    (who("amy", ALICE, may_read), "s3:GetObject", ACCESS_ALL & ~bit.GET, DENY),
    (who("amy", ALICE, may_read), "s3:GetObject", bit.GET, ALLOW),
]


@pytest.mark.parametrize(("principal", "name", "bits", "expected"), CLOSED)
def test_what_a_bucket_closes_is_closed_for_all(
    principal: Principal, name: str, bits: int, expected: Decision
) -> None:
    assert ask(principal, name, bucket(bits=bits)) is expected


# --- where there is no bucket -----------------------------------------------------------------

CLUSTER = [
    (root, "ais:ShowCluster", ALLOW),
    (alice, "ais:ShowCluster", DENY),
    (who("amy", ALICE, everything), "ais:ShowCluster", DENY),
    (who("adm", ROOT, everything), "ais:ShowCluster", ALLOW),
    (who("adm", ROOT), "ais:ShowCluster", DENY),
    (who("amy", ALICE, bits=bit.SHOW_CLUSTER), "ais:ShowCluster", ALLOW),
    (ANONYMOUS, "ais:ShowCluster", DENY),
    (alice, "s3:CreateBucket", ALLOW),
    (amy, "s3:CreateBucket", DENY),
    (who("amy", ALICE, bits=bit.CREATE_BUCKET), "s3:CreateBucket", ALLOW),
    (who("amy", ALICE, everything), "s3:CreateBucket", ALLOW),
    (ANONYMOUS, "s3:CreateBucket", DENY),
    (alice, "s3:ListAllMyBuckets", ALLOW),
    (amy, "s3:ListAllMyBuckets", DENY),
    (alice, "iam:CreateUser", ALLOW),
    (amy, "iam:CreateUser", DENY),
    (who("amy", ALICE, everything), "iam:CreateUser", ALLOW),
    (who("amy", ALICE, may_read, bits=bit.EVERYTHING), "iam:CreateUser", DENY),
]


@pytest.mark.parametrize(("principal", "name", "expected"), CLUSTER)
def test_without_a_bucket_the_account_decides(
    principal: Principal, name: str, expected: Decision
) -> None:
    assert ask(principal, name, None, "arn:aws:s3:::*") is expected


NATIVE = [
    (alice, ALLOW),
    (root, ALLOW),
    (amy, DENY),
    (who("amy", ALICE, everything), ALLOW),
    (bob, DENY),
    (who("ben", BOB, everything), DENY),
    (ANONYMOUS, DENY),
]


@pytest.mark.parametrize(("principal", "expected"), NATIVE)
def test_no_bucket_policy_grants_what_only_the_native_api_has(
    principal: Principal, expected: Decision
) -> None:
    access = bucket(statement(Action="*"), acl=[Grant("group", ALL_USERS, "FULL_CONTROL")])
    assert ask(principal, "ais:MoveBucket", access, ARN) is expected


def test_a_bucket_policy_can_deny_what_only_the_native_api_has() -> None:
    access = bucket(statement("Deny", Action="*"))
    assert ask(alice, "ais:MoveBucket", access, ARN) is DENY


# --- the way out ------------------------------------------------------------------------------

LOCKED = statement("Deny")
POLICY_ACTIONS = ["s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy"]


@pytest.mark.parametrize("name", POLICY_ACTIONS)
@pytest.mark.parametrize(
    ("principal", "expected"),
    [
        (alice, ALLOW),
        (root, ALLOW),
        (amy, DENY),
        (who("amy", ALICE, everything), DENY),
        (bob, DENY),
        (ANONYMOUS, DENY),
    ],
)
def test_a_policy_that_denies_everything_can_be_taken_away_by_the_owner(
    name: str, principal: Principal, expected: Decision
) -> None:
    assert ask(principal, name, bucket(LOCKED), ARN) is expected


@pytest.mark.parametrize("name", ["s3:GetBucketAcl", "s3:PutBucketAcl", "s3:ListBucket"])
@pytest.mark.parametrize("principal", [alice, root])
def test_the_way_out_is_for_the_policy_alone(name: str, principal: Principal) -> None:
    assert ask(principal, name, bucket(LOCKED), ARN) is DENY


# --- public-access block ----------------------------------------------------------------------

for_bob = reads | {"Principal": {"AWS": BOB}}
RESTRICTED = [
    (ANONYMOUS, (reads,), DENY),
    (bob, (reads,), DENY),
    (bob, (reads, for_bob), DENY),
    (bob, (for_bob,), ALLOW),
    (amy, (reads,), ALLOW),
    (alice, (reads,), ALLOW),
    (root, (reads,), ALLOW),
]


@pytest.mark.parametrize(("principal", "policy", "expected"), RESTRICTED)
def test_a_restricted_bucket_with_a_public_policy_is_for_its_own_account(
    principal: Principal, policy: tuple[dict[str, object], ...], expected: Decision
) -> None:
    block = PublicAccessBlock(restrict_buckets=True)
    access = bucket(*policy, block=block, ownership="BucketOwnerEnforced")
    assert ask(principal, "s3:GetObject", access) is expected


def test_switches_for_what_may_be_set_do_not_change_what_is_set() -> None:
    block = PublicAccessBlock(block_acls=True, block_policy=True)
    assert ask(ANONYMOUS, "s3:GetObject", bucket(reads, block=block)) is ALLOW
    access = bucket(acl=PUBLIC, block=block)
    assert ask(ANONYMOUS, "s3:ListBucket", access, ARN) is ALLOW


# --- everything at once -----------------------------------------------------------------------


def reads_of(*resources: str, effect: str = "Allow", **more: object) -> dict[str, object]:
    return statement(effect, Action="s3:GetObject", Resource=list(resources), **more)


WHOLE = [
    # who, policy, answer to reading everything
    (alice, (), ALLOW),
    (alice, (reads_of(f"{ARN}/secret/*", effect="Deny"),), DENY),
    (alice, (reads_of(f"{ARN}/x", effect="Deny"),), DENY),
    (alice, (reads_of(f"{ARN}*", effect="Deny"),), DENY),
    (alice, (statement("Deny", Action="s3:*", Resource=ARN),), ALLOW),
    (alice, (statement("Deny", Action="s3:GetObject", NotResource=f"{ARN}/a*"),), DENY),
    (alice, (statement("Deny", Action="s3:GetObject", NotResource=f"{ARN}/*"),), ALLOW),
    (alice, (reads_of(f"{ARN}/${{aws:username}}/*", effect="Deny"),), DENY),
    (amy, (), DENY),
    (amy, (reads_of(f"{ARN}/*"),), ALLOW),
    (amy, (reads_of(f"{ARN}/a*"),), DENY),
    (amy, (reads_of(f"{ARN}*"),), ALLOW),
    (amy, (reads_of("arn:aws:s3:::*"),), ALLOW),
    (amy, (reads_of("arn:aws:s3:::pho*os/*"),), ALLOW),
    (amy, (reads_of(f"{ARN}/*/*"),), DENY),
    (amy, (reads_of(f"{ARN}/${{aws:username}}*"),), DENY),
    (amy, (statement(Action="s3:GetObject", NotResource=f"{ARN}/a*"),), DENY),
    (amy, (statement(Action="s3:GetObject", NotResource=ARN),), ALLOW),
    (ANONYMOUS, (), DENY),
    (ANONYMOUS, (reads,), ALLOW),
    (ben, (), DENY),
    (who("ben", BOB, bits=bit.GET), (), ALLOW),
    (root, (), ALLOW),
    (root, (reads_of(f"{ARN}/secret/*", effect="Deny"),), DENY),
]


@pytest.mark.parametrize(("principal", "policy", "expected"), WHOLE)
def test_a_job_needs_all_of_a_bucket(
    principal: Principal, policy: tuple[dict[str, object], ...], expected: Decision
) -> None:
    assert ask(principal, "s3:GetObject", bucket(*policy), ARN, whole=True) is expected


def test_a_job_may_be_about_a_beginning_of_keys() -> None:
    access = bucket(reads_of(f"{ARN}/a/*"), reads_of(f"{ARN}/b/x", effect="Deny"))
    assert ask(amy, "s3:GetObject", access, f"{ARN}/a/b/", whole=True) is ALLOW
    assert ask(amy, "s3:GetObject", access, f"{ARN}/a", whole=True) is DENY
    assert ask(alice, "s3:GetObject", access, f"{ARN}/a/", whole=True) is ALLOW
    assert ask(alice, "s3:GetObject", access, f"{ARN}/b/", whole=True) is DENY
    assert ask(alice, "s3:GetObject", access, f"{ARN}/b/y", whole=True) is ALLOW


TAGS = {"StringEquals": {"s3:ExistingObjectTag/kind": "open"}}
NOT_TAGS = {"StringNotEquals": {"s3:ExistingObjectTag/kind": "open"}}


@pytest.mark.parametrize("condition", [TAGS, NOT_TAGS])
def test_a_job_does_not_know_the_tags_of_what_it_will_meet(condition: object) -> None:
    access = bucket(reads_of(f"{ARN}/*", Condition=condition))
    assert ask(amy, "s3:GetObject", access, ARN, whole=True) is DENY
    access = bucket(reads_of(f"{ARN}/*", effect="Deny", Condition=condition))
    assert ask(alice, "s3:GetObject", access, ARN, whole=True) is DENY


def test_a_job_is_not_for_a_bucket_owner_if_others_have_objects_in_it() -> None:
    access = bucket(shared=True)
    assert ask(alice, "s3:GetObject", access, ARN, whole=True) is DENY
    assert ask(alice, "s3:DeleteObject", access, ARN, whole=True) is ALLOW
    assert ask(root, "s3:GetObject", access, ARN, whole=True) is ALLOW


def test_of_a_bucket_as_such_there_is_nothing_more_than_the_bucket() -> None:
    access = bucket(lists)
    assert ask(amy, "s3:ListBucket", access, ARN, whole=True) is ALLOW


# --- circumstances ----------------------------------------------------------------------------


class Untouchable:
    def get(self, key: str) -> tuple[str, ...] | None:
        raise AssertionError(key)


def test_circumstances_are_asked_for_only_if_a_statement_that_counts_does() -> None:
    condition = {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}
    access = bucket(
        reads_of(f"{ARN}/other/*", Condition=condition),
        reads | {"Principal": {"AWS": BOB}, "Condition": condition},
        statement("Deny", Action="s3:PutObject", Condition=condition),
    )
    found = decide(alice, action("s3:GetObject"), access, Untouchable(), resource=KEY)
    assert found is ALLOW


def test_what_circumstances_raise_is_passed_on() -> None:
    access = bucket(reads | {"Condition": {"Bool": {"aws:SecureTransport": "true"}}})
    with pytest.raises(AssertionError, match="aws:securetransport"):
        decide(amy, action("s3:GetObject"), access, Untouchable(), resource=KEY)


IN_ROLE = replace(amy, arn=f"arn:aws:sts::{ALICE}:assumed-role/r/s", id="AROA1", session_name="s")
WHOS = [
    (alice, {"aws:username": "alice", "aws:PrincipalType": "Account"}),
    (amy, {"aws:username": "amy", "aws:PrincipalArn": user_arn("amy", ALICE)}),
    (amy, {"aws:PrincipalAccount": ALICE, "aws:PrincipalType": "User", "aws:userid": "amy"}),
    (amy, {"aws:PrincipalIsAWSService": "false"}),
    (replace(amy, id="AIDA1"), {"aws:userid": "AIDA1"}),
    (replace(amy, id="AIDA1", session_name="s"), {"aws:userid": "AIDA1:s"}),
    (IN_ROLE, {"aws:userid": "AROA1:s", "aws:PrincipalType": "AssumedRole"}),
    (IN_ROLE, {"aws:PrincipalArn": f"arn:aws:iam::{ALICE}:role/r"}),
    (ANONYMOUS, {"aws:PrincipalType": "Anonymous", "aws:userid": "anonymous"}),
]


@pytest.mark.parametrize(("principal", "keys"), WHOS)
def test_the_keys_that_say_who_asks_are_known(principal: Principal, keys: dict[str, str]) -> None:
    access = bucket(lists | {"Condition": {"StringEquals": keys}})
    assert ask(principal, "s3:ListBucket", access, ARN) is ALLOW


def test_a_stranger_has_no_name() -> None:
    for key in ("aws:username", "aws:PrincipalArn", "aws:PrincipalAccount"):
        access = bucket(lists | {"Condition": {"Null": {key: "true"}}})
        assert ask(ANONYMOUS, "s3:ListBucket", access, ARN) is ALLOW


def test_in_a_role_nobody_has_the_name_of_a_user() -> None:
    access = bucket(lists | {"Condition": {"Null": {"aws:username": "true"}}})
    assert ask(IN_ROLE, "s3:ListBucket", access, ARN) is ALLOW


def test_nobody_can_say_who_they_are_but_by_being_it() -> None:
    access = bucket(lists | {"Condition": {"StringEquals": {"aws:username": "alice"}}})
    assert ask(amy, "s3:ListBucket", access, ARN, context={"aws:username": "alice"}) is DENY
