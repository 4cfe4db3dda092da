"""Accounts: the tenants that users live in and that own what users make.

An account is made with the user that owns it. Its row counts its users; every change of who is in
it is a commit that compares that row. It outlasts its owner while it has other users or owns a
bucket, and then has no owner until it is given another.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence

import msgspec

from aisle.core.errors import (
    AccountNotFound,
    EmailExists,
    LimitExceeded,
    RowChanged,
    UserNotFound,
    WriteConflict,
)
from aisle.namespace.records import Account, Bucket, User, decode, encode
from aisle.namespace.store import RETRIES, Store
from aisle.namespace.users import names
from aisle.store.base import ABSENT, Change, Check, Delete, Put

TABLE = "account"
MAX_MEMBERS = 10_000
_STEP = 1000


def key(account: str) -> bytes:
    return b"id/" + account.encode("utf-8", "surrogateescape")


def _by_canonical(canonical: str) -> bytes:
    return b"canonical/" + canonical.encode("utf-8", "surrogateescape")


def _by_email(email: str) -> bytes:
    return b"email/" + email.encode("utf-8", "surrogateescape")


async def read(store: Store, account: str) -> tuple[bytes, Account]:
    """The row of an account, and what it says. Raises `AccountNotFound`."""
    raw = await store.index.get(TABLE, key(account)) if len(account) == 12 else None
    if raw is None:
        raise AccountNotFound(account[:64])
    return raw, decode(Account, raw)


async def get(store: Store, account: str) -> Account:
    """The account with this number. Raises `AccountNotFound`."""
    return (await read(store, account))[1]


async def by_canonical(store: Store, canonical: str) -> Account | None:
    """The account with this canonical id."""
    return await _found(store, _by_canonical(canonical)) if len(canonical) == 64 else None


async def by_email(store: Store, email: str) -> Account | None:
    """The account with this mail address."""
    return await _found(store, _by_email(email.lower())) if 0 < len(email) <= 254 else None


async def _found(store: Store, index_key: bytes) -> Account | None:
    account = await store.index.get(TABLE, index_key)
    raw = await store.index.get(TABLE, key(account.decode())) if account is not None else None
    return decode(Account, raw) if raw is not None else None


async def list_all(store: Store, *, after: str = "", limit: int = 1000) -> list[Account]:
    """Up to `limit` accounts above the number `after`."""
    start = key(after) if after else b""
    rows = await store.index.scan(TABLE, prefix=b"id/", after=start, limit=limit)
    return [decode(Account, raw) for _, raw in rows]


def fresh(now: int, owner: str, *, display: str, email: str) -> tuple[Account, list[Change]]:
    """An account of one user, and the changes that make it: they fail if its address, or by a
    wonder its number, is taken."""
    account = Account(
        id=str(100_000_000_000 + secrets.randbelow(900_000_000_000)),
        canonical=secrets.token_hex(32),
        display=names.display(display) or owner,
        email=names.email(email),
        owner=owner,
        created=now,
        members=1,
    )
    return account, [Check(TABLE, key(account.id), ABSENT), *rows_of(account)]


def rows_of(account: Account) -> list[Change]:
    """The rows of a new account."""
    changes: list[Change] = [
        Put(TABLE, key(account.id), encode(account)),
        Put(TABLE, _by_canonical(account.canonical), account.id.encode()),
    ]
    return changes + _take_email(account)


def _take_email(account: Account) -> list[Change]:
    if not account.email:
        return []
    place = _by_email(account.email)
    return [Check(TABLE, place, ABSENT), Put(TABLE, place, account.id.encode())]


def joining(raw: bytes, account: Account, *, owner: str | None = None) -> list[Change]:
    """The changes by which an account gets another user, who may become its owner. Raises
    `LimitExceeded`."""
    if account.members >= MAX_MEMBERS:
        raise LimitExceeded(f"there may be up to {MAX_MEMBERS} users in one account")
    grown = msgspec.structs.replace(
        account,
        members=account.members + 1,
        owner=account.owner if owner is None else owner,
    )
    return [Check(TABLE, key(account.id), raw), Put(TABLE, key(account.id), encode(grown))]


async def leaving(store: Store, user: str, account: str) -> list[Change]:
    """The changes by which an account loses a user: the last one takes it along, unless it owns
    buckets."""
    try:
        raw, record = await read(store, account)
    except AccountNotFound:
        return []
    check = Check(TABLE, key(account), raw)
    if record.members > 1 or await _owns_buckets(store, record.canonical):
        owner = "" if record.owner == user else record.owner
        left = msgspec.structs.replace(record, members=max(0, record.members - 1), owner=owner)
        return [check, Put(TABLE, key(account), encode(left))]
    gone = [key(account), _by_canonical(record.canonical)]
    gone += [_by_email(record.email)] if record.email else []
    return [check, *(Delete(TABLE, place) for place in gone)]


async def _owns_buckets(store: Store, canonical: str) -> bool:
    after = b""
    while rows := await store.index.scan("bucket", after=after, limit=_STEP):
        if any(decode(Bucket, raw).owner == canonical for _, raw in rows):
            return True
        after = rows[-1][0]
    return False


async def change(
    store: Store,
    account: str,
    *,
    display: str | None = None,
    email: str | None = None,
    owner: str | None = None,
) -> Account:
    """Change what is given; an owner has to be a user of the account. Raises `AccountNotFound`,
    `EmailExists`, `UserNotFound` and `InvalidArgument`."""
    for _ in range(RETRIES):
        raw, old = await read(store, account)
        new, changes = old, list[Change]()
        if display is not None:
            new = msgspec.structs.replace(new, display=names.display(display) or old.id)
        if email is not None:
            new = msgspec.structs.replace(new, email=names.email(email))
        if owner is not None:
            new = msgspec.structs.replace(new, owner=owner)
            changes += await _member(store, owner, account)
        if new.email != old.email:
            changes += [Delete(TABLE, _by_email(old.email))] if old.email else []
            changes += _take_email(new)
        try:
            await store.index.commit(
                Check(TABLE, key(account), raw), Put(TABLE, key(account), encode(new)), *changes
            )
        except RowChanged:
            await refuse_email(store, new)
            continue
        return new
    raise WriteConflict(f'account "{account}" is being changed by too many writers')


async def _member(store: Store, user: str, account: str) -> Sequence[Change]:
    place = user.encode("utf-8", "surrogateescape")
    raw = await store.index.get("user", place) if names.is_name(user) else None
    if raw is None or decode(User, raw).account != account:
        raise UserNotFound(user[:64])
    return [Check("user", place, raw)]


async def refuse_email(store: Store, account: Account) -> None:
    """Raise `EmailExists` if the address of this account is another's."""
    taken = await by_email(store, account.email)
    if taken is not None and taken.id != account.id:
        raise EmailExists(account.email)
