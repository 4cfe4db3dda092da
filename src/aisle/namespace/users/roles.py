"""AIStore's roles: permission bits for whole clusters and for single buckets, by name.

`Admin` is always there and cannot be changed. A role that is deleted is taken from all who have
it; until then it gives nothing, since rights are looked up in the role itself.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from aisle.core.errors import (
    InvalidArgument,
    InvalidRequest,
    LimitExceeded,
    RoleExists,
    RoleNotFound,
    RowChanged,
    WriteConflict,
)
from aisle.core.permissions import EVERYTHING
from aisle.namespace.records import Role, User, decode, encode
from aisle.namespace.store import RETRIES, Store
from aisle.namespace.users import names
from aisle.store.base import ABSENT, Check, Delete, Put

TABLE: Final = "role"
ADMIN: Final = Role("Admin", "AIS cluster administrator", admin=True)
MAX_ENTRIES: Final = 1000  # clusters or buckets in one role
MAX_DESCRIPTION: Final = 1000
_STEP: Final = 500
BucketBits = tuple[str, str, str, str, int]


def role_id(name: str) -> str:
    """An id for a role, which has none but its name."""
    digest = hashlib.sha256(b"aisle role " + name.encode()).digest()
    return "AROA" + base64.b32encode(digest[:10]).decode()


def _key(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def made(
    name: str,
    *,
    description: str = "",
    clusters: Mapping[str, int] | None = None,
    buckets: Sequence[BucketBits] = (),
    admin: bool = False,
) -> Role:
    """A role as it may be stored. Raises `InvalidArgument` and `LimitExceeded`."""
    clusters = clusters or {}
    if len(description) > MAX_DESCRIPTION:
        raise InvalidArgument(f"a description has up to {MAX_DESCRIPTION} characters")
    if max(len(clusters), len(buckets)) > MAX_ENTRIES:
        raise LimitExceeded(f"permissions may be given for up to {MAX_ENTRIES} places")
    for bits in (*clusters.values(), *(bucket[4] for bucket in buckets)):
        if not 0 <= bits <= EVERYTHING:
            raise InvalidArgument(f"permissions are a number from 0 to {EVERYTHING}")
    return Role(names.role_name(name), description, dict(clusters), list(buckets), admin)


async def create(store: Store, role: Role) -> Role:
    """Make a role, see `made`. Raises `RoleExists`."""
    if role.name == ADMIN.name:
        raise RoleExists(role.name)
    place = _key(role.name)
    try:
        await store.index.commit(Check(TABLE, place, ABSENT), Put(TABLE, place, encode(role)))
    except RowChanged:
        raise RoleExists(role.name) from None
    return role


async def get(store: Store, name: str) -> Role:
    """The role of this name. Raises `RoleNotFound`."""
    if name == ADMIN.name:
        return ADMIN
    raw = await store.index.get(TABLE, _key(name)) if names.is_name(name) else None
    if raw is None:
        raise RoleNotFound(name[:64])
    return decode(Role, raw)


async def checks(store: Store, name: str) -> list[Check]:
    """What a commit compares that relies on a role. Raises `RoleNotFound`."""
    if name == ADMIN.name:
        return []
    raw = await store.index.get(TABLE, _key(name)) if names.is_name(name) else None
    if raw is None:
        raise RoleNotFound(name[:64])
    return [Check(TABLE, _key(name), raw)]


async def list_all(store: Store) -> list[Role]:
    """All roles, in order of their names."""
    found, after = [ADMIN], b""
    while rows := await store.index.scan(TABLE, after=after, limit=_STEP):
        found += [decode(Role, raw) for _, raw in rows]
        after = rows[-1][0]
    return sorted(found, key=lambda role: role.name)


async def change(store: Store, role: Role) -> Role:
    """Set a role anew, see `made`. Raises `RoleNotFound` and `InvalidRequest`."""
    _refuse_admin(role.name)
    place = _key(role.name)
    for _ in range(RETRIES):
        raw = await store.index.get(TABLE, place)
        if raw is None:
            raise RoleNotFound(role.name)
        try:
            await store.index.commit(Check(TABLE, place, raw), Put(TABLE, place, encode(role)))
        except RowChanged:
            continue
        return role
    raise WriteConflict(f'role "{role.name}" is being changed by too many writers')


async def delete(store: Store, name: str) -> None:
    """Delete a role, and take it from all who have it. Raises `RoleNotFound` and
    `InvalidRequest`."""
    _refuse_admin(name)
    raw = await store.index.get(TABLE, _key(name)) if names.is_name(name) else None
    if raw is None:
        raise RoleNotFound(name[:64])
    # From here on nobody can be given it: see `checks`.
    await store.index.commit(Delete(TABLE, _key(name)))
    await _take_away(store, name)


def _refuse_admin(name: str) -> None:
    if name == ADMIN.name:
        raise InvalidRequest(f'role "{name}" is built in and stays as it is')


async def _take_away(store: Store, name: str) -> None:
    after = b""
    while rows := await store.index.scan("user", after=after, limit=_STEP):
        after = rows[-1][0]
        for place, raw in rows:
            if name in decode(User, raw).roles:
                await _take_from(store, place, name)


async def _take_from(store: Store, place: bytes, name: str) -> None:
    for _ in range(RETRIES):
        raw = await store.index.get("user", place)
        if raw is None:
            return
        user = decode(User, raw)
        left = [role for role in user.roles if role != name]
        new = encode(msgspec.structs.replace(user, roles=left))
        try:
            await store.index.commit(Check("user", place, raw), Put("user", place, new))
        except RowChanged:
            continue
        return
    raise WriteConflict(f'user "{place.decode()}" is being changed by too many writers')
