"""Access keys: made and brought along, unique in the store, switched off, deleted."""

from __future__ import annotations

import pytest

from aisle.core.errors import (
    AccessKeyExists,
    AccessKeyNotFound,
    AisleError,
    InvalidArgument,
    LimitExceeded,
    UserNotFound,
)
from aisle.namespace.users import keys, users
from aisle.namespace.users.principals import Principals, RootKeys
from tests.namespace.support import memory_store, outcomes, rows, run, unhurried_store


def test_a_generated_key_looks_like_amazons() -> None:
    async def story() -> None:
        store = memory_store()
        await users.create(store, "alice")
        key = await keys.create(store, "alice")
        assert key.access_key.startswith("AKIA")
        assert (len(key.access_key), len(key.secret_key)) == (20, 40)
        assert key.active
        assert key.created == store.now()
        assert await keys.find(store, key.access_key) == key
        other = await keys.create(store, "alice")
        assert other.secret_key != key.secret_key
        assert await keys.of_user(store, "alice") == [key, other]

    run(story())


def test_a_key_may_be_brought_along() -> None:
    async def story() -> None:
        store = memory_store()
        await users.create(store, "alice")
        await users.create(store, "bob")
        await keys.create(store, "alice", access_key="my-key", secret_key="0123/56+8")
        with pytest.raises(AccessKeyExists, match='access key "my-key" already exists'):
            await keys.create(store, "bob", access_key="my-key", secret_key="something else"[:9])
        assert await keys.of_user(store, "bob") == []
        await keys.delete(store, "alice", "my-key")
        await keys.create(store, "bob", access_key="my-key", secret_key="another-one")
        assert [key.secret_key for key in await keys.of_user(store, "bob")] == ["another-one"]

    run(story())


@pytest.mark.parametrize(
    ("access_key", "secret_key"),
    [
        ("mine", ""),
        ("", "01234567"),
        ("ab", "01234567"),
        ("a/b/c", "01234567"),
        ("a,bc", "01234567"),
        ("x" * 129, "01234567"),
        ("mine", "0123456"),
        ("mine", "0123 4567"),
        ("mine", "0123\n4567"),
        ("mine", "x" * 257),
        ("mine", "ünicode-secret"),
    ],
)
def test_what_cannot_be_a_key_is_refused_without_showing_the_secret(
    access_key: str, secret_key: str
) -> None:
    async def story() -> None:
        store = memory_store()
        await users.create(store, "alice")
        with pytest.raises(InvalidArgument) as caught:
            await keys.create(store, "alice", access_key=access_key, secret_key=secret_key)
        assert not secret_key or secret_key not in str(caught.value) + caught.value.value
        assert await rows(store, "accesskey") == []

    run(story())


def test_cve_2023_27589_the_administrators_access_key_cannot_be_taken() -> None:
    """A user with the administrator's access key would otherwise lock it out, or be it."""

    async def story() -> None:
        store = memory_store()
        known = Principals(store, RootKeys("ROOTKEY", "root-secret"))
        internal = await known.internal()
        await users.create(store, "eve")
        for taken in ("ROOTKEY", internal.access_key):
            with pytest.raises(AccessKeyExists):
                await keys.create(store, "eve", access_key=taken, secret_key="0123456789")
        found = known.cached("ROOTKEY")
        assert found is not None
        assert found.secret_key == "root-secret"

    run(story())


def test_a_user_has_a_bounded_number_of_keys() -> None:
    async def story() -> None:
        store = memory_store()
        await users.create(store, "alice")
        for _ in range(keys.MAX_KEYS):
            await keys.create(store, "alice")
        with pytest.raises(LimitExceeded):
            await keys.create(store, "alice")
        assert len(await rows(store, "accesskey")) == keys.MAX_KEYS

    run(story())


@pytest.mark.parametrize("seed", range(5))
def test_the_bound_holds_for_many_at_a_time(seed: int) -> None:
    async def story() -> None:
        store = unhurried_store(seed)
        await users.create(store, "alice")
        await outcomes(*(keys.create(store, "alice") for _ in range(keys.MAX_KEYS + 5)))
        assert len(await keys.of_user(store, "alice")) == keys.MAX_KEYS
        assert len(await rows(store, "accesskey")) == keys.MAX_KEYS

    run(story())


@pytest.mark.parametrize("seed", range(5))
def test_of_many_that_bring_one_key_one_has_it(seed: int) -> None:
    async def story() -> None:
        store = unhurried_store(seed)
        for name in "abc":
            await users.create(store, name)
        made = await outcomes(
            *(keys.create(store, n, access_key="mine", secret_key=n * 8) for n in "abc")
        )
        won = [one for one in made if not isinstance(one, BaseException)]
        assert len(won) == 1
        assert await keys.find(store, "mine") == won[0]
        held = [await keys.of_user(store, name) for name in "abc"]
        assert sorted(map(len, held)) == [0, 0, 1]

    run(story())


def test_a_key_is_switched_off_and_on() -> None:
    async def story() -> None:
        store = memory_store()
        await users.create(store, "alice")
        key = await keys.create(store, "alice")
        assert not (await keys.set_active(store, "alice", key.access_key, False)).active
        assert not (await keys.of_user(store, "alice"))[0].active
        assert await keys.set_active(store, "alice", key.access_key, True) == key

    run(story())


def test_only_its_users_key_is_changed_or_deleted() -> None:
    async def story() -> None:
        store = memory_store()
        await users.create(store, "alice")
        await users.create(store, "eve")
        key = await keys.create(store, "alice")
        refused: list[tuple[str, str, type[AisleError]]] = [
            ("eve", key.access_key, AccessKeyNotFound),
            ("alice", "AKIAUNKNOWN", AccessKeyNotFound),
            ("alice", "", AccessKeyNotFound),
            ("alice", "x\udc80" * 2000, AccessKeyNotFound),
            ("nobody", key.access_key, UserNotFound),
        ]
        for user, access_key, error in refused:
            with pytest.raises(error):
                await keys.delete(store, user, access_key)
            with pytest.raises(error):
                await keys.set_active(store, user, access_key, False)
        assert await keys.of_user(store, "alice") == [key]
        with pytest.raises(UserNotFound):
            await keys.of_user(store, "nobody")
        with pytest.raises(UserNotFound):
            await keys.create(store, "nobody")

    run(story())
