"""Temporary credentials: an access key of its own, a secret, and a token that has to come along.

A session is never changed. It ends at its time, with its user, with the access key that it was made
with, or when the user's tokens are ended; what it may do goes by what the user may do at the time.
Ended ones are removed by the housekeeper.
"""

from __future__ import annotations

import secrets
from typing import Final

from aisle.auth.policy.document import parse_identity_policy
from aisle.core.errors import InvalidArgument, RoleNotFound, RowChanged, WriteConflict
from aisle.namespace.records import Session, User, decode, encode
from aisle.namespace.store import RETRIES, Store
from aisle.namespace.users import keys, roles, users
from aisle.namespace.users.names import ROOT
from aisle.store.base import ABSENT, Check, Put

TABLE: Final = "session"
SECOND: Final = 1_000_000_000
SHORTEST: Final = 900 * SECOND
LONGEST: Final = 129_600 * SECOND
MAX_POLICY_BYTES: Final = 16_384


async def create(
    store: Store,
    user: str,
    *,
    duration: int,
    name: str = "",
    policy: str = "",
    role: str = "",
    source: str = "",
    until: int = 0,
) -> Session:
    """Temporary credentials of a user for `duration` ns; with `policy` only for what it allows as
    well, with `role`, which the user must have, only for what that role gives. They end with the
    access key `source`, if they were made with one, and at the time `until`, if it is given.

    Raises `UserNotFound`, `RoleNotFound`, `MalformedPolicy` and `InvalidArgument`.
    """
    if not SHORTEST <= duration <= LONGEST:
        raise InvalidArgument("a session lasts from 900 to 129,600 seconds", name="duration")
    if len(policy.encode()) > MAX_POLICY_BYTES:
        raise InvalidArgument(f"a session's policy has up to {MAX_POLICY_BYTES} bytes")
    if policy:
        parse_identity_policy(policy)
    owner = await users.get(store, user)
    if role:
        await roles.get(store, role)
        if not may_assume(owner, role):
            raise RoleNotFound(role)
    now = store.now()
    for _ in range(RETRIES):
        session = Session(
            access_key=users.unique_id("ASIA"),
            secret_key=keys.new_secret(),
            token=secrets.token_urlsafe(48),
            user=user,
            created=now,
            expires=min(now + duration, until or now + duration),
            name=name,
            policy=policy,
            role=role,
            user_id=owner.id,
            source=source,
        )
        place = session.access_key.encode()
        try:
            await store.index.commit(
                Check("accesskey", place, ABSENT),
                Check(TABLE, place, ABSENT),
                Put(TABLE, place, encode(session)),
            )
        except RowChanged:
            continue
        return session
    raise WriteConflict("no access key was free")


def may_assume(user: User, role: str) -> bool:
    """Whether a user may act in a role: one that it has; the administrator in any."""
    return user.name == ROOT or role in user.roles or roles.ADMIN.name in user.roles


async def find(store: Store, access_key: str) -> Session | None:
    """The session of an access key, unless its time is over."""
    session = await _read(store, access_key)
    return session if session is not None and session.expires > store.now() else None


async def has_ended(store: Store, access_key: str) -> bool:
    """Whether an access key was a session's whose time is over, as long as its row is kept."""
    session = await _read(store, access_key)
    return session is not None and session.expires <= store.now()


async def _read(store: Store, access_key: str) -> Session | None:
    if len(access_key) != 20 or not access_key.isascii():
        return None
    raw = await store.index.get(TABLE, access_key.encode())
    return decode(Session, raw) if raw is not None else None
