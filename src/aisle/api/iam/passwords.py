"""Operations of IAM on passwords, its login profiles: what AIStore's clients log in with.

A password is set for good: nobody can be made to change it at the next login. Setting one ends the
user's tokens and sessions.
"""

from __future__ import annotations

from aisle.api.base import Context, Service
from aisle.api.iam import shown
from aisle.api.iam.access import changeable, require, the_user, with_credentials
from aisle.api.iam.errors import IamError
from aisle.api.iam.query import Form
from aisle.api.iam.xml import Result, Value
from aisle.core.errors import InvalidCredentials
from aisle.namespace.records import User
from aisle.namespace.users import users
from aisle.namespace.users.names import ROOT


async def create_login_profile(svc: Service, ctx: Context, form: Form) -> Result:
    """CreateLoginProfile."""
    _refuse_reset(form)
    user = await with_credentials(svc, ctx, form.get("UserName"))
    if user.password:
        raise IamError("EntityAlreadyExists", f"Login Profile for user {user.name} already exists.")
    changed = await users.change(
        svc.store, user.name, password=_password(form, "Password"), known=user.id
    )
    return {"LoginProfile": _shown(changed)}


async def get_login_profile(svc: Service, ctx: Context, form: Form) -> Result:
    """GetLoginProfile."""
    return {"LoginProfile": _shown(_having(await the_user(svc, ctx, form.get("UserName"))))}


async def update_login_profile(svc: Service, ctx: Context, form: Form) -> None:
    """UpdateLoginProfile."""
    _refuse_reset(form)
    user = _having(await with_credentials(svc, ctx, form["UserName"]))
    if "Password" in form.values:
        await users.change(svc.store, user.name, password=form["Password"], known=user.id)


async def delete_login_profile(svc: Service, ctx: Context, form: Form) -> None:
    """DeleteLoginProfile."""
    user = _having(await changeable(svc, ctx, form.get("UserName")))
    await users.change(svc.store, user.name, password="", known=user.id)


async def change_password(svc: Service, ctx: Context, form: Form) -> None:
    """ChangePassword: the caller's own, which it has to know."""
    who = ctx.who
    if who.name == ROOT or who.temporary:
        raise IamError("InvalidUserType", "Only users with a password of their own can change it.")
    require(svc, ctx, who.arn)
    try:
        await svc.principals.passwords.check(
            svc.store, who.name, form["OldPassword"], address=ctx.head.client
        )
    except InvalidCredentials:
        raise IamError("AccessDenied", "The old password was incorrect.") from None
    await users.change(svc.store, who.name, password=form["NewPassword"])


def _having(user: User) -> User:
    if not user.password:
        raise IamError("NoSuchEntity", f"Login Profile for User {user.name} cannot be found.")
    return user


def _password(form: Form, name: str) -> str:
    if name not in form.values:
        raise IamError("ValidationError", f"{name} must not be missing.")
    return form[name]


def _refuse_reset(form: Form) -> None:
    if form.get("PasswordResetRequired") == "true":
        raise IamError("NotImplemented", "PasswordResetRequired is not supported here.")


def _shown(user: User) -> dict[str, Value]:
    return {
        "UserName": user.name,
        "CreateDate": shown.moment(user.tokens_after or user.created),
        "PasswordResetRequired": False,
    }
