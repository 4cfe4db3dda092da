"""Handlers of users: AIStore's AuthN API, and what Aisle's users have beside it.

A user as JSON is `{"id": NAME, "roles": [ROLE]}` as AIStore has it, and of our own `"account"` (its
number), `"canonical_id"`, `"display"`, `"email"` (the account's), `"arn"`, `"created"` (ns since
1970), `"owner"` (whether the account is this user's), `"admin"`, `"login"` (whether there is a
password), `"policies"` (names), and for a single user `"keys"` (see `keys`). GET `/v1/self` is the
caller. A request may have `"pass"`, `"roles"` (by name or as they are told), and for a new user
`"account"` to join, or `"display"` and `"email"` of an account of its own; for one that is there
`"owner": true` hands its account to it. No answer has a password.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from aisle.api.base import Context, Response, Service
from aisle.api.native import keys, roles
from aisle.api.native.grants import administer, is_self, themselves
from aisle.api.native.message import JSON, Message, Secretive, read_body, read_struct
from aisle.api.native.route import Route
from aisle.core.errors import InvalidArgument, UserNotFound, UserPolicyNotFound
from aisle.namespace.records import Role, User
from aisle.namespace.users import accounts, root, users
from aisle.namespace.users import roles as stored
from aisle.namespace.users.names import ROOT

_STEP: Final = 1000


class Named(msgspec.Struct, frozen=True):
    """A role of a user in a request: all but its name is told elsewhere."""

    name: str


class Given(Secretive, frozen=True, rename={"password": "pass"}):
    """A user in a request; what is null is left as it is."""

    id: str | None = None
    password: str | None = None
    roles: list[Named | str] | None = None
    account: str | None = None
    display: str | None = None
    email: str | None = None
    owner: bool | None = None

    @property
    def role_names(self) -> list[str]:
        return [role if isinstance(role, str) else role.name for role in self.roles or ()]


async def list_users(svc: Service, ctx: Context, message: Message) -> Response:
    """All users by name."""
    held = {role.name: role for role in await stored.list_all(svc.store)}
    told: dict[str, Any] = {}
    after = ""
    while found := await users.list_all(svc.store, after=after, limit=_STEP):
        after = found[-1].name
        for user in found:
            told[user.name] = await _shown(svc, user, held)
    return Response(200, JSON, msgspec.json.encode(told))


async def create_user(svc: Service, ctx: Context, message: Message) -> Response:
    """Make a user, in an account of its own or in one that is there."""
    given = await read_struct(ctx, Given)
    ctx.key = given.id or ""
    await users.create(
        svc.store,
        given.id or "",
        password=given.password or "",
        account=given.account or "",
        display=given.display or "",
        email=given.email or "",
        roles=given.role_names,
    )
    return Response(200)


async def get_user(svc: Service, ctx: Context, message: Message) -> Response:
    """A user, with its roles and access keys."""
    await is_self(svc, ctx, ctx.key)
    return await _told(svc, ctx.key)


async def get_self(svc: Service, ctx: Context, message: Message) -> Response:
    """Who asks: the user that a key or token is of. In a session `arn` and `admin` are its own."""
    return await _told(svc, ctx.who.name, arn=ctx.who.arn, admin=ctx.who.admin)


async def update_user(svc: Service, ctx: Context, message: Message) -> Response:
    """Change a user: its password, which ends its tokens; its roles; its account's names; whether
    it owns the account, which another user of the account then does no more.

    Roles that are an empty list are left as they are if there is a new password, as AIStore's
    clients write it, and are all taken away otherwise.
    """
    given = await read_struct(ctx, Given)
    if given.id not in (None, "", ctx.key):
        raise InvalidArgument("a user cannot be given another name", name="id")
    if given.account not in (None, ""):
        raise InvalidArgument("a user cannot move to another account", name="account")
    if given.owner is False:
        raise InvalidArgument("an account is given to another owner, not taken", name="owner")
    changed = given.roles if given.roles or given.password is None else None
    of_account = (given.display, given.email, given.owner) != (None, None, None)
    if changed is None and not of_account:
        await themselves(svc, ctx, ctx.key)
    else:
        await administer(svc, ctx)
    user = await users.get(svc.store, ctx.key)
    if given.password is not None or changed is not None:
        await users.change(
            svc.store,
            ctx.key,
            password=given.password,
            roles=given.role_names if changed is not None else None,
        )
    if of_account:
        await accounts.change(
            svc.store,
            user.account,
            display=given.display,
            email=given.email,
            owner=ctx.key if given.owner else None,
        )
    return Response(200)


async def delete_user(svc: Service, ctx: Context, message: Message) -> Response:
    """Delete a user with its access keys, and end its tokens."""
    await users.delete(svc.store, ctx.key, force=True)
    return Response(200)


async def list_policies(svc: Service, ctx: Context, message: Message) -> Response:
    """The policies of a user, by name."""
    user = await users.get(svc.store, ctx.key)
    return Response(200, JSON, msgspec.json.encode(user.policies))


async def get_policy(svc: Service, ctx: Context, message: Message) -> Response:
    """A policy of a user, as it was put."""
    name, _, policy = ctx.key.partition("/")
    text = (await users.get(svc.store, name)).policies.get(policy)
    if text is None:
        raise UserPolicyNotFound(policy[:128])
    return Response(200, JSON, text.encode())


async def put_policy(svc: Service, ctx: Context, message: Message) -> Response:
    """Give a user a policy; the body is its JSON."""
    name, _, policy = ctx.key.partition("/")
    try:
        text = (await read_body(ctx)).decode()
    except UnicodeDecodeError:
        raise InvalidArgument("a policy is JSON in UTF-8", name="policy") from None
    await users.put_policy(svc.store, name, policy, text)
    return Response(200)


async def delete_policy(svc: Service, ctx: Context, message: Message) -> Response:
    """Take a policy from a user."""
    name, _, policy = ctx.key.partition("/")
    await users.delete_policy(svc.store, name, policy)
    return Response(200)


# --- replies ------------------------------------------------------------------------------------


async def _told(svc: Service, name: str, **more: object) -> Response:
    # Its row is read, and not what is known of it here: that may be of a moment ago.
    row = await users.find(svc.store, name)
    user = root.row() if row is None and name == ROOT else row
    if user is None:
        raise UserNotFound(name[:64])
    held = {role.name: role for role in await stored.list_all(svc.store)}
    told = await _shown(svc, user, held) | more
    told["keys"] = await keys.shown(svc.store, name) if row is not None else []
    return Response(200, JSON, msgspec.json.encode(told))


async def _shown(svc: Service, user: User, held: Mapping[str, Role]) -> dict[str, Any]:
    account = await svc.principals.account_of_number(user.account)
    its = [held[name] for name in user.roles if name in held]
    is_root = user.name == ROOT
    return {
        "id": user.name,
        "roles": [roles.shown(role) for role in its],
        "account": user.account,
        "canonical_id": account.canonical if account is not None else "",
        "display": account.display if account is not None else "",
        "email": account.email if account is not None else "",
        "arn": svc.principals.root.arn
        if is_root
        else f"arn:aws:iam::{user.account}:user{user.path}{user.name}",
        "created": user.created,
        "owner": account is not None and account.owner == user.name,
        "admin": is_root or any(role.admin for role in its),
        "login": is_root or bool(user.password),
        "policies": list(user.policies),
    }


ROUTES: Final = (
    Route("GET", "self", "", (), "get-self", get_self),
    Route("GET", "users", "", (), "list-users", list_users),
    Route("POST", "users", "", (), "create-user", create_user),
    Route("GET", "users/N", "", (), "get-user", get_user),
    Route("PUT", "users/N", "", (), "update-user", update_user),
    Route("DELETE", "users/N", "", (), "delete-user", delete_user),
    Route("GET", "users/N/policies", "", (), "list-user-policies", list_policies),
    Route("GET", "users/N/policies/D", "", (), "get-user-policy", get_policy),
    Route("PUT", "users/N/policies/D", "", (), "put-user-policy", put_policy),
    Route("DELETE", "users/N/policies/D", "", (), "delete-user-policy", delete_policy),
)
