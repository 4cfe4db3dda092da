"""Sessions: what they may do is what their user may, or in a role what that gives, and they end
with whatever they go back to. Changes of users are of the user that was looked at."""

from __future__ import annotations

from typing import Any

import pytest

from aisle.core import permissions as p
from aisle.core.errors import InvalidArgument, MalformedPolicy, RoleNotFound, UserNotFound
from aisle.namespace.store import Store
from aisle.namespace.users import keys, roles, sessions, users
from aisle.namespace.users.principals import Principals, RootKeys
from tests.namespace.people import ALLOW, lookup, who, world
from tests.namespace.support import HOUR, SECOND, Clock, memory_store, rows, run

DENY = '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"s3:*","Resource":"*"},'
DENY += '{"Effect":"Allow","Action":"iam:*","Resource":"*"}]}'


async def house(clock: Clock | None = None) -> tuple[Store, Principals]:
    """A world with Bob in it, who is a reader."""
    store, known = await world(memory_store(clock))
    await roles.create(store, roles.made("reader", clusters={"": 1}))
    await users.create(store, "bob", roles=["reader"])
    return store, known


def test_a_session_ends_at_its_time() -> None:
    async def story() -> None:
        clock = Clock()
        store, known = await house(clock)
        made = await sessions.create(store, "bob", duration=HOUR)
        clock.now += HOUR - 1
        found = await known.by_key(made.access_key)
        assert found is not None
        assert found.session_token == made.token
        clock.now += 1
        assert await known.by_key(made.access_key) is None

    run(story())


def test_a_session_ends_when_what_it_was_made_with_does() -> None:
    async def story() -> None:
        clock = Clock()
        store, known = await house(clock)
        until = clock.now + 60 * SECOND
        made = await sessions.create(store, "bob", duration=HOUR, until=until)
        assert made.expires == until
        clock.now = until
        assert await known.by_key(made.access_key) is None
        late = await sessions.create(store, "bob", duration=HOUR, until=until + 2 * HOUR)
        assert late.expires == clock.now + HOUR
        with pytest.raises(InvalidArgument):
            await sessions.create(store, "bob", duration=899 * SECOND, until=until + HOUR)

    run(story())


def test_a_session_ends_with_its_access_key() -> None:
    async def story() -> None:
        store, known = await house()
        key = await keys.create(store, "bob")
        made = await sessions.create(store, "bob", duration=HOUR, source=key.access_key)
        other = await sessions.create(store, "bob", duration=HOUR)
        assert await known.by_key(made.access_key) is not None
        await keys.set_active(store, "bob", key.access_key, active=False)
        assert await known.by_key(made.access_key) is None
        await keys.set_active(store, "bob", key.access_key, active=True)
        assert await known.by_key(made.access_key) is not None
        await keys.delete(store, "bob", key.access_key)
        assert await known.by_key(made.access_key) is None
        assert await known.by_key(other.access_key) is not None

    run(story())


def test_a_session_of_the_administrator_ends_when_its_key_is_another() -> None:
    async def story() -> None:
        store, known = await house()
        made = await sessions.create(store, "root", duration=HOUR, source="ROOTKEY")
        assert await known.by_key(made.access_key) is not None
        changed = Principals(store, RootKeys("ANOTHERKEY", "root-secret-key"))
        assert await changed.by_key(made.access_key) is None

    run(story())


def test_a_key_brought_along_by_another_user_does_not_wake_a_session() -> None:
    async def story() -> None:
        store, known = await house()
        key = await keys.create(store, "bob")
        made = await sessions.create(store, "bob", duration=HOUR, source=key.access_key)
        await keys.delete(store, "bob", key.access_key)
        await users.create(store, "mallory")
        secret = "mallorys-secret-key"
        await keys.create(store, "mallory", access_key=key.access_key, secret_key=secret)
        assert await known.by_key(made.access_key) is None

    run(story())


def test_what_is_denied_to_a_user_is_denied_to_it_in_a_role() -> None:
    async def story() -> None:
        store, known = await house()
        await users.put_policy(store, "bob", "own", DENY)
        made = await sessions.create(store, "bob", duration=HOUR, name="work", role="reader")
        found = await known.by_key(made.access_key)
        assert found is not None
        (kept,) = found.principal.policies
        assert [row.allow for row in kept.statements] == [False]
        assert (found.principal.bits, found.principal.owner) == (1, False)

    run(story())


def test_a_user_that_was_looked_at_is_not_a_later_one_of_its_name() -> None:
    """Between a look and a change the name may have become that of a user of another account."""

    async def story() -> None:
        store, _ = await house()
        seen = await users.get(store, "bob")
        await users.delete(store, "bob", known=seen.id)
        await users.create(store, "bob")
        changes = (
            keys.create(store, "bob", known=seen.id),
            users.put_policy(store, "bob", "own", DENY, known=seen.id),
            users.change(store, "bob", password="correct horse", known=seen.id),
            users.delete(store, "bob", known=seen.id),
        )
        for change in changes:
            with pytest.raises(UserNotFound):
                await change
        left = await users.get(store, "bob")
        assert (left.keys, left.policies, left.password) == ([], {}, "")

    run(story())


def test_a_session_is_its_user_until_its_time() -> None:
    async def story() -> None:
        store, known = await world()
        await users.create(store, "alice")
        session = await sessions.create(store, "alice", duration=HOUR, name="s", policy=ALLOW)
        assert session.access_key.startswith("ASIA")
        found = await lookup(known, session.access_key)
        assert found is not None
        assert (found.secret_key, found.session_token) == (session.secret_key, session.token)
        me = found.principal
        assert (me.name, me.session_name, me.temporary, me.owner) == ("alice", "s", True, True)
        assert me.session is not None
        assert me.session.source == ALLOW
        assert session.token not in repr(found)
        store.now.now += HOUR - SECOND  # type: ignore[attr-defined]
        assert await lookup(known, session.access_key) is not None
        store.now.now += SECOND  # type: ignore[attr-defined]
        assert await lookup(known, session.access_key) is None
        assert await sessions.find(store, session.access_key) is None

    run(story())


def test_a_session_follows_what_its_user_may_do() -> None:
    async def story() -> None:
        store, known = await world()
        alice = await users.create(store, "alice")
        await users.create(store, "bob", account=alice.account)
        session = await sessions.create(store, "bob", duration=HOUR)
        assert not (await who(known, session.access_key)).admin
        await users.change(store, "bob", roles=["Admin"])
        assert (await who(known, session.access_key)).admin
        await users.change(store, "bob", roles=[])
        assert not (await who(known, session.access_key)).admin

    run(story())


@pytest.mark.parametrize("end", ["deleted", "deleted and made anew", "password"])
def test_a_session_ends_with_its_user(end: str) -> None:
    async def story() -> None:
        store, known = await world()
        await users.create(store, "alice")
        session = await sessions.create(store, "alice", duration=HOUR)
        assert await lookup(known, session.access_key) is not None
        store.now.now += 1  # type: ignore[attr-defined]
        if end.startswith("deleted"):
            await users.delete(store, "alice")
        if end == "deleted and made anew":
            await users.create(store, "alice")
        if end == "password":
            await users.change(store, "alice", password="another one")
        assert await lookup(known, session.access_key) is None

    run(story())


def test_a_session_in_a_role_has_what_the_role_gives_and_no_more() -> None:
    async def story() -> None:
        store, known = await world()
        await roles.create(store, roles.made("reader", clusters={"": p.READ_ONLY}))
        alice = await users.create(store, "alice", roles=["reader"])
        await users.put_policy(store, "alice", "all", ALLOW)
        session = await sessions.create(store, "alice", duration=HOUR, name="job", role="reader")
        me = await who(known, session.access_key)
        assert (me.bits, me.owner, me.admin) == (p.READ_ONLY, False, False)
        assert not any(statement.allow for policy in me.policies for statement in policy.statements)
        assert me.arn == f"arn:aws:sts::{alice.account}:assumed-role/reader/job"
        assert f"arn:aws:iam::{alice.account}:role/reader" in me.names
        assert f"arn:aws:iam::{alice.account}:user/alice" not in me.names
        await users.change(store, "alice", roles=[])
        assert await lookup(known, session.access_key) is None

    run(story())


def test_only_a_role_that_one_has_can_be_assumed() -> None:
    async def story() -> None:
        store, known = await world()
        await roles.create(store, roles.made("reader"))
        await users.create(store, "alice")
        await users.create(store, "boss", roles=["Admin"])
        for role in ("reader", "Admin", "nothing"):
            with pytest.raises(RoleNotFound, match=f'role "{role}" does not exist'):
                await sessions.create(store, "alice", duration=HOUR, role=role)
        for user in ("root", "boss"):
            session = await sessions.create(store, user, duration=HOUR, role="reader")
            me = await who(known, session.access_key)
            assert (me.name, me.admin) == (user, False)
            await roles.change(store, roles.made("reader", admin=True))
            assert (await who(known, session.access_key)).admin
            await roles.change(store, roles.made("reader"))

    run(story())


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"user": "nobody", "duration": HOUR}, UserNotFound),
        ({"user": "alice", "duration": 899 * SECOND}, InvalidArgument),
        ({"user": "alice", "duration": 36 * HOUR + 1}, InvalidArgument),
        ({"user": "alice", "duration": HOUR, "policy": "{"}, MalformedPolicy),
        ({"user": "alice", "duration": HOUR, "policy": " " * 20_000}, InvalidArgument),
    ],
)
def test_a_wrong_session_is_not_begun(given: dict[str, Any], error: type[Exception]) -> None:
    async def story() -> None:
        store, _ = await world()
        await users.create(store, "alice")
        with pytest.raises(error):
            await sessions.create(store, **given)
        assert await rows(store, "session") == []

    run(story())
