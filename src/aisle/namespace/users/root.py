"""The administrator, and the keys that a store makes for itself.

`root` has a row like any user, so that it can have further access keys; its first key and its
password are what the node was told, or a key that was made once and is kept here. The nodes of a
cluster ask each other with another such key, which nobody is shown.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from contextlib import suppress
from typing import Final, NamedTuple

from aisle.auth.access import ROOT_ACCOUNT
from aisle.core.errors import RowChanged
from aisle.namespace.records import Account, KeyPair, User, decode, encode
from aisle.namespace.store import Store
from aisle.namespace.users import accounts, keys, users
from aisle.namespace.users.names import ROOT
from aisle.store.base import ABSENT, Change, Check, Index, Put

CANONICAL: Final = hashlib.sha256(b"aisle user root").hexdigest()
ROOT_KEYS: Final = b"root"  # of the table `config`
INTERNAL_KEYS: Final = b"internal"
INTERNAL_PREFIX: Final = "aisle-"
_STEP: Final = 500


class Made(NamedTuple):
    """Keys that the store keeps; `fresh` if they were made just now."""

    keys: KeyPair
    fresh: bool


def account() -> Account:
    """The administrator's account."""
    return Account(ROOT_ACCOUNT, CANONICAL, ROOT, "", ROOT, 0, members=1)


def row() -> User:
    """The administrator as a user."""
    return User(ROOT, ROOT_ACCOUNT, 0, roles=["Admin"], id="AIDAROOT" + "0" * 12)


async def ensure(store: Store) -> None:
    """Have the administrator's rows be there."""
    if await store.index.get(users.TABLE, users.key(ROOT)) is not None:
        return
    with suppress(RowChanged):
        await store.index.commit(
            Check(users.TABLE, users.key(ROOT), ABSENT),
            Put(users.TABLE, users.key(ROOT), encode(row())),
            *accounts.rows_of(account()),
        )


async def root_keys(index: Index) -> Made:
    """The administrator's keys that the store keeps, made by the first who asks."""
    return await _keys(index, ROOT_KEYS, users.unique_id("AKIA"))


async def internal_keys(index: Index) -> KeyPair:
    """What nodes ask each other with."""
    return (await _keys(index, INTERNAL_KEYS, INTERNAL_PREFIX + secrets.token_hex(16))).keys


async def _keys(index: Index, place: bytes, access_key: str) -> Made:
    raw = await index.get("config", place)
    if raw is None:
        made = KeyPair(access_key, keys.new_secret())
        with suppress(RowChanged):
            await index.commit(Check("config", place, ABSENT), Put("config", place, encode(made)))
            return Made(made, fresh=True)
        raw = await index.get("config", place)
        assert raw is not None
    return Made(decode(KeyPair, raw), fresh=False)


async def write_used(index: Index, noted: Mapping[str, int]) -> None:
    """Keep when access keys were last used."""
    changes: list[Change] = [
        Put("used", name.encode(), when.to_bytes(8, "big")) for name, when in noted.items()
    ]
    for at in range(0, len(changes), _STEP):
        await index.commit(*changes[at : at + _STEP])
