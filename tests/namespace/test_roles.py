"""Roles, and the clusters that they name."""

from __future__ import annotations

from typing import Any

import pytest

from aisle.core import permissions as p
from aisle.core.errors import (
    AisleError,
    ClusterExists,
    ClusterNotFound,
    InvalidArgument,
    InvalidRequest,
    LimitExceeded,
    RoleExists,
    RoleNotFound,
)
from aisle.namespace.store import store_id
from aisle.namespace.users import clusters, roles, users
from tests.namespace.support import memory_store, outcomes, rows, run, unhurried_store


def test_roles_are_made_listed_changed_and_deleted() -> None:
    async def story() -> None:
        store = memory_store()
        assert await roles.list_all(store) == [roles.ADMIN]
        role = roles.made(
            "reader",
            description="x",
            clusters={"c": p.READ_ONLY},
            buckets=[("c", "ais", "", "b", 1)],
        )
        assert await roles.create(store, role) == role
        assert await roles.get(store, "reader") == role
        with pytest.raises(RoleExists, match='role "reader" already exists'):
            await roles.create(store, roles.made("reader"))
        assert await roles.list_all(store) == [roles.ADMIN, role]
        await roles.change(store, roles.made("reader", admin=True))
        assert (await roles.get(store, "reader")).admin
        await roles.delete(store, "reader")
        for work in (roles.get(store, "reader"), roles.delete(store, "reader")):
            with pytest.raises(RoleNotFound, match='role "reader" does not exist'):
                await work
        with pytest.raises(RoleNotFound):
            await roles.change(store, roles.made("reader"))

    run(story())


def test_the_role_of_administrators_stays_as_it_is() -> None:
    async def story() -> None:
        store = memory_store()
        assert (await roles.get(store, "Admin")).admin
        with pytest.raises(RoleExists):
            await roles.create(store, roles.made("Admin"))
        with pytest.raises(InvalidRequest):
            await roles.change(store, roles.made("Admin"))
        with pytest.raises(InvalidRequest):
            await roles.delete(store, "Admin")

    run(story())


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"name": ""}, InvalidArgument),
        ({"name": "a b"}, InvalidArgument),
        ({"name": "r", "description": "x" * 1001}, InvalidArgument),
        ({"name": "r", "clusters": {"c": -1}}, InvalidArgument),
        ({"name": "r", "clusters": {"c": 1 << 18}}, InvalidArgument),
        ({"name": "r", "buckets": [("c", "ais", "", "b", 1 << 70)]}, InvalidArgument),
        ({"name": "r", "clusters": {str(n): 1 for n in range(1001)}}, LimitExceeded),
    ],
)
def test_a_wrong_role_is_refused(given: dict[str, Any], error: type[AisleError]) -> None:
    with pytest.raises(error):
        roles.made(**given)


def test_a_role_that_is_deleted_is_taken_from_all_who_have_it() -> None:
    async def story() -> None:
        store = memory_store()
        for name in ("one", "two"):
            await roles.create(store, roles.made(name))
        await users.create(store, "alice", roles=["one", "two"])
        await users.create(store, "bob", roles=["one"])
        await roles.delete(store, "one")
        assert [user.roles for user in await users.list_all(store)] == [["two"], []]
        # Made anew, it is nobody's.
        await roles.create(store, roles.made("one", admin=True))
        assert (await users.get(store, "bob")).roles == []

    run(story())


def test_registering_a_cluster_makes_its_roles() -> None:
    async def story() -> None:
        store = memory_store()
        await clusters.register(store, "uuid-1", alias="lab", urls=["http://lab:8080"])
        known = {role.name: role.clusters for role in await roles.list_all(store)}
        assert known == {
            "Admin": {},
            "ClusterOwner-lab": {"uuid-1": p.EVERYTHING},
            "BucketOwner-lab": {"uuid-1": p.READ_WRITE},
            "Guest-lab": {"uuid-1": p.READ_ONLY | p.CLUSTER_READ_ONLY},
        }
        by_id, by_alias = [await clusters.get(store, name) for name in ("uuid-1", "lab")]
        assert by_id == by_alias
        assert (by_id.alias, by_id.urls) == ("lab", ["http://lab:8080"])
        await clusters.register(store, "uuid-2")
        assert (await roles.get(store, "Guest-uuid-2")).clusters == {"uuid-2": 0x303 | 0x3000}

    run(story())


def test_a_role_that_is_there_is_not_made_anew_by_registering() -> None:
    async def story() -> None:
        store = memory_store()
        await roles.create(store, roles.made("Guest-lab", description="mine"))
        await clusters.register(store, "uuid-1", alias="lab")
        assert (await roles.get(store, "Guest-lab")).description == "mine"

    run(story())


def test_the_own_cluster_is_known_without_being_registered() -> None:
    async def story() -> None:
        store = memory_store()
        own = await store_id(store.index)
        assert (await clusters.get(store, own)).id == own
        assert [cluster.id for cluster in await clusters.list_all(store)] == [own]
        await clusters.register(store, own, alias="here")
        assert [cluster.alias for cluster in await clusters.list_all(store)] == ["here"]
        await clusters.delete(store, "here")
        assert (await clusters.get(store, own)).alias == ""
        with pytest.raises(ClusterNotFound):
            await clusters.delete(store, own)

    run(story())


def test_clusters_are_changed_and_deleted() -> None:
    async def story() -> None:
        store = memory_store()
        await clusters.register(store, "uuid-1", alias="lab", urls=["http://a"])
        await clusters.register(store, "uuid-2", alias="shop")
        with pytest.raises(ClusterExists, match='cluster "uuid-1" is already registered'):
            await clusters.register(store, "uuid-1", alias="other")
        with pytest.raises(ClusterExists, match='cluster "lab" is already registered'):
            await clusters.register(store, "uuid-3", alias="lab")
        with pytest.raises(ClusterExists):
            await clusters.change(store, "uuid-2", alias="lab")
        changed = await clusters.change(store, "lab", alias="work", urls=["http://b"])
        assert (changed.alias, changed.urls) == ("work", ["http://b"])
        with pytest.raises(ClusterNotFound, match='cluster "lab" is not registered'):
            await clusters.get(store, "lab")
        await clusters.change(store, "uuid-2", alias="lab")
        assert (await clusters.change(store, "uuid-1", alias="")).alias == ""
        await clusters.delete(store, "lab")
        await clusters.delete(store, "uuid-1")
        assert await rows(store, "cluster") == []
        for work in (
            clusters.get(store, ""),
            clusters.get(store, "x\udc80" * 5000),
            clusters.delete(store, "lab"),
            clusters.change(store, "lab", alias="x"),
        ):
            with pytest.raises(ClusterNotFound):
                await work

    run(story())


@pytest.mark.parametrize(
    ("uuid", "alias", "urls"),
    [
        ("", "a", []),
        ("a/b", "a", []),
        ("x" * 65, "a", []),
        ("u", "a b", []),
        ("u", "x" * 49, []),
        ("u", "a", [""]),
        ("u", "a", ["x" * 1025]),
        ("u", "a", ["http://a"] * 33),
    ],
)
def test_a_wrong_cluster_is_refused(uuid: str, alias: str, urls: list[str]) -> None:
    async def story() -> None:
        store = memory_store()
        with pytest.raises(InvalidArgument):
            await clusters.register(store, uuid, alias=alias, urls=urls)
        assert await rows(store, "cluster") == await rows(store, "role") == []

    run(story())


@pytest.mark.parametrize("seed", range(4))
def test_of_many_that_want_one_alias_one_gets_it(seed: int) -> None:
    async def story() -> None:
        store = unhurried_store(seed)
        made = await outcomes(*(clusters.register(store, f"u{n}", alias="lab") for n in range(4)))
        assert sorted(type(one).__name__ for one in made) == ["ClusterExists"] * 3 + ["NoneType"]
        assert len(await rows(store, "cluster")) == 2

    run(story())
