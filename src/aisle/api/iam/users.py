"""Operations of IAM on users and their tags."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from aisle.api.base import Context, Service
from aisle.api.iam import shown
from aisle.api.iam.access import changeable, require, the_user, user_arn
from aisle.api.iam.errors import IamError
from aisle.api.iam.query import Form
from aisle.api.iam.xml import Result, Value
from aisle.core.errors import LimitExceeded
from aisle.namespace.records import User
from aisle.namespace.users import users
from aisle.namespace.users.names import ROOT


async def create_user(svc: Service, ctx: Context, form: Form) -> Result:
    """CreateUser: in the account of the caller."""
    account, name, path = ctx.who.account, form["UserName"], form.get("Path", "/")
    require(svc, ctx, user_arn(account, path, name))
    tags = _tags(form)
    user = await users.create(svc.store, name, account=account, path=path, tags=tags)
    return {"User": shown.user(user)}


async def get_user(svc: Service, ctx: Context, form: Form) -> Result:
    """GetUser: by default the caller; the administrator, who is no user, has no name."""
    who = ctx.who
    if "UserName" not in form.values and who.name == ROOT and not who.temporary:
        created = shown.moment(0)
        return {"User": {"UserId": who.account, "Arn": who.arn, "CreateDate": created}}
    return {"User": shown.user(await the_user(svc, ctx, form.get("UserName")))}


async def list_users(svc: Service, ctx: Context, form: Form) -> Result:
    """ListUsers: those of the account, for an administrator those of all accounts; a session that
    is limited by a policy sees its own."""
    prefix, most = form.get("PathPrefix", "/"), shown.limit(form)
    who = ctx.who
    require(svc, ctx, user_arn(who.account, prefix, ""))
    account = "" if who.admin and who.session is None else who.account
    found: list[User] = []
    after = form.get("Marker")
    while len(found) <= most:
        rows = await users.list_all(svc.store, after=after, limit=shown.PAGE, account=account)
        found += [row for row in rows if row.path.startswith(prefix) and row.name != ROOT]
        if len(rows) < shown.PAGE:
            break
        after = rows[-1].name
    told: list[tuple[str, Value]] = [(row.name, shown.user(row, tags=False)) for row in found]
    return shown.page(form, "Users", told)


async def update_user(svc: Service, ctx: Context, form: Form) -> None:
    """UpdateUser: another path. A name stays, because roles, keys and tokens go by it."""
    user = await changeable(svc, ctx, form["UserName"])
    if form.get("NewUserName", user.name) != user.name:
        raise IamError("NotImplemented", "A user cannot be renamed here.")
    path = form.get("NewPath", user.path)
    require(svc, ctx, user_arn(user.account, path, user.name))
    await users.change(svc.store, user.name, path=path, known=user.id)


async def delete_user(svc: Service, ctx: Context, form: Form) -> None:
    """DeleteUser: one that has no keys, no policies and no password any more."""
    user = await changeable(svc, ctx, form["UserName"])
    if user.password:
        raise IamError("DeleteConflict", "Cannot delete entity, must delete login profile first.")
    await users.delete(svc.store, user.name, known=user.id)


async def tag_user(svc: Service, ctx: Context, form: Form) -> None:
    """TagUser: set some tags and leave the others."""
    user, given = await changeable(svc, ctx, form["UserName"]), _tags(form)
    await _retag(svc, user, lambda tags: tags | given)


async def untag_user(svc: Service, ctx: Context, form: Form) -> None:
    """UntagUser: those that are not there are gone already."""
    user = await changeable(svc, ctx, form["UserName"])
    gone = {item[""] for item in form.items("TagKeys")}
    await _retag(svc, user, lambda tags: {key: tags[key] for key in tags if key not in gone})


async def _retag(svc: Service, user: User, how: Callable[[dict[str, str]], dict[str, str]]) -> None:
    """Change the tags of a user, whatever others do to them meanwhile."""

    def retagged(row: User) -> User:
        tags = how(row.tags)
        if len(tags) > users.MAX_TAGS:
            raise LimitExceeded(f"a user has up to {users.MAX_TAGS} tags")
        return msgspec.structs.replace(row, tags=tags)

    await users.edit(svc.store, user.name, retagged, known=user.id)


async def list_user_tags(svc: Service, ctx: Context, form: Form) -> Result:
    """ListUserTags."""
    user = await the_user(svc, ctx, form["UserName"])
    tags: list[tuple[str, Value]] = [
        (key, {"Key": key, "Value": value}) for key, value in sorted(user.tags.items())
    ]
    return shown.page(form, "Tags", tags)


def _tags(form: Form) -> dict[str, str]:
    items = form.items("Tags")
    tags = {item["Key"]: item["Value"] for item in items}
    if len({key.lower() for key in tags}) != len(items):
        raise IamError("InvalidInput", "Duplicate tag keys found. Tag keys are case insensitive.")
    return tags
