"""Who may do what through the native API: owners, roles, policies, `access` bits, and nobody else.

One bucket, many who ask: every operation is tried by all of them, and the table says who gets it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from aisle.core import permissions as bits
from tests.harness import Node, Reply
from tests.native.people import Person, allow, fresh, make_role, make_user
from tests.native.support import act, message


@dataclass(frozen=True)
class Place:
    """A bucket of `owner`'s with the objects `a` and `team/x`, and who else there is."""

    bucket: str
    target: str
    people: dict[str, Person]


@pytest.fixture(scope="module")
def place(node: Node) -> Iterator[Place]:
    owner = make_user(node)
    bucket, target = fresh("bucket"), fresh("target")
    for name in (bucket, target):
        assert owner.act("POST", f"/v1/buckets/{name}", "create-bck").status == 200
    for key in ("a", "team/x"):
        assert owner.send("PUT", f"/v1/objects/{bucket}/{key}", b"bytes").status == 200
    account = json.loads(owner.send("GET", "/v1/self").body)["account"]
    team = {
        "get": allow("s3:GetObject", "s3:PutObject", resource=f"arn:aws:s3:::{bucket}/team/*"),
        "list": {
            "Version": "2012-10-17",
            "Statement": {
                "Effect": "Allow",
                "Action": "s3:ListBucket",
                "Resource": f"arn:aws:s3:::{bucket}",
                "Condition": {"StringLike": {"s3:prefix": "team/*"}},
            },
        },
    }
    people = {
        "owner": owner,
        "admin": make_user(node, ["Admin"]),
        "stranger": make_user(node),
        "member": make_user(node, account=account),
        "team": make_user(node, account=account, policies=team),
        "reader": make_user(node, [make_role(node, bits.READ_ONLY, bucket)]),
        "writer": make_user(node, [make_role(node, bits.READ_WRITE)]),
        "viewer": make_user(node, [make_role(node, bits.CLUSTER_READ_ONLY)]),
        "mover": make_user(node, [make_role(node, bits.MOVE_OBJECT, bucket)]),
    }
    yield Place(bucket, target, people)
    for name in (bucket, target):
        act(node, "DELETE", f"/v1/buckets/{name}", "destroy-bck")


Ask = Callable[[Person, Place], Reply]


def getting(method: str, path: str) -> Ask:
    return lambda who, at: who.send(method, path.replace("BUCKET", at.bucket))


def putting(key: str, query: str = "") -> Ask:
    return lambda who, at: who.send("PUT", f"/v1/objects/{at.bucket}/{key}{query}", b"new")


def acting(method: str, path: str, action: str, value: object = None) -> Ask:
    return lambda who, at: who.act(
        method,
        path.replace("BUCKET", at.bucket).replace("TARGET", at.target),
        action,
        json.loads(json.dumps(value).replace("TARGET", at.target)),
    )


ALWAYS = {"owner", "admin"}
READS = ALWAYS | {"reader", "writer"}
WRITES = ALWAYS | {"writer"}
SEES = {"admin", "viewer"}
B, A, T = "/v1/buckets/BUCKET", "/v1/objects/BUCKET/a", "/v1/objects/BUCKET/team/x"
TABLE: dict[str, tuple[Ask, set[str]]] = {
    "get": (getting("GET", A), READS),
    "get-prefix": (getting("GET", T), READS | {"team"}),
    "head": (getting("HEAD", A), READS),
    "get-missing": (getting("GET", "/v1/objects/BUCKET/missing"), set()),
    "put": (putting("a"), WRITES),
    "put-prefix": (putting("team/y"), WRITES | {"team"}),
    "append": (putting("b", "?append_type=append"), WRITES),
    "archive-append": (putting("b.tar", "?archpath=x&archmime=tar"), WRITES),
    "upload": (acting("POST", A, "mpt-upload"), WRITES),
    "delete": (getting("DELETE", "/v1/objects/BUCKET/nothing"), set()),
    "check-lock": (acting("POST", A, "check-lock"), READS),
    "set-custom": (acting("PATCH", A, "set-custom", {"color": "red"}), ALWAYS),
    "list": (acting("GET", B, "list"), READS),
    "list-prefix": (acting("GET", B, "list", {"prefix": "team/"}), READS | {"team"}),
    "list-archives": (acting("GET", B, "list", {"flags": "8"}), READS),
    "head-bucket": (getting("HEAD", B), READS),
    "summary": (acting("GET", B, "summary-bck"), READS),
    "set-props": (acting("PATCH", B, "set-bprops", {"extra.custom": "x"}), ALWAYS),
    "delete-list": (acting("DELETE", B, "delete-listrange", {"objnames": ["n"]}), WRITES),
    "delete-all": (acting("DELETE", B, "delete-listrange", {"template": "nothing-"}), WRITES),
    "copy-list": (
        acting("POST", B, "copy-listrange", {"objnames": ["a"], "tobck": {"name": "TARGET"}}),
        WRITES,
    ),
    "copy-range": (
        acting("POST", B, "copy-listrange", {"template": "{1..3}", "tobck": {"name": "TARGET"}}),
        WRITES,
    ),
    "archive": (
        acting(
            "PUT",
            B,
            "archive",
            {"objnames": ["a"], "archname": "o.tar", "tobck": {"name": "TARGET"}},
        ),
        WRITES,
    ),
    "smap": (getting("GET", "/v1/daemon?what=smap"), SEES),
    "config": (getting("GET", "/v1/cluster?what=cluster_config"), SEES),
    "bmd": (getting("GET", "/v1/cluster?what=bmd"), SEES),
    "metrics": (getting("GET", "/v1/metrics"), SEES),
    "log": (getting("GET", "/v1/daemon?what=log"), {"admin"}),
    "reset-stats": (acting("PUT", "/v1/cluster", "reset-stats"), {"admin"}),
    "set-config": (getting("PUT", "/v1/cluster/set-config?log.level=3"), {"admin"}),
    "start-job": (acting("PUT", "/v1/cluster", "start", {"Kind": "lru"}), {"admin"}),
    "export": (getting("GET", "/v1/export"), {"admin"}),
    "users": (getting("GET", "/v1/users"), {"admin"}),
    "roles": (getting("GET", "/v1/roles"), {"admin"}),
    "clusters": (getting("GET", "/v1/clusters"), {"admin"}),
    "rotate-key": (getting("POST", "/v1/rotate-key"), {"admin"}),
}
MISSING = {"get-missing", "delete"}


@pytest.mark.parametrize("name", sorted(TABLE.keys() - MISSING))
def test_an_operation_is_for_whom_it_is_permitted_and_for_no_one_else(
    name: str, place: Place
) -> None:
    ask, allowed = TABLE[name]
    found = {who: ask(person, place) for who, person in place.people.items()}
    assert {who for who, reply in found.items() if reply.status < 300} == allowed
    for who in found.keys() - allowed:
        assert found[who].status == 403, (who, found[who])
        assert message(found[who]) == "Access Denied"


@pytest.mark.parametrize("name", sorted(MISSING))
def test_whether_an_object_is_missing_is_told_to_who_may_list(name: str, place: Place) -> None:
    ask, _ = TABLE[name]
    statuses = {who: ask(person, place).status for who, person in place.people.items()}
    told = WRITES if name == "delete" else READS
    assert {who for who, status in statuses.items() if status == 404} == told
    assert {status for who, status in statuses.items() if who not in told} == {403}


def test_a_missing_bucket_is_missing_for_everybody(place: Place) -> None:
    for person in place.people.values():
        assert person.send("GET", "/v1/objects/no-such-bucket/x").status == 404
        assert person.act("DELETE", "/v1/buckets/no-such-bucket", "destroy-bck").status == 404


def test_a_copy_needs_both_buckets(node: Node, place: Place) -> None:
    reads = make_role(node, bits.READ_ONLY, place.bucket)
    writes = make_role(node, bits.PUT, place.target)
    source = f"/v1/objects/{place.bucket}/a?object_to=ais/@%23/{place.target}/copied"
    assert make_user(node, [reads]).send("PUT", source).status == 403
    assert make_user(node, [writes]).send("PUT", source).status == 403
    both = make_user(node, [reads, writes])
    assert both.send("PUT", source).status == 200
    value = {"objnames": ["a"], "tobck": {"name": place.target}}
    copies = f"/v1/buckets/{place.bucket}"
    assert both.act("POST", copies, "copy-listrange", value).status == 200
    assert both.act("POST", f"{copies}?bck_to=ais/@%23/{place.target}/", "copy-bck").status == 200
    for one in (reads, writes):
        person = make_user(node, [one])
        assert person.act("POST", copies, "copy-listrange", value).status == 403
        there = f"{copies}?bck_to=ais/@%23/{place.target}/"
        assert person.act("POST", there, "copy-bck").status == 403


def test_a_copy_makes_no_bucket_for_who_may_make_none(node: Node, place: Place) -> None:
    reads = make_role(node, bits.READ_ONLY, place.bucket)
    account = json.loads(place.people["owner"].send("GET", "/v1/self").body)["account"]
    person = make_user(node, [reads], account=account)
    name = fresh("new")
    target = f"/v1/buckets/{place.bucket}?bck_to=ais/@%23/{name}/"
    assert person.act("POST", target, "copy-bck").status == 403
    assert place.people["admin"].send("HEAD", f"/v1/buckets/{name}").status == 404
    assert person.act("POST", f"/v1/buckets/{name}", "create-bck").status == 403


def test_every_name_of_a_list_counts(node: Node, place: Place) -> None:
    team = place.people["team"]
    target = place.bucket
    within = {"objnames": ["team/x"], "archname": "team/o.tar"}
    assert team.act("PUT", f"/v1/buckets/{target}", "archive", within).status == 200
    for value in (
        {"objnames": ["team/x", "a"], "archname": "team/o.tar"},
        {"objnames": ["team/x"], "archname": "o.tar"},
        {"template": "", "archname": "team/o.tar"},
        {"template": "{a..c}", "archname": "team/o.tar"},
    ):
        assert team.act("PUT", f"/v1/buckets/{target}", "archive", value).status == 403, value
    for template in ("team/", "team/{1..3}"):
        value = {"template": template, "archname": "team/o.tar"}
        assert team.act("PUT", f"/v1/buckets/{target}", "archive", value).status == 200, template


def test_a_rename_needs_both_names_and_heeds_denials_of_what_it_comes_to(
    node: Node, place: Place
) -> None:
    mover = place.people["mover"]
    target = f"/v1/objects/{place.bucket}/moved"
    assert place.people["owner"].send("PUT", target, b"1").status == 200

    def rename(person: Person) -> Reply:
        body = json.dumps({"action": "rename", "name": "moved-2"}).encode()
        return person.send("POST", target, body)

    denied = make_user(
        node,
        [make_role(node, bits.MOVE_OBJECT, place.bucket)],
        {"no": {**allow("s3:DeleteObject", resource="*"), "Statement": _deny("s3:DeleteObject")}},
    )
    assert rename(place.people["reader"]).status == 403
    assert rename(denied).status == 403
    assert rename(mover).status == 200


def _deny(action: str) -> list[dict[str, str]]:
    return [{"Effect": "Deny", "Action": action, "Resource": "*"}]


def test_buckets_are_listed_for_whom_they_are(place: Place) -> None:
    seen = {}
    for who, person in place.people.items():
        found = json.loads(person.send("GET", "/v1/buckets").body)
        seen[who] = place.bucket in {bucket["name"] for bucket in found}
    assert {who for who, told in seen.items() if told} == {
        "owner", "member", "team", "admin", "reader", "viewer", "mover",
    }  # fmt: skip


def test_a_summary_of_all_buckets_is_of_those_one_is_told_of(place: Place) -> None:
    for who, told in (("owner", True), ("stranger", False), ("viewer", True)):
        person = place.people[who]
        job = person.act("GET", "/v1/buckets", "summary-bck").body.decode()
        while (
            reply := person.act("GET", "/v1/buckets", "summary-bck", {"uuid": job})
        ).status != 200:
            assert reply.status in (202, 206)
        names = {entry["name"] for entry in json.loads(reply.body)}
        assert (place.bucket in names) is told


def test_jobs_are_seen_and_stopped_by_who_began_them(place: Place) -> None:
    owner, stranger = place.people["owner"], place.people["stranger"]
    job = owner.act("GET", f"/v1/buckets/{place.bucket}", "summary-bck").body.decode()
    ask = {"ID": job, "Kind": "", "DaemonID": "", "Bck": None, "Buckets": None}

    def told(person: Person, what: str) -> Reply:
        return person.tell("GET", f"/v1/cluster?what={what}", ask)

    for who in ("owner", "viewer", "admin"):
        assert told(place.people[who], "status").status == 200
        assert job in told(place.people[who], "qryxstats").body.decode()
        assert job in told(place.people[who], "status_all").body.decode()
    assert told(stranger, "status").status == 404
    assert told(stranger, "qryxstats").body == b"{}"
    assert told(stranger, "status_all").body == b"[]"
    assert stranger.act("PUT", "/v1/cluster", "stop", {"ID": job}).status == 404
    assert place.people["viewer"].act("PUT", "/v1/cluster", "stop", {"ID": job}).status == 404
    assert stranger.act("PUT", "/v1/cluster", "stop", {"Kind": "summary-bck"}).status == 200
    for who in ("owner", "admin"):
        assert place.people[who].act("PUT", "/v1/cluster", "stop", {"ID": job}).status == 200


def test_to_own_a_bucket_is_not_enough_to_promote_files_into_it(node: Node, place: Place) -> None:
    target = f"/v1/objects/{place.bucket}"
    value = {"src": "/etc/hostname"}
    owner = place.people["owner"].act("POST", target, "promote", value)
    assert (owner.status, message(owner)) == (403, "Access Denied")
    permitted = make_user(node, [make_role(node, bits.PROMOTE, place.bucket)])
    reply = permitted.act("POST", target, "promote", value)
    assert "promotes no files" in message(reply)


def test_a_bucket_is_destroyed_or_renamed_by_who_may_remove_what_is_in_it(
    node: Node, place: Place
) -> None:
    """S3's DeleteBucket removes nothing but an empty bucket: to allow that is to allow less."""
    account = json.loads(place.people["owner"].send("GET", "/v1/self").body)["account"]
    name = fresh("doomed")
    assert place.people["owner"].act("POST", f"/v1/buckets/{name}", "create-bck").status == 200
    resource = f"arn:aws:s3:::{name}"
    half = make_user(
        node, account=account, policies={"p": allow("s3:DeleteBucket", resource=resource)}
    )
    assert half.act("DELETE", f"/v1/buckets/{name}", "destroy-bck").status == 403
    moved = f"/v1/buckets/{name}?bck_to=ais/@%23/{name}-2/"
    assert half.act("POST", moved, "move-bck").status == 403
    whole = make_user(
        node,
        account=account,
        policies={
            "p": allow("s3:DeleteBucket", resource=resource),
            "q": allow("s3:DeleteObject", resource=f"{resource}/*"),
        },
    )
    assert whole.act("DELETE", f"/v1/buckets/{name}", "destroy-bck").status == 200


def test_access_bits_close_for_everybody_and_stay_open_to_the_administrator_to_change(
    node: Node, place: Place
) -> None:
    name = fresh("closed")
    owner, admin = place.people["owner"], place.people["admin"]
    props = f"/v1/buckets/{name}"
    assert owner.act("POST", props, "create-bck").status == 200
    patcher = make_user(node, [make_role(node, bits.PATCH, name)])
    closed = {"access": str(bits.READ_ONLY)}
    assert patcher.act("PATCH", props, "set-bprops", closed).status == 403
    assert patcher.act("PATCH", props, "set-bprops", {"extra.custom": "x"}).status == 200
    assert owner.act("PATCH", props, "set-bprops", closed).status == 200
    for person in (owner, admin):
        assert person.send("PUT", f"/v1/objects/{name}/x", b"1").status == 403
        assert person.act("GET", props, "list").status == 200
    assert owner.act("PATCH", props, "set-bprops", {"access": str(1 << 63)}).status == 403
    assert admin.act("PATCH", props, "reset-bprops").status == 200
    assert owner.send("PUT", f"/v1/objects/{name}/x", b"1").status == 200
    assert owner.act("DELETE", props, "destroy-bck").status == 200


def test_with_authentication_off_closed_bits_close_what_changes_objects(open_node: Node) -> None:
    name = fresh("closed")
    anybody = Person(open_node, "", "")
    props = f"/v1/buckets/{name}"
    assert anybody.act("POST", props, "create-bck").status == 200
    assert anybody.send("PUT", f"/v1/objects/{name}/x", b"1").status == 200
    assert anybody.act("PATCH", props, "set-bprops", {"access": "0"}).status == 200
    assert anybody.send("PUT", f"/v1/objects/{name}/x", b"1").status == 403
    assert anybody.send("DELETE", f"/v1/objects/{name}/x").status == 403
    assert anybody.act("DELETE", props, "destroy-bck").status == 403
    assert anybody.send("GET", f"/v1/objects/{name}/x").status == 200
    assert anybody.act("GET", props, "list").status == 200
    assert anybody.act("PATCH", props, "set-bprops", {"access": str((1 << 64) - 1)}).status == 200
    assert anybody.act("DELETE", props, "destroy-bck").status == 200


@pytest.mark.parametrize("name", TABLE.keys())
def test_a_stranger_without_a_token_hears_nothing(name: str, node: Node, place: Place) -> None:
    reply = TABLE[name][0](Person(node, "", ""), place)
    assert reply.status == 401
    assert message(reply) == "this node wants to know who asks: log in, or sign with an access key"


def test_what_a_user_of_another_account_writes_is_the_bucket_owner_s(place: Place) -> None:
    writer, owner = place.people["writer"], place.people["owner"]
    target = f"/v1/objects/{place.bucket}/theirs"
    assert writer.send("PUT", target, b"1").status == 200
    assert owner.send("GET", target).body == b"1"
    assert owner.send("DELETE", target).status == 200
