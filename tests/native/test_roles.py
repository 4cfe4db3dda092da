"""The AuthN API on the wire: roles, and the clusters that they name."""

from __future__ import annotations

from typing import Any

import pytest

from aisle.core import permissions as bits
from tests.harness import Node
from tests.native.people import fresh, make_role, make_user, soon, told
from tests.people import as_root, ask


def test_a_role_is_told_as_it_was_made_and_changed(node: Node) -> None:
    name = fresh("role")
    space = {"uuid": "some-cluster", "name": "ns"}
    role = {
        "name": name,
        "desc": "what it is for",
        "clusters": [{"id": "some-cluster", "perm": "771"}],
        "buckets": [{"bck": {"name": "b", "provider": "aws", "namespace": space}, "perm": "1"}],
        "admin": False,
    }
    as_root(node, "POST", "/v1/roles", role)
    assert told(ask(node, "GET", f"/v1/roles/{name}")) == role
    assert role in told(ask(node, "GET", "/v1/roles"))
    as_root(node, "PUT", f"/v1/roles/{name}", {"desc": "else", "buckets": []})
    assert told(ask(node, "GET", f"/v1/roles/{name}")) == {**role, "desc": "else", "buckets": []}
    assert ask(node, "PUT", f"/v1/roles/{name}", {"name": "another"}).status == 400
    as_root(node, "DELETE", f"/v1/roles/{name}")
    assert ask(node, "GET", f"/v1/roles/{name}").status == 404


@pytest.mark.parametrize(
    "value",
    [
        {"clusters": [{"id": "c", "perm": "all"}]},
        {"clusters": [{"id": "c", "perm": "-1"}]},
        {"clusters": [{"id": "c", "perm": str(1 << 40)}]},
        {"buckets": [{"bck": {"name": "UPPER/CASE"}, "perm": "1"}]},
        {"buckets": [{"bck": {"name": "b", "provider": "ftp"}, "perm": "1"}]},
        {"buckets": [{"bck": {"name": "b", "namespace": {"name": "a b"}}, "perm": "1"}]},
        {"buckets": [{"perm": "1"}]},
        {"name": "a/b"},
        {"desc": "x" * 2000},
        {"admin": "yes"},
    ],
    ids=repr,
)
def test_a_role_that_cannot_be_is_refused(node: Node, value: dict[str, Any]) -> None:
    assert ask(node, "POST", "/v1/roles", {"name": "never-made", **value}).status == 400
    assert ask(node, "GET", "/v1/roles/never-made").status == 404


def test_a_role_that_is_taken_back_gives_nothing_any_more(node: Node) -> None:
    role = make_role(node, bits.SHOW_CLUSTER)
    person = make_user(node, [role])
    assert person.send("GET", "/v1/daemon?what=smap").status == 200
    as_root(node, "PUT", f"/v1/roles/{role}", {"clusters": []})
    soon(lambda: person.send("GET", "/v1/daemon?what=smap").status == 403, "it is gone")


def test_clusters_are_found_by_id_and_alias_and_come_with_roles(node: Node) -> None:
    uuid, alias = fresh("uuid"), fresh("alias")
    value = {"id": uuid, "alias": alias, "urls": ["http://localhost:1"]}
    as_root(node, "POST", "/v1/clusters", value)
    for name in (uuid, alias):
        assert told(ask(node, "GET", f"/v1/clusters/{name}")) == {"clusters": {uuid: value}}
    assert uuid in told(ask(node, "GET", "/v1/clusters"))["clusters"]
    for prefix in ("ClusterOwner", "BucketOwner", "Guest"):
        found = told(ask(node, "GET", f"/v1/roles/{prefix}-{alias}"))
        assert [entry["id"] for entry in found["clusters"]] == [uuid]
    as_root(node, "PUT", f"/v1/clusters/{alias}", {"id": uuid, "alias": None, "urls": ["http://a"]})
    assert told(ask(node, "GET", f"/v1/clusters/{uuid}"))["clusters"][uuid]["alias"] == alias
    assert ask(node, "PUT", f"/v1/clusters/{alias}", {"id": "another"}).status == 400
    other = fresh("uuid")
    assert ask(node, "POST", "/v1/clusters", {"id": other, "alias": alias}).status == 409
    as_root(node, "DELETE", f"/v1/clusters/{alias}")
    assert ask(node, "GET", f"/v1/clusters/{uuid}").status == 404
