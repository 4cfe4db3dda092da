"""Access keys of users: generated or brought along, switched on and off, deleted.

An access key is one user's in the whole store. The user's row lists its keys, and each change is
one commit of both.
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Sequence
from typing import Final

import msgspec

from aisle.core.errors import (
    AccessKeyExists,
    AccessKeyNotFound,
    InvalidArgument,
    LimitExceeded,
    RowChanged,
    WriteConflict,
)
from aisle.namespace.records import AccessKey, User, decode, encode
from aisle.namespace.store import RETRIES, Store
from aisle.namespace.users import names, users
from aisle.store.base import ABSENT, Change, Check, Delete, Put

TABLE: Final = "accesskey"
MAX_KEYS: Final = 10
_LETTERS: Final = string.ascii_letters + string.digits


def _key(access_key: str) -> bytes:
    return access_key.encode("utf-8", "surrogateescape")[:256] or b"\0"


def new_secret() -> str:
    """A secret key of 40 characters that no shell and no URL takes for anything else."""
    return "".join(secrets.choice(_LETTERS) for _ in range(40))


async def create(
    store: Store, user: str, *, access_key: str = "", secret_key: str = "", known: str = ""
) -> AccessKey:
    """Give a user an access key: a new one, or the one that is brought along, with its secret.

    Raises `UserNotFound`, `AccessKeyExists`, `LimitExceeded` and `InvalidArgument`; for `known` see
    `users.edit`.
    """
    if bool(access_key) != bool(secret_key):
        raise InvalidArgument("an access key is brought along with its secret key, or neither is")
    if access_key:
        names.access_key(access_key)
        names.secret_key(secret_key)
        return await _add(store, user, access_key, secret_key, known)
    return await _add(store, user, users.unique_id("AKIA"), new_secret(), known)


async def _add(store: Store, user: str, access_key: str, secret_key: str, known: str) -> AccessKey:
    if access_key in store.reserved_keys:
        raise AccessKeyExists(access_key)
    record = AccessKey(access_key, secret_key, user, store.now())
    place = _key(access_key)
    changes: Sequence[Change] = [
        Check(TABLE, place, ABSENT),
        Check("session", place, ABSENT),
        Put(TABLE, place, encode(record)),
    ]

    def how(owner: User) -> User:
        if len(owner.keys) >= MAX_KEYS:
            raise LimitExceeded(f"there may be up to {MAX_KEYS} access keys for one name")
        return msgspec.structs.replace(owner, keys=[*owner.keys, access_key])

    try:
        await users.edit(store, user, how, changes, known=known)
    except RowChanged:
        raise AccessKeyExists(access_key) from None
    return record


async def find(store: Store, access_key: str) -> AccessKey | None:
    """The access key, whoever it is of, active or not."""
    raw = await store.index.get(TABLE, _key(access_key))
    return decode(AccessKey, raw) if raw is not None else None


async def of_user(store: Store, user: str) -> list[AccessKey]:
    """All access keys of a user, the oldest first. Raises `UserNotFound`."""
    owner = await users.get(store, user)
    rows = await store.index.get_many(TABLE, [_key(name) for name in owner.keys])
    return [decode(AccessKey, raw) for raw in rows if raw is not None]


async def last_used(store: Store, access_keys: Sequence[str]) -> list[int]:
    """When each of these keys was last used, in ns, to about a minute; 0 for never."""
    rows = await store.index.get_many("used", [_key(name) for name in access_keys])
    return [int.from_bytes(raw, "big") if raw is not None else 0 for raw in rows]


async def set_active(store: Store, user: str, access_key: str, active: bool) -> AccessKey:
    """Switch an access key of a user on or off. Raises `UserNotFound` and `AccessKeyNotFound`."""
    await users.get(store, user)
    place = _key(access_key)
    for _ in range(RETRIES):
        raw = await store.index.get(TABLE, place)
        record = decode(AccessKey, raw) if raw is not None else None
        if raw is None or record is None or record.user != user:
            raise AccessKeyNotFound(access_key[:128])
        new = msgspec.structs.replace(record, active=active)
        try:
            await store.index.commit(Check(TABLE, place, raw), Put(TABLE, place, encode(new)))
        except RowChanged:
            continue
        return new
    raise WriteConflict(f'access key "{access_key}" is being changed by too many writers')


async def delete(store: Store, user: str, access_key: str) -> None:
    """Delete an access key of a user. Raises `UserNotFound` and `AccessKeyNotFound`."""

    def how(owner: User) -> User:
        if access_key not in owner.keys:
            raise AccessKeyNotFound(access_key[:128])
        left = [name for name in owner.keys if name != access_key]
        return msgspec.structs.replace(owner, keys=left)

    place = _key(access_key)
    await users.edit(store, user, how, [Delete(TABLE, place), Delete("used", place)])
