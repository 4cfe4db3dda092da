"""Users as they travel: roles, clusters that roles name, accounts, and users with their keys.

They come before the buckets that they own. Sessions, tokens and the administrator's own keys stay
behind. At the target only what is not there is made: a user, role or cluster of the same name that
differs is the target's and stays as it is, and nobody gets a role of that name by an import. What a
role says of the source's own cluster, it says at the target of the target's.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Final, NamedTuple

import msgspec

from aisle.auth.access import ROOT_ACCOUNT
from aisle.core.errors import RowChanged, WriteConflict
from aisle.namespace.records import (
    AccessKey,
    Account,
    Record,
    Registered,
    Role,
    User,
    decode,
    encode,
)
from aisle.namespace.store import RETRIES, Store, store_id
from aisle.namespace.transfer.frames import Kind, Person, pack
from aisle.namespace.users import accounts, roles, root, users
from aisle.namespace.users.names import ROOT
from aisle.store.base import ABSENT, Change, Check, Put, Row

_STEP: Final = 256


class RoleItem(NamedTuple):
    record: Role


class ClusterItem(NamedTuple):
    record: Registered


class PersonItem(NamedTuple):
    """An account, or a user of one with its access keys."""

    account: Account
    user: User | None
    keys: list[AccessKey]


PeopleItem = RoleItem | ClusterItem | PersonItem


# --- reading --------------------------------------------------------------------------------


async def everyone(store: Store) -> AsyncIterator[tuple[Kind, bytes]]:
    """Frames of everything about users that a store holds."""
    async for _, raw in _scan(store, "role"):
        yield Kind.ROLE, raw
    async for _, raw in _scan(store, "cluster", b"id/"):
        yield Kind.CLUSTER, raw
    async for key, raw in _scan(store, accounts.TABLE, b"id/"):
        if key != accounts.key(ROOT_ACCOUNT):
            yield Kind.PERSON, pack(Person(raw))
    async for _, raw in _scan(store, users.TABLE):
        user = decode(User, raw)
        account = await store.index.get(accounts.TABLE, accounts.key(user.account))
        if account is None or user.name == ROOT:
            continue
        found = await store.index.get_many("accesskey", [key.encode() for key in user.keys])
        keys = [key for key in found if key is not None]
        yield Kind.PERSON, pack(Person(account, raw, keys))


async def _scan(store: Store, table: str, prefix: bytes = b"") -> AsyncIterator[Row]:
    after = b""
    while rows := await store.index.scan(table, prefix=prefix, after=after, limit=_STEP):
        for row in rows:
            yield row
        after = rows[-1][0]


def item_of(kind: Kind, person: Person | None, payload: bytes) -> PeopleItem:
    """What a frame of people says."""
    if kind is Kind.ROLE:
        return RoleItem(decode(Role, payload))
    if kind is Kind.CLUSTER:
        return ClusterItem(decode(Registered, payload))
    assert person is not None
    user = decode(User, person.user) if person.user else None
    keys = [decode(AccessKey, key) for key in person.keys]
    return PersonItem(decode(Account, person.account), user, keys)


# --- writing --------------------------------------------------------------------------------


class Taken(NamedTuple):
    """How many users were made; how many things were there and the same, were there and differ, or
    have no place."""

    users: int = 0
    skipped: int = 0
    kept: int = 0
    refused: int = 0


_USER: Final = Taken(users=1)
_SKIPPED: Final = Taken(skipped=1)
_KEPT: Final = Taken(kept=1)
_REFUSED: Final = Taken(refused=1)
_MADE: Final = Taken()


class People:
    """Takes people in that come from the store `source`. `tell` hears of what is not taken."""

    def __init__(self, store: Store, source: str, tell: Callable[[str], None]) -> None:
        self._store = store
        self._source = source
        self._tell = tell
        self._same = {roles.ADMIN.name}  # roles that are what they were at the source

    async def take(self, item: PeopleItem) -> Taken:
        """Take in one item. Raises `WriteConflict` and `StoreError`."""
        match item:
            case RoleItem(role):
                return await self._role(role)
            case ClusterItem(cluster):
                return await self._cluster(cluster)
            case PersonItem(account, None, _):
                return (await self._account(account))[1]
            case PersonItem(account, user, keys):
                assert user is not None
                return await self._user(account, user, keys)

    async def _role(self, role: Role) -> Taken:
        own = await store_id(self._store.index)
        here = msgspec.structs.replace(
            role,
            clusters={self._named(uuid, own): bits for uuid, bits in role.clusters.items()},
            buckets=[(self._named(bucket[0], own), *bucket[1:]) for bucket in role.buckets],
        )
        done = await self._put("role", role.name.encode(), here, [], f'role "{role.name}"')
        if done is not _KEPT:
            self._same.add(role.name)
        return done

    async def _cluster(self, cluster: Registered) -> Taken:
        own = await store_id(self._store.index)
        here = msgspec.structs.replace(cluster, id=self._named(cluster.id, own))
        place, changes = b"id/" + here.id.encode(), list[Change]()
        if here.alias:
            alias = b"alias/" + here.alias.encode()
            changes = [Check("cluster", alias, ABSENT), Put("cluster", alias, here.id.encode())]
        return await self._put("cluster", place, here, changes, f'cluster "{cluster.id}"')

    def _named(self, uuid: str, own: str) -> str:
        return own if uuid == self._source else uuid

    async def _put(
        self, table: str, place: bytes, record: Record, more: list[Change], name: str
    ) -> Taken:
        """Make a row that is not there."""
        row = encode(record)
        raw = await self._store.index.get(table, place)
        if raw == row:
            return _SKIPPED
        if raw is None:
            try:
                await self._store.index.commit(
                    Check(table, place, ABSENT), Put(table, place, row), *more
                )
            except RowChanged:
                self._tell(f"kept what the target has in the place of {name}")
                return _KEPT
            return _MADE
        self._tell(f"kept {name} as it is at the target")
        return _KEPT

    async def _account(self, account: Account) -> tuple[bytes | None, Taken]:
        """The row of an account at the target, made if need be; `None` if it has no place."""
        if account.id == ROOT_ACCOUNT:
            await root.ensure(self._store)
        place = accounts.key(account.id)
        for _ in range(RETRIES):
            raw = await self._store.index.get(accounts.TABLE, place)
            if raw is not None:
                if decode(Account, raw).canonical == account.canonical:
                    return raw, _SKIPPED
                break
            empty = msgspec.structs.replace(account, members=0, owner="")
            try:
                await self._store.index.commit(
                    Check(accounts.TABLE, place, ABSENT), *accounts.rows_of(empty)
                )
            except RowChanged as error:
                if error.key == place:
                    continue
                break
            return encode(empty), _MADE
        self._tell(f'refused account "{account.id}": its number or address is another\'s')
        return None, _REFUSED

    async def _user(self, account: Account, user: User, keys: list[AccessKey]) -> Taken:
        place = users.key(user.name)
        for _ in range(RETRIES):
            raw = await self._store.index.get(users.TABLE, place)
            if raw is not None:
                return await self._known(raw, user, keys)
            home, _ = await self._account(account)
            if home is None:
                return _REFUSED
            new, free = await self._allowed(user, keys)
            changes: list[Change] = [
                Check(users.TABLE, place, ABSENT),
                Put(users.TABLE, place, encode(new)),
            ]
            for key in free:
                name = key.access_key.encode()
                changes += [
                    Check("accesskey", name, ABSENT),
                    Check("session", name, ABSENT),
                    Put("accesskey", name, encode(key)),
                ]
            owner = user.name if account.owner == user.name else None
            try:
                await self._store.index.commit(
                    *accounts.joining(home, decode(Account, home), owner=owner), *changes
                )
            except RowChanged:
                continue
            for role in user.roles:
                if role not in new.roles:
                    self._tell(f'user "{user.name}" has not got role "{role}", which differs')
            for one in keys:
                if one not in free:
                    self._tell(f'user "{user.name}" has not got a key that is another\'s')
            return _USER
        raise WriteConflict(f'user "{user.name}" is being changed by too many writers')

    async def _known(self, raw: bytes, user: User, keys: list[AccessKey]) -> Taken:
        here = decode(User, raw)
        found = await self._store.index.get_many(
            "accesskey", [key.access_key.encode() for key in keys]
        )
        if here == user and found == [encode(key) for key in keys]:
            return _SKIPPED
        self._tell(f'kept user "{user.name}" as it is at the target')
        return _KEPT

    async def _allowed(self, user: User, keys: list[AccessKey]) -> tuple[User, list[AccessKey]]:
        """A user with the roles that are the same here, and the access keys that nobody has."""
        found = await self._store.index.get_many(
            "accesskey", [key.access_key.encode() for key in keys]
        )
        free = [key for key, raw in zip(keys, found, strict=True) if raw is None]
        held = [role for role in user.roles if role in self._same]
        names = [key.access_key for key in free]
        return msgspec.structs.replace(user, roles=held, keys=names), free
