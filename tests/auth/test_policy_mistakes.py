"""The list of known mistakes, those of authorisation: each test is named after what has gone wrong
in other stores."""

import pytest

from aisle.auth.access import Action, BucketAccess, Decision, decide
from aisle.auth.acl import ALL_USERS, Grant
from aisle.auth.policy.document import parse_bucket_policy
from aisle.auth.principal import ANONYMOUS, Principal
from aisle.core.errors import MalformedPolicy
from tests.auth.policies import (
    ALICE,
    ARN,
    BOB,
    BUCKET,
    ROOT,
    Circumstances,
    alice,
    amy,
    ask,
    bob,
    bucket,
    document,
    identity_policy,
    root,
    statement,
    user_arn,
    who,
)

ALLOW, DENY = Decision.ALLOW, Decision.DENY
everything = identity_policy(statement(Action="*", Resource="*"))
reads = identity_policy(statement(Action="s3:GetObject", Resource=f"{ARN}/*"))


@pytest.mark.parametrize(
    "user",
    [
        who("alice", ALICE, owner=True, session=reads),
        who("amy", ALICE, everything, session=reads),
        who("root", ROOT, owner=True, admin=True, session=reads),
        who("ben", BOB, bits=(1 << 18) - 1, session=reads),
    ],
)
def test_cve_2025_62506_a_session_policy_holds_for_the_users_own_too(user: Principal) -> None:
    access = bucket(statement())
    assert ask(user, "s3:GetObject", access) is ALLOW
    for name in ("s3:PutObject", "s3:ListBucket", "s3:PutBucketPolicy", "ais:MoveBucket"):
        assert ask(user, name, access, ARN) is DENY
    for name in ("iam:CreateUser", "s3:CreateBucket", "ais:ShowCluster"):
        assert ask(user, name, None, "*") is DENY


@pytest.mark.parametrize("owner", [alice, root])
def test_cve_2023_25812_a_denial_of_bypassing_retention_counts_for_owners(
    owner: Principal,
) -> None:
    bypass = "s3:BypassGovernanceRetention"
    access = bucket(statement("Deny", Action=bypass, Resource=f"{ARN}/*"))
    action = Action(bypass, 0)
    found = decide(owner, action, access, Circumstances(), resource=f"{ARN}/x")
    assert found is DENY


def test_cve_2021_43858_nobody_gives_themselves_more_than_their_account_has() -> None:
    rich = who("amy", ALICE, everything)
    bobs = BucketAccess((BUCKET, "ais", ""), bob.canonical)
    assert ask(rich, "s3:PutObject", bobs) is DENY
    assert ask(rich, "s3:PutBucketPolicy", bobs, ARN) is DENY
    assert ask(rich, "ais:ShowCluster", None, "*") is DENY


def test_reading_a_version_is_not_authorised_as_reading_the_object() -> None:
    access = bucket(statement(Action="s3:GetObject", Resource=f"{ARN}/*"))
    assert ask(amy, "s3:GetObject", access) is ALLOW
    assert ask(amy, "s3:GetObjectVersion", access) is not ALLOW


@pytest.mark.parametrize("key", ["public/../secret", "public/./../secret", "public//../secret"])
def test_a_key_in_a_policy_is_not_normalised(key: str) -> None:
    public = statement(Action="s3:GetObject", Resource=f"{ARN}/public/*")
    secret = statement("Deny", Action="s3:GetObject", Resource=f"{ARN}/secret")
    access = bucket(public, secret)
    assert ask(amy, "s3:GetObject", access, f"{ARN}/{key}") is ALLOW  # an object of that name
    assert ask(amy, "s3:GetObject", access, f"{ARN}/secret") is DENY
    assert ask(amy, "s3:GetObject", access, f"{ARN}/public%2Fx") is not ALLOW


def test_a_beginning_of_a_buckets_name_is_not_the_bucket() -> None:
    for resource in ("arn:aws:s3:::photos-private/*", "arn:aws:s3:::photo", "arn:aws:s3:::photos-"):
        with pytest.raises(MalformedPolicy):
            parse_bucket_policy(document(statement(Resource=resource)), BUCKET)


def test_a_name_that_is_part_of_another_is_nobody() -> None:
    access = bucket(statement(Principal={"AWS": user_arn("am", ALICE)}))
    assert ask(amy, "s3:ListBucket", access, ARN) is DENY


@pytest.mark.parametrize("name", ["*", "a*", "?my", "${aws:username}"])
def test_a_users_name_is_never_a_pattern(name: str) -> None:
    stranger = who(name, ALICE)
    access = bucket(statement(Action="s3:GetObject", Resource=f"{ARN}/${{aws:username}}/*"))
    assert ask(stranger, "s3:GetObject", access, f"{ARN}/amy/x") is not ALLOW
    assert ask(stranger, "s3:GetObject", access, f"{ARN}/{name}/x") is ALLOW


def test_whoever_has_no_credentials_is_not_authenticated() -> None:
    named = statement("Deny", Principal={"AWS": [ALICE, BOB]})
    assert ask(ANONYMOUS, "s3:ListBucket", bucket(named), ARN) is DENY
    empty = BucketAccess((BUCKET, "ais", ""), "", acl=[Grant("id", "", "FULL_CONTROL")])
    assert ask(ANONYMOUS, "s3:ListBucket", empty, ARN) is DENY
    assert ask(ANONYMOUS, "s3:GetBucketPolicy", empty, ARN) is DENY


def test_a_public_acl_does_not_open_what_acls_cannot_give() -> None:
    access = bucket(acl=[Grant("group", ALL_USERS, "FULL_CONTROL")])
    for name in ("s3:PutBucketPolicy", "s3:DeleteBucketPolicy", "s3:PutBucketTagging"):
        assert ask(bob, name, access, ARN) is DENY


def test_a_denial_cannot_be_dodged_by_spelling_an_action_otherwise() -> None:
    access = bucket(statement("Deny", Action="S3:gETobject", Resource=f"{ARN}/*"))
    assert ask(alice, "s3:GetObject", access) is DENY
