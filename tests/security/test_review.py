"""Ways around a permission that a review of this store has found, each closed.

Mallory owns an account; members of alice's have policies that give them a little of what is hers.
"""

from __future__ import annotations

import io
import json
import tarfile
from typing import Any

import pytest

from aisle.api.base import Context
from aisle.api.iam import errors as iam_errors
from aisle.api.native.archdirs import Place, encode_place
from aisle.api.s3 import dialect
from aisle.api.s3 import errors as s3_errors
from aisle.core import permissions as bits
from aisle.core.errors import AisleError
from aisle.core.http import RequestHead
from aisle.namespace import housekeeping
from aisle.namespace.users import sessions
from tests.api.test_reads import AT, HOST, Body, house
from tests.harness import Reply, sign
from tests.namespace.support import HOUR, SECOND, run
from tests.people import Person, allow, deny, fresh, join, make_role, new_user, policy, refused
from tests.security.test_crossing import send

ARCH_DIR = str(1 << 3)


def act(who: Person, method: str, target: str, action: str, value: Any = None) -> Reply:
    """An action message of the native API."""
    body = json.dumps({"action": action, "name": "", "value": value}).encode()
    headers = {"x-amz-security-token": who.token} if who.token else {}
    length = {"Content-Length": str(len(body))}
    return send(who, method, target, headers=headers, body=body, unsigned_headers=length)


def arn(bucket: str, keys: str = "") -> str:
    return f"arn:aws:s3:::{bucket}{keys}"


def archive(*names: str) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        for name in names:
            tar.addfile(tarfile.TarInfo(name))
    return data.getvalue()


@pytest.fixture
def archives(alice: Person, vault: str) -> str:
    """A bucket with an archive that anybody may see, and one that is nobody's business."""
    alice.s3.put_object(Bucket=vault, Key="public/a.tar", Body=archive("open"))
    alice.s3.put_object(Bucket=vault, Key="hidden.tar", Body=archive("payroll"))
    return vault


def test_a_token_of_ones_own_making_opens_no_archive(alice: Person, archives: str) -> None:
    member = join(
        alice,
        fresh("member"),
        allow("s3:ListBucket", arn(archives)),
        allow("s3:GetObject", arn(archives, "/public/*")),
    )
    target = f"/v1/buckets/{archives}"
    told = act(member, "GET", target, "list", {"prefix": "public/", "flags": ARCH_DIR})
    assert (told.status, b"public/a.tar/open" in told.body) == (200, True)
    token = encode_place(Place("hidden.tar", "", -1))
    asked = {"prefix": "public/", "flags": ARCH_DIR, "continuation_token": token}
    told = act(member, "GET", target, "list", asked)
    assert (told.status, b"payroll" in told.body) == (403, False)


def test_a_prefix_that_reaches_into_an_archive_needs_the_archive(
    alice: Person, archives: str
) -> None:
    member = join(
        alice,
        fresh("member"),
        allow(["s3:ListBucket", "s3:GetObject"]),
        deny("s3:GetObject", arn(archives, "/hidden.tar")),
    )
    asked = {"prefix": "hidden.tar/", "flags": ARCH_DIR}
    told = act(member, "GET", f"/v1/buckets/{archives}", "list", asked)
    assert (told.status, b"payroll" in told.body) == (403, False)


def test_a_long_prefix_of_archives_is_not_multiplied(alice: Person, vault: str) -> None:
    asked = {"prefix": "a.tar/" * 160_000, "flags": ARCH_DIR}
    assert act(alice, "GET", f"/v1/buckets/{vault}", "list", asked).status in (200, 400)
    assert alice.node.send("GET", "/v1/health", signed=False).status == 200


@pytest.fixture
def wild(alice: Person, vault: str) -> str:
    """A bucket with a policy that takes long to compare with anything long."""
    texts = ["*" + "a?" * 400 + f"b{number}*c" for number in range(11)]
    statements: list[dict[str, Any]] = [
        {**deny("s3:*", [arn(vault, f"/{text}") for text in texts]), "Principal": "*"},
        {
            **deny("s3:ListBucket", arn(vault)),
            "Principal": "*",
            "Condition": {"StringLike": {"s3:prefix": texts}},
        },
    ]
    alice.s3.put_bucket_policy(Bucket=vault, Policy=policy(*statements))
    return vault


def test_what_nothing_can_be_called_is_not_compared_with_policies(alice: Person, wild: str) -> None:
    """A policy of 20 KiB and a name of a megabyte would keep a worker busy for a minute."""
    long = "a" * 900_000
    target = f"/v1/buckets/{wild}"
    assert act(alice, "GET", target, "list", {"prefix": long}).status == 400
    copy = f"{target}?bck_to=ais%2F%40%23%2F{wild}%2F"
    assert act(alice, "POST", copy, "copy-bck", {"prefix": long, "prepend": "b"}).status >= 400
    told = alice.s3.delete_objects(Bucket=wild, Delete={"Objects": [{"Key": long}]})
    assert [error["Code"] for error in told["Errors"]] == ["KeyTooLongError"]


def test_nobody_is_called_by_a_canonical_id(root: Person, alice: Person, mallory: Person) -> None:
    """A policy may name an account as if its id were a user's name."""
    victim = alice.s3.list_buckets()["Owner"]["ID"]
    for name in (victim, victim.upper()):
        with refused("ValidationError", 400):
            mallory.iam.create_user(UserName=name)
        body = json.dumps({"id": name}).encode()
        assert root.node.send("POST", "/v1/users", body=body).status == 400


def test_metadata_of_another_account_is_not_inherited(
    alice: Person, mallory: Person, vault: str
) -> None:
    account = mallory.sts.get_caller_identity()["Account"]
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": account},
        "Action": "s3:PutObject",
        "Resource": arn(vault, "/*"),
    }
    alice.s3.put_bucket_policy(Bucket=vault, Policy=policy(statement))
    mallory.s3.put_object(Bucket=vault, Key="hers", Body=b"x", Metadata={"secret": "hers-alone"})
    with refused("403"):
        alice.s3.head_object(Bucket=vault, Key="hers")
    told = send(alice, "PUT", f"/v1/objects/{vault}/hers", body=b"mine",
                unsigned_headers={"Content-Length": "4"})  # fmt: skip
    assert told.status == 200, told.body
    assert alice.s3.head_object(Bucket=vault, Key="hers")["Metadata"] == {}
    alice.s3.delete_bucket_policy(Bucket=vault)


def test_who_may_only_list_sees_no_metadata(alice: Person, vault: str) -> None:
    alice.s3.put_object(Bucket=vault, Key="k", Body=b"x", Metadata={"note": "to-readers"})
    target, asked = f"/v1/buckets/{vault}", {"props": "name,custom"}
    lister = join(alice, fresh("lister"), allow("s3:ListBucket"))
    told = act(lister, "GET", target, "list", asked)
    assert (told.status, b"to-readers" in told.body) == (200, False)
    assert b"ETag:" in told.body
    reader = join(alice, fresh("reader"), allow(["s3:ListBucket", "s3:GetObject"]))
    for who in (alice, reader):
        assert b"note:to-readers" in act(who, "GET", target, "list", asked).body


def test_a_copy_makes_no_bucket_whose_name_is_not_allowed(alice: Person, vault: str) -> None:
    """What may be made is asked by the name of what is made, and not of what is copied."""
    other = fresh("other")
    member = join(
        alice,
        fresh("member"),
        allow(["s3:ListBucket", "s3:GetObject", "s3:PutObject"]),
        allow("s3:CreateBucket", arn(vault)),
    )
    target = f"/v1/buckets/{vault}?bck_to=ais%2F%40%23%2F{other}%2F"
    assert act(member, "POST", target, "copy-bck", {}).status == 403
    with refused("404"):
        alice.s3.head_bucket(Bucket=other)


def test_a_bucket_gets_no_name_that_its_mover_may_not_give(alice: Person) -> None:
    bucket, other = fresh("moved"), fresh("other")
    alice.s3.create_bucket(Bucket=bucket)
    own = allow(["s3:*"], [arn(bucket), arn(bucket, "/*")])
    member = join(alice, fresh("member"), own)
    target = f"/v1/buckets/{bucket}?bck_to=ais%2F%40%23%2F{other}%2F"
    assert act(member, "POST", target, "move-bck").status == 403
    alice.s3.head_bucket(Bucket=bucket)
    mover = join(alice, fresh("mover"), own, allow("s3:CreateBucket", arn(other)))
    assert act(mover, "POST", target, "move-bck").status == 200


def session(who: Person, role: str, *statements: Any) -> Person:
    account = who.sts.get_caller_identity()["Account"]
    told = who.sts.assume_role(
        RoleArn=f"arn:aws:iam::{account}:role/{role}",
        RoleSessionName="narrow",
        Policy=policy(*statements),
    )
    return who.lent(told["Credentials"])


def test_a_session_promotes_no_files_that_its_policy_leaves_out(root: Person, vault: str) -> None:
    role = fresh("promoter")
    perm = str(bits.PROMOTE | bits.PUT)
    make_role(root, role, buckets=[{"bck": {"name": vault, "provider": "ais"}, "perm": perm}])
    worker = new_user(root.node, fresh("worker"), roles=(role,))
    asked = {"src": "/files/a"}
    allowed = act(worker, "POST", f"/v1/objects/{vault}", "promote", asked)
    assert b"promotes no files" in allowed.body, "it is the node that does not"
    lent = session(worker, role, allow("s3:PutObject"))
    told = act(lent, "POST", f"/v1/objects/{vault}", "promote", asked)
    assert (told.status, b"promotes no files" in told.body) == (403, False)


def test_a_session_hears_only_of_what_its_policy_allows(root: Person, vault: str) -> None:
    role = fresh("reader")
    make_role(root, role, clusters=[{"id": "", "perm": str(bits.READ_ONLY | bits.LIST_BUCKETS)}])
    reader = new_user(root.node, fresh("reader"), roles=(role,))
    assert vault in act(reader, "GET", "/v1/buckets", "list").body.decode()
    lent = session(reader, role, allow("s3:GetObject"))
    told = act(lent, "GET", "/v1/buckets", "list")
    assert (told.status, vault in told.body.decode()) == (403, False)


def summary(who: Person, target: str, value: dict[str, Any]) -> Reply:
    """What is told in the end of a summary that is asked for."""
    begun = act(who, "GET", target, "summary-bck", value)
    if begun.status != 202:
        return begun
    asked = {**value, "uuid": begun.body.decode()}
    while (told := act(who, "GET", target, "summary-bck", asked)).status in (202, 206):
        pass
    return told


def test_nothing_is_counted_for_who_may_not_list(alice: Person, vault: str) -> None:
    member = join(alice, fresh("member"))
    told = summary(member, "/v1/buckets", {})
    assert told.status == 200, told.body
    assert vault not in told.body.decode()
    assert vault in summary(alice, "/v1/buckets", {}).body.decode()


def test_a_summary_is_of_a_prefix_that_may_be_listed(alice: Person, vault: str) -> None:
    """So is that of HEAD, which has the prefix in its path."""
    unless = {"Condition": {"StringEquals": {"s3:prefix": "payroll/"}}}
    member = join(
        alice, fresh("member"), allow("s3:ListBucket"), {**deny("s3:ListBucket"), **unless}
    )
    target = f"/v1/buckets/{vault}"
    assert summary(member, target, {"prefix": "public/"}).status == 200
    assert summary(member, target, {"prefix": "payroll/"}).status == 403
    head = f"{target}/payroll%2F?bsumm_remote=false"
    assert send(member, "HEAD", head).status == 403


def test_credentials_whose_time_is_over_are_told_as_such() -> None:
    """As long as they are remembered: a client that renews its credentials goes by that."""

    async def story() -> None:
        it = await house()
        clock: Any = it.store.now
        clock.now -= HOUR
        lent = await sessions.create(it.store, "alice", duration=900 * SECOND)
        clock.now += HOUR

        async def told() -> AisleError:
            token = {"x-amz-security-token": lent.token}
            signed = sign("GET", "/", host=HOST, headers=token, at=AT,
                          access_key=lent.access_key, secret_key=lent.secret_key)  # fmt: skip
            fields = {name.lower(): value for name, value in signed.headers.items()}
            ctx = Context(RequestHead("GET", b"/", b"", fields), Body(b""), "REQ1")
            with pytest.raises(AisleError) as caught:
                await dialect.handle(it.svc, ctx)
            return caught.value

        error = await told()
        of_s3, of_iam = s3_errors.tell(error), iam_errors.tell(error)
        assert (of_s3.status, of_s3.code) == (400, "ExpiredToken")
        assert (of_iam.status, of_iam.code) == (403, "ExpiredToken")
        await housekeeping.tidy(it.store)
        assert s3_errors.tell(await told()).code == "InvalidAccessKeyId"

    run(story())
