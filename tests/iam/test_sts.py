"""STS: who is asking, and temporary credentials on IAM, S3 and the native API."""

from __future__ import annotations

import datetime as dt
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.iam.forms import VERSIONS, error_of, post
from tests.people import Person, allow, deny, join, log_in, make_role, new_user, policy, refused

Names = Callable[[str], str]
READ = 0b11_0000_0011  # AIStore's GET, HEAD-OBJECT, HEAD-BUCKET and LIST-OBJECTS


@pytest.fixture(scope="module")
def store(alice: Person) -> Iterator[str]:
    """A bucket of alice's with an object `k` in it."""
    name = f"sts-{alice.name}"
    alice.s3.create_bucket(Bucket=name)
    alice.s3.put_object(Bucket=name, Key="k", Body=b"value")
    yield name
    for entry in alice.s3.list_objects_v2(Bucket=name).get("Contents", []):
        alice.s3.delete_object(Bucket=name, Key=entry["Key"])
    alice.s3.delete_bucket(Bucket=name)


@pytest.fixture(scope="module")
def reader(root: Person, store: str) -> str:
    """A role that may read everything."""
    name = f"reader-{store}"[:64]
    make_role(root, name, clusters=[{"perm": str(READ)}])
    return name


def account_of(person: Person) -> str:
    return str(person.sts.get_caller_identity()["Account"])


def assume(person: Person, role: str, **parameters: Any) -> Person:
    """A session of somebody in a role."""
    told = person.sts.assume_role(
        RoleArn=f"arn:aws:iam::{account_of(person)}:role/{role}",
        RoleSessionName="work",
        **parameters,
    )
    return person.lent(told["Credentials"])


# --- who am I -------------------------------------------------------------------------------


def test_everybody_who_is_known_is_told_who_it_is(alice: Person, fresh: Names) -> None:
    bob = join(alice, fresh("bob"), deny("*"))
    told = bob.sts.get_caller_identity()
    assert told["Arn"] == f"arn:aws:iam::{account_of(alice)}:user/{bob.name}"
    assert told["UserId"] == alice.iam.get_user(UserName=bob.name)["User"]["UserId"]


@pytest.mark.parametrize("mount", ["", "/", "/s3", "/s3/"])
def test_both_services_answer_under_either_endpoint(alice: Person, mount: str) -> None:
    endpoint = alice.node.root + mount
    assert alice.client("sts", endpoint).get_caller_identity()["Account"] == account_of(alice)
    assert alice.client("iam", endpoint).get_user()["User"]["UserName"] == alice.name


def test_a_presigned_request_tells_who_signed_it(alice: Person) -> None:
    url = alice.sts.generate_presigned_url("get_caller_identity", HttpMethod="GET", ExpiresIn=60)
    with urllib.request.urlopen(url) as reply:
        assert f":user/{alice.name}</Arn>".encode() in reply.read()


def test_a_presigned_request_changes_nothing(alice: Person, fresh: Names) -> None:
    name = fresh("bob")
    url = alice.iam.generate_presigned_url("create_user", Params={"UserName": name})
    target = url.removeprefix(alice.node.root)
    reply = alice.node.send("GET", target, signed=False)
    assert (reply.status, error_of(reply)) == (400, "ValidationError")
    with refused("NoSuchEntity", 404):
        alice.iam.get_user(UserName=name)


# --- GetSessionToken ------------------------------------------------------------------------


def test_a_session_does_what_its_user_does_on_s3_and_natively(
    alice: Person, store: str, fresh: Names
) -> None:
    told = alice.sts.get_session_token(DurationSeconds=900)["Credentials"]
    left = told["Expiration"] - dt.datetime.now(dt.UTC)
    assert dt.timedelta(seconds=840) < left <= dt.timedelta(seconds=901)
    lent = alice.lent(told)
    assert lent.access_key.startswith("ASIA")
    assert lent.s3.get_object(Bucket=store, Key="k")["Body"].read() == b"value"
    lent.s3.put_object(Bucket=store, Key="from a session", Body=b"")
    url = lent.s3.generate_presigned_url("get_object", Params={"Bucket": store, "Key": "k"})
    with urllib.request.urlopen(url) as reply:
        assert reply.read() == b"value"
    native = alice.node.send(
        "GET",
        f"/v1/objects/{store}/k",
        headers={"X-Amz-Security-Token": lent.token},
        access_key=lent.access_key,
        secret_key=lent.secret_key,
    )
    assert (native.status, native.body) == (200, b"value")
    assert lent.sts.get_caller_identity()["Arn"] == alice.sts.get_caller_identity()["Arn"]


def test_a_session_without_its_token_or_with_another_is_nobody(alice: Person, store: str) -> None:
    first = alice.lent(alice.sts.get_session_token()["Credentials"])
    other = alice.lent(alice.sts.get_session_token()["Credentials"])
    keys = (first.access_key, first.secret_key)
    without = Person(first.node, first.name, *keys, "")
    with refused("InvalidClientTokenId", 403):
        without.sts.get_caller_identity()
    with refused("InvalidAccessKeyId", 403):
        without.s3.get_object(Bucket=store, Key="k")
    others = [
        Person(first.node, first.name, *keys, t) for t in (other.token, first.token[:-1] + "!")
    ]
    # Left in the environment from another day, beside keys that have no token.
    others.append(Person(alice.node, alice.name, alice.access_key, alice.secret_key, first.token))
    for wrong in others:
        with refused("InvalidClientTokenId", 403):
            wrong.sts.get_caller_identity()
        with refused("InvalidToken", 400):
            wrong.s3.get_object(Bucket=store, Key="k")


def test_a_session_makes_no_session_and_calls_no_iam(alice: Person, fresh: Names) -> None:
    lent = alice.lent(alice.sts.get_session_token()["Credentials"])
    with refused("AccessDenied", 403):
        lent.sts.get_session_token()
    for call in (lent.iam.list_users, lent.iam.get_user, lent.iam.create_access_key):
        with refused("AccessDenied", 403):
            call()
    with refused("AccessDenied", 403):
        lent.iam.create_user(UserName=fresh("bob"))


@pytest.mark.parametrize("seconds", ["1", "899", "129601", "9999999", "1e3", "-900", "", "٩٠٠"])
def test_a_session_that_is_too_short_or_too_long_is_refused(alice: Person, seconds: str) -> None:
    reply = post(alice, "sts", {"Action": "GetSessionToken", "DurationSeconds": seconds})
    assert (reply.status, error_of(reply)) == (400, "ValidationError")


def test_sessions_follow_what_their_user_may_do(alice: Person, store: str, fresh: Names) -> None:
    bob = join(alice, fresh("bob"), allow("s3:*"))
    lent = bob.lent(bob.sts.get_session_token()["Credentials"])
    lent.s3.get_object(Bucket=store, Key="k")
    alice.iam.put_user_policy(
        UserName=bob.name, PolicyName="no", PolicyDocument=policy(deny("s3:GetObject"))
    )
    with refused("AccessDenied", 403):
        lent.s3.get_object(Bucket=store, Key="k")


def test_a_session_ends_with_the_key_it_was_made_with(
    alice: Person, store: str, fresh: Names
) -> None:
    bob = join(alice, fresh("bob"), allow("s3:*"))
    lent = bob.lent(bob.sts.get_session_token()["Credentials"])
    key = {"UserName": bob.name, "AccessKeyId": bob.access_key}
    lent.s3.get_object(Bucket=store, Key="k")
    alice.iam.update_access_key(**key, Status="Inactive")
    with refused("InvalidAccessKeyId", 403):
        lent.s3.get_object(Bucket=store, Key="k")
    alice.iam.update_access_key(**key, Status="Active")
    lent.s3.get_object(Bucket=store, Key="k")
    alice.iam.delete_access_key(**key)
    with refused("InvalidAccessKeyId", 403):
        lent.s3.get_object(Bucket=store, Key="k")
    with refused("InvalidClientTokenId", 403):
        lent.sts.get_caller_identity()


def test_a_session_ends_with_its_user(alice: Person, store: str, fresh: Names) -> None:
    bob = join(alice, fresh("bob"))
    lent = bob.lent(bob.sts.get_session_token()["Credentials"])
    assert lent.sts.get_caller_identity()
    alice.iam.delete_access_key(UserName=bob.name, AccessKeyId=bob.access_key)
    alice.iam.delete_user(UserName=bob.name)
    alice.iam.create_user(UserName=bob.name)
    with refused("InvalidClientTokenId", 403):
        lent.sts.get_caller_identity()


# --- AssumeRole -----------------------------------------------------------------------------


def test_a_session_in_a_role_has_only_what_the_role_gives(
    root: Person, reader: str, store: str, fresh: Names
) -> None:
    carol = new_user(root.node, fresh("carol"), roles=(reader,))
    own = fresh("carols")
    carol.s3.create_bucket(Bucket=own)
    carol.s3.put_object(Bucket=own, Key="mine", Body=b"")
    told = carol.sts.assume_role(
        RoleArn=f"arn:aws:iam::{account_of(carol)}:role/{reader}", RoleSessionName="at.work"
    )
    arn = f"arn:aws:sts::{account_of(carol)}:assumed-role/{reader}/at.work"
    assert told["AssumedRoleUser"]["Arn"] == arn
    lent = carol.lent(told["Credentials"])
    said = lent.sts.get_caller_identity()
    assert said["Arn"] == arn
    assert said["UserId"] == told["AssumedRoleUser"]["AssumedRoleId"]
    assert lent.s3.get_object(Bucket=store, Key="k")["Body"].read() == b"value"
    lent.s3.get_object(Bucket=own, Key="mine")
    with refused("AccessDenied", 403):
        lent.s3.put_object(Bucket=own, Key="mine", Body=b"")
    with refused("AccessDenied", 403):
        lent.s3.delete_bucket(Bucket=own)
    with refused("AccessDenied", 403):
        lent.iam.create_user(UserName=fresh("bob"))
    carol.s3.delete_object(Bucket=own, Key="mine")
    carol.s3.delete_bucket(Bucket=own)


def test_a_session_policy_limits_a_role(root: Person, reader: str, store: str) -> None:
    """CVE-2025-62506: what a session policy leaves out, its user's own rights do not bring back."""
    only = policy(allow("s3:GetObject", f"arn:aws:s3:::{store}/*"))
    lent = assume(root, "Admin", Policy=only)
    assert lent.s3.get_object(Bucket=store, Key="k")["Body"].read() == b"value"
    with refused("AccessDenied", 403):
        lent.s3.put_object(Bucket=store, Key="k", Body=b"")
    with refused("AccessDenied", 403):
        lent.iam.list_users()
    with refused("AccessDenied", 403):
        lent.iam.create_access_key(UserName=root.name)
    for target in ("/v1/users", "/v1/users/root/keys"):
        reply = root.node.send(
            "POST",
            target,
            headers={"X-Amz-Security-Token": lent.token},
            body=b'{"id": "made-by-a-session"}',
            access_key=lent.access_key,
            secret_key=lent.secret_key,
        )
        assert reply.status == 403, reply.body
    nothing = assume(root, "Admin", Policy=policy(deny("*")))
    assert nothing.sts.get_caller_identity()
    with refused("AccessDenied", 403):
        nothing.s3.list_buckets()


def test_conditions_name_a_role_and_its_sessions_by_arn_and_id(
    root: Person, reader: str, store: str, alice: Person
) -> None:
    """The ARN of a role, and the id before the colon, are what policies for a role are about."""
    session = assume(root, reader)
    told = session.sts.get_caller_identity()
    identity = told["UserId"].partition(":")[0]
    assert told["UserId"] == f"{identity}:work"
    only = {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject"}
    for operator, conditions, denied in (
        ("ArnEquals", {"aws:PrincipalArn": f"arn:aws:iam::{told['Account']}:role/{reader}"}, True),
        ("ArnLike", {"aws:PrincipalArn": "arn:aws:sts::*:assumed-role/*"}, False),
        ("StringLike", {"aws:userid": f"{identity}:*"}, True),
        ("StringNotLike", {"aws:userid": [f"{identity}:*"]}, False),
        ("StringEquals", {"aws:username": "root"}, False),
    ):
        text = policy(
            {**only, "Resource": f"arn:aws:s3:::{store}/*", "Condition": {operator: conditions}}
        )
        alice.s3.put_bucket_policy(Bucket=store, Policy=text)
        try:
            if denied:
                with refused("AccessDenied"):
                    session.s3.get_object(Bucket=store, Key="k")
            else:
                session.s3.get_object(Bucket=store, Key="k")
        finally:
            alice.s3.delete_bucket_policy(Bucket=store)


def test_what_the_user_is_denied_stays_denied_in_a_role(
    root: Person, reader: str, store: str, fresh: Names
) -> None:
    dave = new_user(root.node, fresh("dave"), roles=(reader,))
    dave.iam.put_user_policy(
        UserName=dave.name,
        PolicyName="not-these",
        PolicyDocument=policy(deny("s3:GetObject", f"arn:aws:s3:::{store}/*")),
    )
    lent = assume(dave, reader)
    lent.s3.head_bucket(Bucket=store)
    with refused("AccessDenied", 403):
        lent.s3.get_object(Bucket=store, Key="k")


@pytest.mark.parametrize(
    ("arn", "code"),
    [
        ("arn:aws:iam::{account}:role/Admin", "AccessDenied"),
        ("arn:aws:iam::{account}:role/nobody-made-this", "AccessDenied"),
        ("arn:aws:iam::000000000000:role/Admin", "AccessDenied"),
        ("arn:aws:iam::{account}:role/path/Admin", "ValidationError"),
        ("arn:aws:iam::{account}:user/Admin", "ValidationError"),
        ("arn:aws:iam::{account}:role/", "ValidationError"),
        ("arn:aws:iam:::role/Admin and more", "ValidationError"),
    ],
)
def test_a_role_that_one_does_not_have_is_not_assumed(alice: Person, arn: str, code: str) -> None:
    with refused(code):
        alice.sts.assume_role(RoleArn=arn.format(account=account_of(alice)), RoleSessionName="work")


def test_a_policy_may_forbid_to_assume_a_role(root: Person, reader: str, fresh: Names) -> None:
    eve = new_user(root.node, fresh("eve"), roles=(reader,))
    assume(eve, reader)
    document = policy(deny("sts:AssumeRole", f"arn:aws:iam::*:role/{reader}"))
    eve.iam.put_user_policy(UserName=eve.name, PolicyName="no", PolicyDocument=document)
    with refused("AccessDenied", 403):
        assume(eve, reader)


@pytest.mark.parametrize(
    "parameters",
    [
        {"DurationSeconds": 43_201},
        {"PolicyArns": [{"arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}]},
        {"Tags": [{"Key": "a", "Value": "b"}]},
        {"RoleSessionName": "a b"},
        {"SourceIdentity": "somebody"},
        {"TokenCode": "123456", "SerialNumber": "GAHT12345678"},
    ],
    ids=str,
)
def test_what_a_session_cannot_have_is_refused(root: Person, parameters: dict[str, Any]) -> None:
    known = {"RoleArn": "arn:aws:iam::000000000000:role/Admin", "RoleSessionName": "work"}
    with refused("ValidationError", 400):
        root.sts.assume_role(**known | parameters)


def test_a_malformed_session_policy_is_refused(root: Person) -> None:
    with refused("MalformedPolicyDocument", 400):
        assume(root, "Admin", Policy='{"Statement": []}')


def test_a_chain_of_sessions_gets_no_further_and_lasts_no_longer(
    root: Person, reader: str, store: str, fresh: Names
) -> None:
    frank = new_user(root.node, fresh("frank"), roles=(reader, "Admin"))
    lent = frank.lent(frank.sts.get_session_token(DurationSeconds=900)["Credentials"])
    with refused("ValidationError", 400):
        assume(lent, reader, DurationSeconds=3601)
    arn = f"arn:aws:iam::{account_of(frank)}:role/{reader}"
    told = lent.sts.assume_role(RoleArn=arn, RoleSessionName="work", DurationSeconds=3600)
    left = told["Credentials"]["Expiration"] - dt.datetime.now(dt.UTC)
    assert left <= dt.timedelta(seconds=901), "it does not outlive what it was made with"
    reading = lent.lent(told["Credentials"])
    reading.s3.get_object(Bucket=store, Key="k")
    assume(reading, reader)
    with refused("AccessDenied", 403):
        assume(reading, "Admin")
    with refused("AccessDenied", 403):
        reading.sts.get_session_token()
    frank.iam.delete_access_key(AccessKeyId=frank.access_key)
    with refused("InvalidClientTokenId", 403):
        reading.sts.get_caller_identity()


def test_a_session_does_not_shed_its_policy(root: Person, store: str) -> None:
    only = policy(allow(["s3:GetObject", "sts:AssumeRole"]))
    lent = assume(root, "Admin", Policy=only)
    again = assume(lent, "Admin")
    again.s3.get_object(Bucket=store, Key="k")
    with refused("AccessDenied", 403):
        again.s3.put_object(Bucket=store, Key="k", Body=b"")
    with refused("AccessDenied", 403):
        assume(lent, "Admin", Policy=policy(allow("*")))
    strict = assume(root, "Admin", Policy=policy(allow("s3:GetObject")))
    with refused("AccessDenied", 403):
        assume(strict, "Admin")


def test_a_session_ends_with_the_role(root: Person, fresh: Names) -> None:
    role = fresh("short-lived")
    make_role(root, role)
    gina = new_user(root.node, fresh("gina"), roles=(role,))
    lent = assume(gina, role)
    assert lent.sts.get_caller_identity()
    assert root.node.send("DELETE", f"/v1/roles/{role}").status == 200
    with refused("InvalidClientTokenId", 403):
        lent.sts.get_caller_identity()


# --- AssumeRoleWithWebIdentity --------------------------------------------------------------


def test_a_token_is_traded_for_a_role(root: Person, reader: str, store: str, fresh: Names) -> None:
    harry = new_user(root.node, fresh("harry"), roles=(reader,), password="correct horse")
    token = log_in(harry.node, harry.name, "correct horse")
    arn = f"arn:aws:iam::{account_of(harry)}:role/{reader}"
    told = harry.sts.assume_role_with_web_identity(
        RoleArn=arn, RoleSessionName="web", WebIdentityToken=token
    )
    assert told["SubjectFromWebIdentityToken"] == harry.name
    lent = harry.lent(told["Credentials"])
    assert lent.s3.get_object(Bucket=store, Key="k")["Body"].read() == b"value"
    with refused("AccessDenied", 403):
        lent.s3.put_object(Bucket=store, Key="k", Body=b"")
    with refused("AccessDenied", 403):
        harry.sts.assume_role_with_web_identity(
            RoleArn=arn.replace(reader, "Admin"), RoleSessionName="web", WebIdentityToken=token
        )
    head, body, proof = token.split(".")
    for wrong in ("not a token", f"{head}.{body}.{proof[::-1]}", f"{head}.{body}."):
        with refused("InvalidIdentityToken" if "." in wrong else "ValidationError", 400):
            harry.sts.assume_role_with_web_identity(
                RoleArn=arn, RoleSessionName="web", WebIdentityToken=wrong
            )


def test_a_token_stands_for_its_user_beside_dummy_keys(root: Person, fresh: Names) -> None:
    ida = new_user(root.node, fresh("ida"), password="correct horse")
    token = log_in(ida.node, ida.name, "correct horse")
    client = Person(ida.node, ida.name, "dummy", "dummy", token)
    assert client.sts.get_caller_identity()["Arn"].endswith(f":user/{ida.name}")
    assert client.iam.get_user()["User"]["UserName"] == ida.name
    with refused("AccessDenied", 403):
        client.sts.get_session_token()


# --- GetAccessKeyInfo -----------------------------------------------------------------------


def test_the_account_of_a_key_is_told_to_who_may_know(
    root: Person, alice: Person, mallory: Person, fresh: Names
) -> None:
    lent = alice.sts.get_session_token()["Credentials"]["AccessKeyId"]
    for key in (alice.access_key, lent):
        for person in (alice, root):
            told = person.sts.get_access_key_info(AccessKeyId=key)
            assert told["Account"] == account_of(alice)
        with refused("NoSuchEntity", 404):
            mallory.sts.get_access_key_info(AccessKeyId=key)
    bob = join(alice, fresh("bob"))
    with refused("AccessDenied", 403):
        bob.sts.get_access_key_info(AccessKeyId=alice.access_key)


def test_the_version_of_one_service_is_not_that_of_the_other(alice: Person) -> None:
    reply = post(alice, "sts", {"Action": "GetCallerIdentity", "Version": VERSIONS["iam"]})
    assert (reply.status, error_of(reply)) == (400, "InvalidAction")
