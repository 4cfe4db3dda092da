"""Users travel with what they own, and take nobody's place where they come."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from aisle.auth.access import ROOT_ACCOUNT
from aisle.core import permissions as p
from aisle.core.names import BucketName
from aisle.namespace import buckets
from aisle.namespace.store import Store, store_id
from aisle.namespace.transfer.terms import Totals
from aisle.namespace.users import accounts, clusters, keys, roles, root, sessions, users
from aisle.namespace.users.passwords import Passwords
from aisle.namespace.users.principals import Principals, RootKeys
from tests.namespace.support import HOUR, memory_store, rows, run
from tests.namespace.test_user_races import agree
from tests.transfer.support import export, import_all, reader_of

POLICY = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}'
TABLES = ("account", "user", "accesskey", "role", "cluster")


async def populated() -> Store:
    """Alice and her colleague Ann, an administrator in root's account, and what they may do."""
    store = memory_store()
    own = await store_id(store.index)
    await root.ensure(store)
    await clusters.register(store, own, alias="old", urls=["http://old"])
    await clusters.register(store, "other-cluster", alias="far")
    role = roles.made("reader", clusters={own: p.READ_ONLY}, buckets=[(own, "ais", "", "b", 1)])
    await roles.create(store, role)
    alice = await users.create(store, "alice", password="alices own", email="a@b.c")
    await users.create(store, "ann", account=alice.account, roles=["reader"])
    await users.put_policy(store, "ann", "all", POLICY)
    await users.create(store, "boss", account=ROOT_ACCOUNT, roles=["Admin", "reader"])
    await keys.create(store, "alice", access_key="alice-key", secret_key="0123456789")
    off = await keys.create(store, "ann", access_key="ann-key", secret_key="9876543210")
    await keys.set_active(store, "ann", off.access_key, False)
    await keys.create(store, "root")
    await sessions.create(store, "alice", duration=HOUR)
    account = await accounts.get(store, alice.account)
    await buckets.create(store, BucketName("hers"), owner=account.canonical)
    return store


async def moved(source: Store, target: Store, **options: Any) -> tuple[Totals, list[str]]:
    told: list[str] = []
    identity = await store_id(source.index)
    stream = await export(source)
    totals = await import_all(target, stream, source=identity, tell=told.append, **options)
    await agree(target)
    return totals, told


def test_users_come_with_keys_passwords_policies_and_accounts() -> None:
    async def story() -> None:
        source, target = await populated(), memory_store()
        totals, told = await moved(source, target)
        assert (totals.users, totals.kept, totals.refused, told) == (3, 0, 0, [])
        for name in ("alice", "ann", "boss"):
            assert await users.get(target, name) == await users.get(source, name)
            assert await keys.of_user(target, name) == await keys.of_user(source, name)
        assert await accounts.list_all(target) == await accounts.list_all(source)
        known = Principals(target, RootKeys())
        found = await known.by_key("alice-key")
        assert found is not None
        assert found.principal.owner
        row = await buckets.get(target, BucketName("hers"))
        assert row.record.owner == found.principal.canonical
        assert await known.by_key("ann-key") is None
        assert (await Passwords("").check(target, "alice", "alices own")).name == "alice"
        # Of the administrator nothing comes but the account's other users.
        assert await keys.of_user(target, "root") == []
        assert await rows(target, "session") == []

    run(story())


def test_roles_mean_the_targets_own_cluster_where_they_meant_the_sources() -> None:
    async def story() -> None:
        source, target = await populated(), memory_store()
        await moved(source, target)
        own = await store_id(target.index)
        role = await roles.get(target, "reader")
        assert role.clusters == {own: p.READ_ONLY}
        assert role.buckets == [(own, "ais", "", "b", 1)]
        assert (await roles.get(target, "Guest-far")).clusters.keys() == {"other-cluster"}
        assert {one.id: one.alias for one in await clusters.list_all(target)} == {
            own: "old",
            "other-cluster": "far",
        }
        ann = await Principals(target, RootKeys()).by_name("ann")
        assert ann is not None
        assert ann.bits == p.READ_ONLY

    run(story())


def test_an_import_that_is_run_again_changes_nothing() -> None:
    async def story() -> None:
        source, target = await populated(), memory_store()
        await moved(source, target)
        before = [await target.index.scan(table, limit=1000) for table in TABLES]
        totals, told = await moved(source, target)
        assert (totals.changes, totals.kept, totals.refused, told) == (0, 0, 0, [])
        assert [await target.index.scan(table, limit=1000) for table in TABLES] == before

    run(story())


@pytest.mark.parametrize("overwrite", [False, True])
def test_what_the_target_has_stays_and_is_not_given_away(overwrite: bool) -> None:
    async def story() -> None:
        source, target = await populated(), memory_store()
        mine = await users.create(target, "alice", password="another alice")
        await users.create(target, "eve", email="e@b.c")
        await keys.create(target, "eve", access_key="ann-key", secret_key="eves-secret")
        await roles.create(target, roles.made("reader", admin=True))
        totals, told = await moved(source, target, overwrite=overwrite)
        assert (totals.users, totals.refused) == (2, 0)
        assert await users.get(target, "alice") == mine
        assert await keys.find(target, "alice-key") is None
        # Ann has come, without the role that means more here, and without Eve's key.
        ann = await users.get(target, "ann")
        assert (ann.roles, ann.keys) == ([], [])
        assert (await users.get(target, "boss")).roles == ["Admin"]
        key = await keys.find(target, "ann-key")
        assert key is not None
        assert (key.user, key.secret_key) == ("eve", "eves-secret")
        # Nobody owns the account whose owner has not come, least of all the alice of the target.
        account = await accounts.get(target, ann.account)
        assert (account.owner, account.members) == ("", 1)
        assert mine.account != account.id
        assert sorted(told) == [
            'kept role "reader" as it is at the target',
            'kept user "alice" as it is at the target',
            'user "ann" has not got a key that is another\'s',
            'user "ann" has not got role "reader", which differs',
            'user "boss" has not got role "reader", which differs',
        ]

    run(story())


def test_an_account_whose_address_is_anothers_has_no_place() -> None:
    async def story() -> None:
        source, target = await populated(), memory_store()
        await users.create(target, "eve", email="a@b.c")
        totals, told = await moved(source, target)
        assert (totals.users, totals.refused) == (1, 3)
        assert [user.name for user in await users.list_all(target)] == ["boss", "eve", "root"]
        assert all("address is another's" in line for line in told)

    run(story())


def test_a_user_changed_at_the_target_stays_changed() -> None:
    async def story() -> None:
        source, target = await populated(), memory_store()
        await moved(source, target)
        await keys.set_active(target, "alice", "alice-key", False)
        await users.change(target, "ann", roles=[])
        totals, told = await moved(source, target)
        assert totals.kept == 2
        assert await Principals(target, RootKeys()).by_key("alice-key") is None
        assert len(told) == 2

    run(story())


def test_the_end_of_a_stream_counts_its_users() -> None:
    async def story() -> None:
        stream = await export(await populated())
        reader = reader_of(stream)
        await reader.begin()
        seen = [type(item).__name__ async for item in reader.items()]
        assert reader.end.counts.users == 3
        assert msgspec.structs.asdict(reader.end.counts)["buckets"] == 1
        assert seen.index("RoleItem") < seen.index("PersonItem") < seen.index("BucketItem")

    run(story())
