"""Whom an IAM request is about, and whether its sender may do that.

A caller reaches the users of its own account, an administrator those of every account; others do
not exist for it. Nothing of a user is told before the caller is allowed to do what it asks for.

What policies cannot give:

* the owner of an account is changed by itself and by administrators alone;
* credentials of a user whose roles reach further than the caller's own do are an administrator's
  affair: an account must not get hold of rights that the cluster gave to one of its users;
* the administrator `root` is no user that could be changed here: it is what the node was told.
"""

from __future__ import annotations

from aisle.api.base import Context, Service
from aisle.api.conditions import RequestConditions
from aisle.api.iam.errors import IamError
from aisle.api.iam.operations import OPERATIONS
from aisle.auth.access import Action, Decision, decide
from aisle.auth.principal import Principal
from aisle.core.errors import AccessDenied, AccountNotFound, UserNotFound
from aisle.core.permissions import ADMIN
from aisle.namespace.records import User
from aisle.namespace.users import accounts, users
from aisle.namespace.users.names import ROOT


def user_arn(account: str, path: str, name: str) -> str:
    return f"arn:aws:iam::{account}:user{path}{name}"


def require(svc: Service, ctx: Context, resource: str) -> None:
    """Raise `AccessDenied` unless whoever asks may do its operation to `resource`."""
    if ctx.who.temporary and not ctx.who.session_name:
        raise AccessDenied("IAM cannot be called with credentials of GetSessionToken")
    if not allows(svc, ctx, ctx.who, resource):
        raise refused(ctx, resource)


def allows(svc: Service, ctx: Context, who: Principal, resource: str) -> bool:
    """Whether `who` may do the operation of a request to `resource`."""
    account = resource.split(":")[4] if resource.startswith("arn:aws:iam::") else who.account
    ctx.facts["aws:resourceaccount"] = (account,)
    ctx.resource = resource  # as logs name it
    conditions = RequestConditions(svc, ctx)
    action = Action(_action(ctx), ADMIN)
    return decide(who, action, None, conditions, resource=resource) is Decision.ALLOW


def refused(ctx: Context, resource: str) -> AccessDenied:
    """What a caller is told that may not do its operation to `resource`."""
    return AccessDenied(
        f"User: {ctx.who.arn} is not authorized to perform: {_action(ctx)} on resource: {resource}"
    )


def _action(ctx: Context) -> str:
    return f"{OPERATIONS[ctx.operation].service}:{ctx.operation}"


async def the_user(svc: Service, ctx: Context, name: str = "") -> User:
    """The user of a request, by default the caller, to whom the caller may do what it asks for."""
    who = ctx.who
    name = name or _own_name(who)
    user = await users.find(svc.store, name)
    if user is None or not reaches(who, user):
        require(svc, ctx, user_arn(who.account, "/", name))
        raise UserNotFound(name)
    require(svc, ctx, user_arn(user.account, user.path, user.name))
    return user


def reaches(who: Principal, user: User) -> bool:
    """Whether a user is there, as far as `who` can tell."""
    return user.name != ROOT and (who.admin or user.account == who.account)


def _own_name(who: Principal) -> str:
    if who.name == ROOT or who.session_name:
        raise IamError("ValidationError", "UserName must be given with other than user credentials")
    return who.name


async def changeable(svc: Service, ctx: Context, name: str = "") -> User:
    """`the_user`, which the caller is about to change."""
    user = await the_user(svc, ctx, name)
    who = ctx.who
    if who.admin or _is_self(who, user):
        return user
    if await _owns(svc, user):
        raise AccessDenied("the owner of an account is changed by itself alone")
    return user


async def with_credentials(svc: Service, ctx: Context, name: str = "") -> User:
    """`changeable`, where the change lets its sender act as the user."""
    user = await changeable(svc, ctx, name)
    who = ctx.who
    if who.admin or _is_self(who, user) or not user.roles:
        return user
    own = await users.find(svc.store, who.name)
    if who.temporary or own is None or not set(user.roles) <= set(own.roles):
        raise AccessDenied("the user has roles that only an administrator can lend")
    return user


def _is_self(who: Principal, user: User) -> bool:
    return user.name == who.name and not who.temporary


async def _owns(svc: Service, user: User) -> bool:
    try:
        return (await accounts.get(svc.store, user.account)).owner == user.name
    except AccountNotFound:
        return False
