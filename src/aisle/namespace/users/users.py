"""Users: made, found, changed, deleted.

A user's row lists its access keys, so that keys and user change together: every change of either
is a commit that compares the user's row. A deleted user takes its keys along in that same commit;
its tokens and sessions name the id of a user that is no more.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from aisle.auth.policy.document import parse_identity_policy
from aisle.core.errors import (
    InvalidArgument,
    InvalidRequest,
    LimitExceeded,
    RowChanged,
    UserExists,
    UserInUse,
    UserNotFound,
    UserPolicyNotFound,
    WriteConflict,
)
from aisle.namespace.records import Account, User, decode, encode
from aisle.namespace.store import RETRIES, Store
from aisle.namespace.users import accounts, names, passwords, roles
from aisle.namespace.users.names import ROOT
from aisle.store.base import ABSENT, Change, Check, Delete, Put

TABLE: Final = "user"
MAX_ROLES: Final = 100
MAX_TAGS: Final = 50
MAX_POLICIES: Final = 50
MAX_POLICY_BYTES: Final = 65_536  # of all policies of a user together
_BASE32: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_STEP: Final = 500
Edit = Callable[[User], User]


def key(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def unique_id(prefix: str) -> str:
    """An id as Amazon makes them: four letters that tell what it is of, and sixteen more."""
    return prefix + "".join(secrets.choice(_BASE32) for _ in range(16))


async def create(
    store: Store,
    name: str,
    *,
    password: str = "",
    account: str = "",
    display: str = "",
    email: str = "",
    roles: Sequence[str] = (),
    path: str = "/",
    tags: Mapping[str, str] | None = None,
) -> User:
    """Make a user: in an account of its own, which it owns, or in the one of this number.

    Raises `UserExists`, `RoleNotFound`, `AccountNotFound`, `EmailExists`, `InvalidPassword`,
    `InvalidArgument`, `InvalidRequest` and `LimitExceeded`.
    """
    if account and (display or email):
        raise InvalidRequest("a display name and a mail address are of an account of one's own")
    user = User(
        name=names.user_name(name),
        account=account,
        created=store.now(),
        path=names.path(path),
        id=unique_id("AIDA"),
        tags=_tags(tags or {}),
        tokens_after=store.now(),
    )
    if password:
        user = msgspec.structs.replace(user, password=await passwords.encode(password))
    for _ in range(RETRIES):
        if await store.index.get(TABLE, key(name)) is not None:
            raise UserExists(name)
        user, own, changes = await _placed(store, user, account, display, email)
        user, checks = await _with_roles(store, user, roles)
        put = Put(TABLE, key(name), encode(user))
        try:
            await store.index.commit(Check(TABLE, key(name), ABSENT), *checks, *changes, put)
        except RowChanged:
            if own is not None:
                await accounts.refuse_email(store, own)
            continue
        return user
    raise WriteConflict(f'user "{name}" is being made by too many writers')


async def _placed(
    store: Store, user: User, account: str, display: str, email: str
) -> tuple[User, Account | None, list[Change]]:
    """The user in its account, that account if it is a new one, and the changes it needs."""
    if account:
        raw, joined = await accounts.read(store, account)
        return user, None, accounts.joining(raw, joined)
    own, changes = accounts.fresh(user.created, user.name, display=display, email=email)
    return msgspec.structs.replace(user, account=own.id), own, changes


async def _with_roles(store: Store, user: User, given: Sequence[str]) -> tuple[User, list[Check]]:
    wanted = list(dict.fromkeys(given))
    if len(wanted) > MAX_ROLES:
        raise LimitExceeded(f"nobody has more than {MAX_ROLES} of them")
    checks = [check for name in wanted for check in await roles.checks(store, name)]
    return msgspec.structs.replace(user, roles=wanted), checks


def _tags(given: Mapping[str, str]) -> dict[str, str]:
    if len(given) > MAX_TAGS:
        raise LimitExceeded(f"there may be up to {MAX_TAGS} tags")
    for name, value in given.items():
        if not 1 <= len(name) <= 128 or len(value) > 256:
            raise InvalidArgument("a tag has a name of 1 to 128 characters, and up to 256 more")
    return dict(given)


async def find(store: Store, name: str) -> User | None:
    """The user of this name."""
    raw = await store.index.get(TABLE, key(name)) if names.is_name(name) else None
    return decode(User, raw) if raw is not None else None


async def get(store: Store, name: str) -> User:
    """The user of this name. Raises `UserNotFound`."""
    user = await find(store, name)
    if user is None:
        raise UserNotFound(name[:64])
    return user


async def list_all(
    store: Store, *, after: str = "", limit: int = 1000, prefix: str = "", account: str = ""
) -> list[User]:
    """Up to `limit` users in order of their names, above `after`: those whose name begins with
    `prefix`, and only those of `account` if it is given."""
    found: list[User] = []
    place = key(after)
    while len(found) < limit:
        rows = await store.index.scan(TABLE, prefix=key(prefix), after=place, limit=_STEP)
        users = (decode(User, raw) for _, raw in rows)
        found += [user for user in users if not account or user.account == account]
        if len(rows) < _STEP:
            break
        place = rows[-1][0]
    return found[:limit]


async def _read(store: Store, name: str, known: str) -> tuple[bytes, User]:
    """A user's row, and what is in it. Raises `UserNotFound`; for `known` see `edit`."""
    raw = await store.index.get(TABLE, key(name)) if names.is_name(name) else None
    user = decode(User, raw) if raw is not None else None
    if raw is None or user is None or (known and user.id != known):
        raise UserNotFound(name[:64])
    return raw, user


async def edit(
    store: Store, name: str, how: Edit, changes: Sequence[Change] = (), *, known: str = ""
) -> User:
    """Change a user's row by `how`, with more `changes` in the same commit. Raises `UserNotFound`,
    what `how` raises, and `RowChanged` if one of the other changes is a check that fails.

    `known` is the id of the user that the caller has looked at: a later one of the same name, who
    may be of another account, is not found."""
    for _ in range(RETRIES):
        raw, user = await _read(store, name, known)
        user = how(user)
        try:
            await store.index.commit(
                Check(TABLE, key(name), raw), Put(TABLE, key(name), encode(user)), *changes
            )
        except RowChanged as error:
            if error.table != TABLE:
                raise
            continue
        return user
    raise WriteConflict(f'user "{name}" is being changed by too many writers')


async def change(
    store: Store,
    name: str,
    *,
    password: str | None = None,
    roles: Sequence[str] | None = None,
    path: str | None = None,
    tags: Mapping[str, str] | None = None,
    known: str = "",
) -> User:
    """Change what is given. An empty password takes away the one there was; any change of it ends
    all tokens and sessions. Raises what `create` raises, and `UserNotFound`; for `known` see
    `edit`."""
    if name == ROOT and (password is not None or roles is not None):
        raise InvalidRequest("password and rights of the administrator are set by node options")
    encoded = await passwords.encode(password) if password else ""
    now = store.now()
    if tags is not None:
        tags = _tags(tags)
    if path is not None:
        names.path(path)

    def how(user: User) -> User:
        if password is not None:
            user = msgspec.structs.replace(user, password=encoded, tokens_after=now)
        if path is not None:
            user = msgspec.structs.replace(user, path=path)
        if tags is not None:
            user = msgspec.structs.replace(user, tags=dict(tags))
        if roles is not None:
            user = msgspec.structs.replace(user, roles=list(dict.fromkeys(roles)))
        return user

    for _ in range(RETRIES):
        user = await get(store, name)
        checks = (await _with_roles(store, user, roles))[1] if roles is not None else []
        try:
            return await edit(store, name, how, checks, known=known)
        except RowChanged:  # one of the roles
            continue
    raise WriteConflict(f'user "{name}" is being changed by too many writers')


async def put_policy(store: Store, name: str, policy: str, text: str, *, known: str = "") -> User:
    """Give a user a policy, or another one in its place. Raises `MalformedPolicy`, `UserNotFound`,
    `InvalidArgument` and `LimitExceeded`; for `known` see `edit`."""
    names.policy_name(policy)
    parse_identity_policy(text)

    def how(user: User) -> User:
        policies = user.policies | {policy: text}
        if len(policies) > MAX_POLICIES:
            raise LimitExceeded(f"there may be up to {MAX_POLICIES} policies")
        if sum(len(one.encode()) for one in policies.values()) > MAX_POLICY_BYTES:
            raise LimitExceeded(f"policies may have up to {MAX_POLICY_BYTES} bytes together")
        return msgspec.structs.replace(user, policies=policies)

    return await edit(store, name, how, known=known)


async def delete_policy(store: Store, name: str, policy: str) -> User:
    """Take a policy from a user. Raises `UserNotFound` and `UserPolicyNotFound`."""

    def how(user: User) -> User:
        if policy not in user.policies:
            raise UserPolicyNotFound(policy[:128])
        left = {key: text for key, text in user.policies.items() if key != policy}
        return msgspec.structs.replace(user, policies=left)

    return await edit(store, name, how)


async def delete(store: Store, name: str, *, force: bool = False, known: str = "") -> None:
    """End a user, and with it its access keys, sessions and tokens. Without `force` it must have
    no keys and no policies. Raises `UserNotFound`, `UserInUse` and `InvalidRequest`."""
    if name == ROOT:
        raise InvalidRequest("the administrator cannot be deleted")
    for _ in range(RETRIES):
        raw, user = await _read(store, name, known)
        if not force and (user.keys or user.policies):
            raise UserInUse(name, "access keys" if user.keys else "policies")
        changes = await accounts.leaving(store, name, user.account)
        for access_key in user.keys:
            changes += [
                Delete("accesskey", access_key.encode()),
                Delete("used", access_key.encode()),
            ]
        try:
            await store.index.commit(
                Check(TABLE, key(name), raw), Delete(TABLE, key(name)), *changes
            )
        except RowChanged:
            continue
        return
    raise WriteConflict(f'user "{name}" is being changed by too many writers')
