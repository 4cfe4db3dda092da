"""Rows of users, accounts and keys agree with each other, whatever is done at the same time."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest

from aisle.core.errors import AisleError
from aisle.namespace.records import AccessKey, Account, Registered, User, decode
from aisle.namespace.store import Store
from aisle.namespace.users import accounts, clusters, keys, roles, users
from tests.namespace.support import outcomes, run, unhurried_store

NAMES = ("ann", "bob", "eve")
MAILS = ("", "a@b.c", "d@e.f")
ROLES = ("reader", "writer")
Step = Callable[[], Awaitable[object]]


async def some_account(store: Store, choose: random.Random) -> str:
    found = await accounts.list_all(store)
    return choose.choice(found).id if found else "000000000000"


def step(store: Store, choose: random.Random) -> Step:
    """Something to do that may or may not be possible when its turn comes."""
    name, mail = choose.choice(NAMES), choose.choice(MAILS)
    role, access_key = choose.choice(ROLES), choose.choice(("key-1", "key-2", "key-3"))

    async def join() -> None:
        await users.create(store, name, account=await some_account(store, choose))

    async def redirect() -> None:
        await accounts.change(store, await some_account(store, choose), email=mail, owner=name)

    return choose.choice(
        (
            lambda: users.create(store, name, email=mail),
            lambda: users.create(store, name, roles=[role]),
            join,
            lambda: users.change(store, name, roles=[role], path=f"/{role}/"),
            lambda: users.delete(store, name, force=True),
            lambda: users.delete(store, name),
            lambda: keys.create(store, name),
            lambda: keys.create(store, name, access_key=access_key, secret_key="0123456789"),
            lambda: keys.delete(store, name, access_key),
            lambda: keys.set_active(store, name, access_key, False),
            redirect,
            lambda: roles.create(store, roles.made(role)),
            lambda: roles.delete(store, role),
            lambda: clusters.register(store, name, alias=role),
            lambda: clusters.change(store, name, alias=choose.choice(("", *ROLES))),
            lambda: clusters.delete(store, name),
        )
    )


async def everyone(store: Store) -> list[User]:
    return [decode(User, raw) for _, raw in await store.index.scan("user", limit=1000)]


async def agree(store: Store) -> None:
    """What must hold between commits."""
    found = await everyone(store)
    held = [decode(AccessKey, raw) for _, raw in await store.index.scan("accesskey", limit=1000)]
    assert sorted((key.user, key.access_key) for key in held) == sorted(
        (user.name, key) for user in found for key in user.keys
    )
    rows = dict(await store.index.scan("account", limit=1000))
    known = [decode(Account, raw) for key, raw in rows.items() if key.startswith(b"id/")]
    assert {account.id: account.members for account in known} == Counter(
        user.account for user in found
    )
    for account in known:
        owner = next((user for user in found if user.name == account.owner), None)
        assert account.owner == "" or (owner is not None and owner.account == account.id)
    wanted = {b"canonical/" + account.canonical.encode(): account.id for account in known}
    wanted |= {b"email/" + one.email.encode(): one.id for one in known if one.email}
    assert {key: raw.decode() for key, raw in rows.items() if key[:3] != b"id/"} == wanted
    seen = dict(await store.index.scan("cluster", limit=1000))
    registered = [decode(Registered, raw) for key, raw in seen.items() if key[:3] == b"id/"]
    assert {key[6:].decode(): raw.decode() for key, raw in seen.items() if key[:3] != b"id/"} == {
        one.alias: one.id for one in registered if one.alias
    }


@pytest.mark.parametrize("seed", range(20))
def test_rows_agree_whatever_is_done_at_the_same_time(seed: int) -> None:
    async def story() -> None:
        store, choose = unhurried_store(seed), random.Random(seed)
        done = 0
        for _ in range(15):
            told = await outcomes(*(step(store, choose)() for _ in range(6)))
            for one in told:
                assert not isinstance(one, BaseException) or isinstance(one, AisleError), one
            done += sum(not isinstance(one, BaseException) for one in told)
            await agree(store)
        assert done > 10

    run(story())


@pytest.mark.parametrize("seed", range(10))
def test_a_role_that_has_been_deleted_is_nobodys(seed: int) -> None:
    async def story() -> None:
        store = unhurried_store(seed)
        await roles.create(store, roles.made("reader"))
        for name in NAMES:
            await users.create(store, name, roles=["reader"])
        work: list[Awaitable[object]] = [roles.delete(store, "reader")]
        work += [users.change(store, name, roles=["reader", "Admin"]) for name in NAMES]
        work += [users.create(store, f"{name}-2", roles=["reader"]) for name in NAMES]
        await outcomes(*work)
        assert all("reader" not in user.roles for user in await everyone(store))

    run(story())
