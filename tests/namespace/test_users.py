"""Users and their accounts: made, found, changed and deleted, alone and beside other writers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aisle.auth.access import ROOT_ACCOUNT
from aisle.core.errors import (
    AccountNotFound,
    AisleError,
    EmailExists,
    InvalidArgument,
    InvalidPassword,
    InvalidRequest,
    LimitExceeded,
    MalformedPolicy,
    RoleNotFound,
    UserExists,
    UserInUse,
    UserNotFound,
    UserPolicyNotFound,
)
from aisle.core.names import BucketName
from aisle.namespace import buckets
from aisle.namespace.records import User, encode
from aisle.namespace.store import Store
from aisle.namespace.users import accounts, keys, roles, root, users
from aisle.store.base import Put
from tests.namespace.support import (
    interposed_store,
    memory_store,
    once,
    outcomes,
    rows,
    run,
    unhurried_store,
)

ALLOW = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}'


def test_a_user_owns_an_account_of_its_own() -> None:
    async def story() -> None:
        store = memory_store()
        user = await users.create(store, "alice", display="Alice A.", email="Alice@Example.org")
        account = await accounts.get(store, user.account)
        assert (account.owner, account.display, account.members) == ("alice", "Alice A.", 1)
        assert account.email == "alice@example.org"
        assert len(account.id) == 12
        assert account.id.isdecimal()
        assert len(account.canonical) == 64
        assert await accounts.by_canonical(store, account.canonical) == account
        assert await accounts.by_email(store, "ALICE@example.org") == account
        assert await users.get(store, "alice") == user
        assert user.id.startswith("AIDA")

    run(story())


def test_a_user_may_join_the_account_of_another() -> None:
    async def story() -> None:
        store = memory_store()
        alice = await users.create(store, "alice")
        bob = await users.create(store, "bob", account=alice.account)
        await users.create(store, "eve")
        assert bob.account == alice.account
        account = await accounts.get(store, alice.account)
        assert (account.owner, account.members) == ("alice", 2)
        assert [user.name for user in await users.list_all(store)] == ["alice", "bob", "eve"]
        listed = await users.list_all(store, account=alice.account)
        assert [user.name for user in listed] == ["alice", "bob"]

    run(story())


def test_users_are_listed_in_pages() -> None:
    async def story() -> None:
        store = memory_store()
        first = await users.create(store, "a-0")
        for number in range(1, 5):
            await users.create(store, f"a-{number}", account=first.account)
        await users.create(store, "b")
        seen: list[str] = []
        while page := await users.list_all(store, after=seen[-1] if seen else "", limit=2):
            seen += [user.name for user in page]
        assert seen == ["a-0", "a-1", "a-2", "a-3", "a-4", "b"]
        assert [user.name for user in await users.list_all(store, prefix="b")] == ["b"]
        page = await users.list_all(store, prefix="a-", after="a-2", account=first.account)
        assert [user.name for user in page] == ["a-3", "a-4"]

    run(story())


WRONG: list[tuple[dict[str, Any], type[AisleError], str]] = [
    ({"name": ""}, InvalidArgument, "1 to 64"),
    ({"name": "x" * 65}, InvalidArgument, "1 to 64"),
    ({"name": "a b"}, InvalidArgument, "1 to 64"),
    ({"name": "a/b"}, InvalidArgument, "1 to 64"),
    ({"name": "a\udc80"}, InvalidArgument, "1 to 64"),
    ({"name": "älice"}, InvalidArgument, "1 to 64"),
    ({"name": "root"}, InvalidArgument, "administrator"),
    ({"name": "ROOT"}, InvalidArgument, "administrator"),
    ({"name": "alice"}, UserExists, 'user "alice" already exists'),
    ({"name": "b", "email": "alice@example.org"}, EmailExists, "another account"),
    ({"name": "b", "email": "nobody"}, InvalidArgument, "NAME@HOST"),
    ({"name": "b", "display": "a\nb"}, InvalidArgument, "printed"),
    ({"name": "b", "account": "123456789012"}, AccountNotFound, "123456789012"),
    ({"name": "b", "account": "nonsense"}, AccountNotFound, "nonsense"),
    ({"name": "b", "account": "123456789012", "email": "b@c.d"}, InvalidRequest, "one's own"),
    ({"name": "b", "roles": ["Nobody"]}, RoleNotFound, 'role "Nobody" does not exist'),
    ({"name": "b", "roles": [f"r{n}" for n in range(101)]}, LimitExceeded, "100"),
    ({"name": "b", "path": "x"}, InvalidArgument, "path"),
    ({"name": "b", "path": "/a b/"}, InvalidArgument, "path"),
    ({"name": "b", "password": "  "}, InvalidPassword, "more than spaces"),
    ({"name": "b", "password": "x" * 1025}, InvalidPassword, "1024 bytes"),
    ({"name": "b", "password": "é" * 600}, InvalidPassword, "1024 bytes"),
    ({"name": "b", "tags": {"": "x"}}, InvalidArgument, "tag"),
    ({"name": "b", "tags": {str(n): "" for n in range(51)}}, LimitExceeded, "50 tags"),
]


@pytest.mark.parametrize(("given", "error", "said"), WRONG)
def test_a_wrong_user_is_not_made(
    given: dict[str, Any], error: type[AisleError], said: str
) -> None:
    async def story() -> None:
        store = memory_store()
        await users.create(store, "alice", email="alice@example.org")
        before = await all_rows(store)
        with pytest.raises(error, match=said):
            await users.create(store, **given)
        assert await all_rows(store) == before

    run(story())


async def all_rows(store: Store) -> list[list[bytes]]:
    return [await rows(store, table) for table in ("account", "user", "accesskey", "role")]


@given(st.text(max_size=70))
def test_any_text_is_a_name_or_is_refused(name: str) -> None:
    async def story() -> None:
        store = memory_store()
        assert await users.find(store, name) is None
        with pytest.raises(UserNotFound):
            await users.get(store, name)
        with pytest.raises(UserNotFound):
            await users.delete(store, name)
        try:
            made = await users.create(store, name)
        except InvalidArgument:
            assert await rows(store, "user") == []
            assert await rows(store, "account") == []
        else:
            assert await users.list_all(store) == [made]

    if name != "root":
        run(story())


def test_what_is_changed_is_changed_and_nothing_else() -> None:
    async def story() -> None:
        store = memory_store()
        await roles.create(store, roles.made("reader"))
        old = await users.create(store, "alice", password="secret one")
        new = await users.change(store, "alice", roles=["reader", "Admin", "reader"])
        assert new.roles == ["reader", "Admin"]
        assert new.password == old.password
        new = await users.change(store, "alice", path="/a/b/", tags={"team": "x"})
        assert (new.path, new.tags, new.roles) == ("/a/b/", {"team": "x"}, ["reader", "Admin"])
        assert new.tokens_after == old.tokens_after
        store.now.now += 5  # type: ignore[attr-defined]
        new = await users.change(store, "alice", password="secret two")
        assert new.password not in ("", old.password)
        assert new.tokens_after == store.now() > old.tokens_after
        assert (await users.change(store, "alice", password="")).password == ""
        assert (await users.change(store, "alice", roles=[])).roles == []

    run(story())


def test_a_change_of_nobody_or_to_nothing_known_is_refused() -> None:
    async def story() -> None:
        store = memory_store()
        await root.ensure(store)
        await users.create(store, "alice")
        with pytest.raises(UserNotFound, match='user "bob" does not exist'):
            await users.change(store, "bob", path="/x/")
        with pytest.raises(RoleNotFound):
            await users.change(store, "alice", roles=["nobody"])
        with pytest.raises(InvalidArgument):
            await users.change(store, "alice", path="nowhere")
        with pytest.raises(InvalidRequest):
            await users.change(store, "root", password="another one")
        with pytest.raises(InvalidRequest):
            await users.change(store, "root", roles=[])
        with pytest.raises(InvalidRequest):
            await users.delete(store, "root", force=True)

    run(story())


def test_policies_are_kept_by_name() -> None:
    async def story() -> None:
        store = memory_store()
        await users.create(store, "alice")
        await users.put_policy(store, "alice", "all", ALLOW)
        user = await users.put_policy(store, "alice", "more", ALLOW)
        assert user.policies == {"all": ALLOW, "more": ALLOW}
        assert (await users.delete_policy(store, "alice", "all")).policies == {"more": ALLOW}
        with pytest.raises(UserPolicyNotFound):
            await users.delete_policy(store, "alice", "all")
        with pytest.raises(MalformedPolicy):
            await users.put_policy(store, "alice", "bad", "{}")
        with pytest.raises(InvalidArgument):
            await users.put_policy(store, "alice", "a b", ALLOW)
        with pytest.raises(UserNotFound):
            await users.put_policy(store, "bob", "all", ALLOW)
        for number in range(users.MAX_POLICIES - 1):
            await users.put_policy(store, "alice", f"p{number}", ALLOW)
        with pytest.raises(LimitExceeded):
            await users.put_policy(store, "alice", "one-more", ALLOW)

    run(story())


def test_a_user_with_keys_or_policies_is_deleted_by_force_alone() -> None:
    async def story() -> None:
        store = memory_store()
        await users.create(store, "alice")
        key = await keys.create(store, "alice")
        with pytest.raises(UserInUse, match="access keys"):
            await users.delete(store, "alice")
        await keys.delete(store, "alice", key.access_key)
        await users.put_policy(store, "alice", "all", ALLOW)
        with pytest.raises(UserInUse, match="policies"):
            await users.delete(store, "alice")
        await keys.create(store, "alice")
        await users.delete(store, "alice", force=True)
        assert await all_rows(store) == [[], [], [], []]

    run(story())


def test_an_account_ends_with_its_last_user() -> None:
    async def story() -> None:
        store = memory_store()
        alice = await users.create(store, "alice", email="a@b.c")
        await users.create(store, "bob", account=alice.account)
        await users.delete(store, "alice")
        account = await accounts.get(store, alice.account)
        assert (account.owner, account.members) == ("", 1)
        await users.delete(store, "bob")
        with pytest.raises(AccountNotFound):
            await accounts.get(store, alice.account)
        assert await rows(store, "account") == []
        assert (await users.create(store, "eve", email="a@b.c")).account != alice.account

    run(story())


def test_an_account_that_owns_a_bucket_stays_and_is_not_inherited() -> None:
    async def story() -> None:
        store = memory_store()
        alice = await users.create(store, "alice")
        account = await accounts.get(store, alice.account)
        row = await buckets.create(store, BucketName("hers"), owner=account.canonical)
        await users.delete(store, "alice")
        left = await accounts.get(store, alice.account)
        assert (left.owner, left.members) == ("", 0)
        again = await users.create(store, "alice")
        assert again.account != alice.account
        assert again.id != alice.id
        # Whoever joins it does not own it until the administrator says so.
        await users.create(store, "bob", account=alice.account)
        assert (await accounts.get(store, alice.account)).owner == ""
        await accounts.change(store, alice.account, owner="bob")
        assert (await accounts.get(store, alice.account)).owner == "bob"
        await buckets.delete(store, row.name)
        await users.delete(store, "bob")
        with pytest.raises(AccountNotFound):
            await accounts.get(store, alice.account)

    run(story())


def test_an_account_is_changed_within_limits() -> None:
    async def story() -> None:
        store = memory_store()
        alice = await users.create(store, "alice", email="a@b.c")
        eve = await users.create(store, "eve", email="e@b.c")
        with pytest.raises(UserNotFound):
            await accounts.change(store, alice.account, owner="eve")
        with pytest.raises(UserNotFound):
            await accounts.change(store, alice.account, owner="")
        with pytest.raises(EmailExists):
            await accounts.change(store, alice.account, email="E@b.c")
        with pytest.raises(AccountNotFound):
            await accounts.change(store, "000000000001", display="x")
        new = await accounts.change(store, alice.account, email="new@b.c", display="A")
        assert (new.email, new.display) == ("new@b.c", "A")
        assert await accounts.by_email(store, "a@b.c") is None
        await accounts.change(store, eve.account, email="a@b.c")
        await accounts.change(store, alice.account, email="")
        assert await accounts.by_email(store, "new@b.c") is None
        assert [one.display for one in await accounts.list_all(store)].count("A") == 1

    run(story())


@pytest.mark.parametrize("seed", range(5))
def test_of_many_that_make_one_user_one_does(seed: int) -> None:
    async def story() -> None:
        store = unhurried_store(seed)
        made = await outcomes(*(users.create(store, "alice") for _ in range(5)))
        assert sorted(type(one).__name__ for one in made) == ["User"] + ["UserExists"] * 4
        assert len(await accounts.list_all(store)) == 1

    run(story())


@pytest.mark.parametrize("seed", range(5))
def test_of_many_that_want_one_address_one_gets_it(seed: int) -> None:
    async def story() -> None:
        store = unhurried_store(seed)
        work = (users.create(store, f"u{number}", email="a@b.c") for number in range(4))
        made = await outcomes(*work)
        assert sorted(type(one).__name__ for one in made) == ["EmailExists"] * 3 + ["User"]
        assert len(await accounts.list_all(store)) == len(await users.list_all(store)) == 1

    run(story())


@pytest.mark.parametrize("seed", range(5))
def test_members_are_counted_whoever_comes_and_goes(seed: int) -> None:
    async def story() -> None:
        store = unhurried_store(seed)
        account = (await users.create(store, "owner")).account
        for name in "abc":
            await users.create(store, name, account=account)
        work: list[Awaitable[object]] = [users.delete(store, name) for name in "abc"]
        work += [users.create(store, name, account=account) for name in "xyz"]
        done = await outcomes(*work)
        assert not any(isinstance(one, BaseException) for one in done)
        assert (await accounts.get(store, account)).members == 4
        assert len(await users.list_all(store, account=account)) == 4

    run(story())


def test_a_role_that_goes_while_it_is_given_is_not_given() -> None:
    async def check(give: Callable[[Store], Awaitable[User]]) -> None:
        store, index = interposed_store()
        await users.create(store, "bob")
        await roles.create(store, roles.made("reader"))
        once(index, "get", "role", lambda: roles.delete(store, "reader"))
        with pytest.raises(RoleNotFound):
            await give(store)
        assert all(not user.roles for user in await users.list_all(store))

    run(check(lambda store: users.create(store, "alice", roles=["reader"])))
    run(check(lambda store: users.change(store, "bob", roles=["reader"])))


def test_a_key_made_while_its_user_goes_does_not_outlive_it() -> None:
    async def story() -> None:
        store, index = interposed_store()
        await users.create(store, "alice")
        once(index, "get", "user", lambda: users.delete(store, "alice"))
        with pytest.raises(UserNotFound):
            await keys.create(store, "alice")
        assert await rows(store, "accesskey") == []

    run(story())


def test_the_administrator_has_rows_made_once() -> None:
    async def story() -> None:
        store = unhurried_store(1)
        await outcomes(*(root.ensure(store) for _ in range(3)))
        assert [user.name for user in await users.list_all(store)] == ["root"]
        assert await accounts.list_all(store) == [root.account()]
        assert (await users.create(store, "a", account=ROOT_ACCOUNT)).account == ROOT_ACCOUNT

    run(story())


def test_an_account_has_a_limit_of_users() -> None:
    async def story() -> None:
        store = memory_store()
        alice = await users.create(store, "alice")
        row = await accounts.get(store, alice.account)
        nearly = msgspec.structs.replace(row, members=accounts.MAX_MEMBERS - 1)
        await store.index.commit(Put("account", accounts.key(row.id), encode(nearly)))
        await users.create(store, "last", account=row.id)
        with pytest.raises(LimitExceeded):
            await users.create(store, "one-more", account=row.id)
        assert await users.find(store, "one-more") is None

    run(story())
