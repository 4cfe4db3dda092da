"""Who somebody is by access key, session or name: as the store says now, from caches that follow.

`Lagging` indexes stand for gateways that hear of each other's changes a moment later.
"""

from __future__ import annotations

import msgspec

from aisle.auth.access import ROOT_ACCOUNT
from aisle.auth.policy.document import parse_identity_policy
from aisle.core import permissions as p
from aisle.namespace import housekeeping
from aisle.namespace.records import User, encode
from aisle.namespace.store import Store, store_id
from aisle.namespace.users import accounts, keys, roles, root, sessions, users
from aisle.namespace.users.principals import Principals, RootKeys
from aisle.store.base import Put
from aisle.store.memory import MemoryBlobs, MemoryIndex
from tests.namespace.people import ALLOW, ROOT, lookup, who, world
from tests.namespace.support import HOUR, Clock, interposed_store, memory_store, rows, run
from tests.namespace.test_gateways import Lagging


def test_the_administrator_is_known_without_a_row_being_read() -> None:
    known = Principals(memory_store(), ROOT)
    found = known.cached("ROOTKEY")
    assert found is not None
    assert found.secret_key == "root-secret-key"
    assert (found.principal.name, found.principal.admin) == ("root", True)
    assert found.principal.access_key == "ROOTKEY"
    assert "secret" not in repr(found)
    assert "secret" not in repr(ROOT)


def test_without_keys_of_the_administrator_there_is_nobody_by_an_empty_key() -> None:
    async def story() -> None:
        known = Principals(memory_store(), RootKeys())
        assert await lookup(known, "") is None
        assert await lookup(known, "x") is None
        assert await lookup(known, "x\udc80" * 3000) is None

    run(story())


def test_a_user_is_found_by_any_of_its_keys() -> None:
    async def story() -> None:
        store, known = await world()
        alice = await users.create(store, "alice", path="/team/", display="Alice")
        account = await accounts.get(store, alice.account)
        for _ in range(2):
            key = await keys.create(store, "alice")
            found = await lookup(known, key.access_key)
            assert found is not None
            assert (found.secret_key, found.session_token) == (key.secret_key, "")
            me = found.principal
            assert (me.name, me.account, me.display) == ("alice", account.id, "Alice")
            assert me.canonical == account.canonical
            assert me.arn == f"arn:aws:iam::{account.id}:user/team/alice"
            assert me.names == {
                me.arn,
                account.id,
                account.canonical,
                f"arn:aws:iam::{account.id}:root",
                "arn:aws:iam:::user/alice",
                f"arn:aws:iam:::user/{account.canonical}",
            }
            assert (me.access_key, me.owner, me.admin) == (key.access_key, True, False)
            assert not me.temporary

    run(story())


def test_what_was_read_once_is_not_read_again_until_users_change() -> None:
    async def story() -> None:
        store, index = interposed_store()
        _, known = await world(store)
        await users.create(store, "alice")
        key = await keys.create(store, "alice")
        await who(known, key.access_key)
        await who(known, key.access_key)  # the first reading may have been for one request only
        read: list[str] = []

        async def look(method: str, table: str) -> None:
            read.append(table)

        index.before = look
        for _ in range(3):
            assert known.cached(key.access_key) is not None
        assert await known.by_name("alice") is not None
        assert read == []

    run(story())


def test_a_member_of_an_account_does_not_own_it() -> None:
    async def story() -> None:
        store, known = await world()
        alice = await users.create(store, "alice")
        await users.create(store, "bob", account=alice.account)
        await users.put_policy(store, "bob", "all", ALLOW)
        first, second = await known.by_name("alice"), await known.by_name("bob")
        assert first is not None
        assert second is not None
        assert (first.owner, second.owner) == (True, False)
        assert first.canonical == second.canonical
        assert [policy.source for policy in second.policies] == [ALLOW]
        assert await known.by_name("nobody") is None

    run(story())


def test_roles_count_where_they_name_this_cluster() -> None:
    async def story() -> None:
        store, known = await world()
        own = await store_id(store.index)
        one = roles.made(
            "one",
            clusters={own: p.LIST_BUCKETS, "other": p.EVERYTHING},
            buckets=[(own, "ais", "", "b", p.GET), ("other", "ais", "", "b", p.PUT)],
        )
        two = roles.made(
            "two", clusters={"": p.SHOW_CLUSTER}, buckets=[("", "", "", "b", p.HEAD_OBJECT)]
        )
        for role in (one, two):
            await roles.create(store, role)
        await users.create(store, "alice", roles=["one", "two"])
        me = await known.by_name("alice")
        assert me is not None
        assert me.bits == p.LIST_BUCKETS | p.SHOW_CLUSTER
        assert me.bucket_bits == {("b", "ais", ""): p.GET | p.HEAD_OBJECT}
        assert not me.admin
        await roles.delete(store, "one")
        me = await known.by_name("alice")
        assert me is not None
        assert me.bits == p.SHOW_CLUSTER
        await users.change(store, "alice", roles=["Admin"])
        me = await known.by_name("alice")
        assert me is not None
        assert me.admin

    run(story())


def test_a_stored_policy_that_cannot_be_read_denies_everything() -> None:
    async def story() -> None:
        store, known = await world()
        user = await users.create(store, "alice")
        broken = msgspec.structs.replace(user, policies={"old": '{"Version":"2008"', "new": ALLOW})
        await store.index.commit(Put("user", b"alice", encode(broken)))
        me = await known.by_name("alice")
        assert me is not None
        assert len(me.policies) == 2
        deny = me.policies[0].statements
        assert [statement.allow for statement in deny] == [False]
        assert parse_identity_policy(me.policies[0].source) == me.policies[0]

    run(story())


def test_a_key_ends_when_it_is_switched_off_deleted_or_its_user_is() -> None:
    async def story() -> None:
        store, known = await world()
        await users.create(store, "alice")
        one, two, three = [await keys.create(store, "alice") for _ in range(3)]
        for key in (one, two, three):
            assert await lookup(known, key.access_key) is not None
        await keys.set_active(store, "alice", one.access_key, False)
        assert await lookup(known, one.access_key) is None
        await keys.set_active(store, "alice", one.access_key, True)
        assert await lookup(known, one.access_key) is not None
        await keys.delete(store, "alice", two.access_key)
        assert await lookup(known, two.access_key) is None
        await users.delete(store, "alice", force=True)
        for key in (one, two, three):
            assert await lookup(known, key.access_key) is None
        await users.create(store, "alice")
        assert await lookup(known, one.access_key) is None

    run(story())


def test_a_gateway_hears_of_changes_when_its_epoch_moves_and_of_new_keys_at_once() -> None:
    async def story() -> None:
        index = MemoryIndex()
        here, there = (Store(Lagging(index), MemoryBlobs(), now=Clock()) for _ in range(2))
        await world(here)
        known = Principals(there, ROOT)
        await users.create(here, "alice")
        assert await lookup(known, "AKIANOTYETTHERE00000") is None
        key = await keys.create(
            here, "alice", access_key="AKIANOTYETTHERE00000", secret_key="0123456789"
        )
        assert await lookup(known, key.access_key) is not None
        await users.delete(here, "alice", force=True)
        assert await lookup(known, key.access_key) is not None
        assert isinstance(there.index, Lagging)
        there.index.seen += 1
        assert await lookup(known, key.access_key) is None

    run(story())


def test_a_key_of_a_later_user_is_not_taken_for_one_of_the_earlier() -> None:
    """Where the gateway has not heard yet that the name has changed hands."""

    async def story() -> None:
        index = MemoryIndex()
        here, there = (Store(Lagging(index), MemoryBlobs(), now=Clock()) for _ in range(2))
        await world(here)
        known = Principals(there, ROOT)
        old = await users.create(here, "alice", roles=["Admin"])
        cached = await known.by_name("alice")
        assert cached is not None
        assert cached.admin
        await users.delete(here, "alice")
        new = await users.create(here, "alice")
        key = await keys.create(here, "alice")
        me = await who(known, key.access_key)
        assert (me.account, me.admin) == (new.account, False)
        session = await sessions.create(here, "alice", duration=HOUR)
        assert (await who(known, session.access_key)).account == new.account != old.account

    run(story())


def test_while_the_epoch_cannot_be_told_every_request_reads_and_none_waits() -> None:
    class Restless(Lagging):
        def epoch(self) -> int:
            self.seen -= 1
            return self.seen

    async def story() -> None:
        store = Store(Restless(MemoryIndex()), MemoryBlobs(), now=Clock())
        _, known = await world(store)
        await users.create(store, "alice")
        key = await keys.create(store, "alice")
        for _ in range(3):
            assert await lookup(known, key.access_key) is not None
        await keys.set_active(store, "alice", key.access_key, False)
        assert await lookup(known, key.access_key) is None

    run(story())


def test_a_change_while_a_user_is_read_is_not_missed() -> None:
    async def story() -> None:
        store, index = interposed_store()
        _, known = await world(store)
        await users.create(store, "alice")
        key = await keys.create(store, "alice")
        done = False

        async def switch_off(method: str, table: str) -> None:
            nonlocal done
            if table == "user" and not done:
                done = True
                await keys.set_active(store, "alice", key.access_key, False)

        index.after = switch_off
        await lookup(known, key.access_key)
        assert await lookup(known, key.access_key) is None

    run(story())


# --- the administrator, and the cluster itself ----------------------------------------------


def test_the_administrator_may_have_more_keys_and_sessions() -> None:
    async def story() -> None:
        store, known = await world()
        key = await keys.create(store, "root")
        me = await who(known, key.access_key)
        assert (me.name, me.admin, me.access_key) == ("root", True, key.access_key)
        session = await sessions.create(store, "root", duration=HOUR)
        assert (await who(known, session.access_key)).admin
        assert await known.by_name("root") == known.root

    run(story())


def test_all_nodes_know_one_internal_key_that_is_the_administrators() -> None:
    async def story() -> None:
        store, known = await world()
        mine = await known.internal()
        assert mine.principal.admin
        other = Principals(store, RootKeys("OTHER", "other-secret"))
        assert await lookup(other, mine.access_key) == await other.internal()
        assert (await other.internal()).secret_key == mine.secret_key
        assert await lookup(other, mine.access_key + "x") is None

    run(story())


def test_keys_of_the_administrator_are_made_once() -> None:
    async def story() -> None:
        store = memory_store()
        first, second = [await root.root_keys(store.index) for _ in range(2)]
        assert (first.fresh, second.fresh) == (True, False)
        assert first.keys == second.keys

    run(story())


def test_accounts_are_found_in_every_way_that_acls_name_them() -> None:
    async def story() -> None:
        store, known = await world()
        alice = await users.create(store, "alice", email="a@b.c")
        account = await accounts.get(store, alice.account)
        assert await known.account_of(account.canonical) == account
        assert await known.account_of_number(account.id) == account
        assert await known.canonical_of_email("A@b.c") == account.canonical
        for number in (ROOT_ACCOUNT, ""):
            found = await known.account_of_number(number)
            assert (found is None) == (number == "")
        assert await known.account_of(root.CANONICAL) == root.account()
        for nothing in ("", "x", "f" * 64, "\udc80" * 64, "f" * 10_000):
            assert await known.account_of(nothing) is None
            assert await known.account_of_number(nothing) is None
            assert await known.canonical_of_email(nothing) is None
        assert await known.user_exists("alice")
        assert await known.user_exists("alice", account.id)
        assert not await known.user_exists("alice", ROOT_ACCOUNT)
        assert not await known.user_exists("bob")

    run(story())


# --- what is kept and dropped in the background ---------------------------------------------


def test_when_keys_were_used_is_written_together() -> None:
    async def story() -> None:
        store, known = await world()
        await users.create(store, "alice")
        one, two = [await keys.create(store, "alice") for _ in range(2)]
        session = await sessions.create(store, "alice", duration=HOUR)
        for access_key in (one.access_key, session.access_key, "ROOTKEY"):
            known.note_used(await who(known, access_key), store.now())
        assert await keys.last_used(store, [one.access_key]) == [0]
        await known.write_used()
        assert await keys.last_used(store, [one.access_key, two.access_key]) == [store.now(), 0]
        assert await rows(store, "used") == [one.access_key.encode()]
        await keys.delete(store, "alice", one.access_key)
        assert await rows(store, "used") == []

    run(story())


def test_housekeeping_drops_what_has_ended_and_nothing_else() -> None:
    async def story() -> None:
        store, known = await world()
        await users.create(store, "alice")
        key = await keys.create(store, "alice")
        await sessions.create(store, "alice", duration=HOUR)
        lasting = await sessions.create(store, "alice", duration=3 * HOUR)
        ends = {b"old": HOUR, b"new": 3 * HOUR}
        for name, after in ends.items():
            moment = (store.now() + after).to_bytes(8, "big")
            await store.index.commit(Put("revoked", name, moment))
        for used in (key.access_key.encode(), b"gone"):
            await store.index.commit(Put("used", used, bytes(8)))
        store.now.now += 2 * HOUR  # type: ignore[attr-defined]
        await housekeeping.tidy(store)
        assert await rows(store, "session") == [lasting.access_key.encode()]
        assert await rows(store, "revoked") == [b"new"]
        assert await rows(store, "used") == [key.access_key.encode()]
        assert await lookup(known, lasting.access_key) is not None

    run(story())


def test_what_is_kept_of_users_is_bounded() -> None:
    async def story() -> None:
        store, known = await world()
        user = await users.create(store, "alice")
        changes = []
        for number in range(10_001):
            copy = msgspec.structs.replace(user, name=f"u{number}")
            changes.append(Put("user", copy.name.encode(), encode(copy)))
        await store.index.commit(*changes)
        for number in range(10_001):
            assert await known.by_name(f"u{number}") is not None
        assert len(known._users) < 10_001

    run(story())


def test_rows_of_users_read_as_they_were_written_before_fields_were_added() -> None:
    old = msgspec.msgpack.encode(["alice", "123456789012", 5])
    user = msgspec.msgpack.decode(old, type=User)
    assert (user.roles, user.keys, user.path, user.tags) == ([], [], "/", {})
