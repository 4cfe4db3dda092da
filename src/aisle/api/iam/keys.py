"""Operations of IAM on access keys."""

from __future__ import annotations

from aisle.api.base import Context, Service
from aisle.api.iam import shown
from aisle.api.iam.access import changeable, reaches, require, the_user, user_arn, with_credentials
from aisle.api.iam.query import Form
from aisle.api.iam.xml import Result, Value
from aisle.core.errors import AccessKeyNotFound
from aisle.namespace.users import keys, users

ACTIVE = "Active"


async def create_access_key(svc: Service, ctx: Context, form: Form) -> Result:
    """CreateAccessKey: the one time that the secret is told."""
    user = await with_credentials(svc, ctx, form.get("UserName"))
    made = await keys.create(svc.store, user.name, known=user.id)
    return {"AccessKey": {**shown.key(made), "SecretAccessKey": made.secret_key}}


async def list_access_keys(svc: Service, ctx: Context, form: Form) -> Result:
    """ListAccessKeys."""
    user = await the_user(svc, ctx, form.get("UserName"))
    rows = sorted(await keys.of_user(svc.store, user.name), key=lambda row: row.access_key)
    told: list[tuple[str, Value]] = [(row.access_key, shown.key(row)) for row in rows]
    return shown.page(form, "AccessKeyMetadata", told)


async def update_access_key(svc: Service, ctx: Context, form: Form) -> None:
    """UpdateAccessKey: switch one on, which lets whoever has it act as the user, or off."""
    name, active = form.get("UserName"), form["Status"] == ACTIVE
    user = await (with_credentials if active else changeable)(svc, ctx, name)
    await keys.set_active(svc.store, user.name, form["AccessKeyId"], active)


async def delete_access_key(svc: Service, ctx: Context, form: Form) -> None:
    """DeleteAccessKey."""
    user = await changeable(svc, ctx, form.get("UserName"))
    await keys.delete(svc.store, user.name, form["AccessKeyId"])


async def get_access_key_last_used(svc: Service, ctx: Context, form: Form) -> Result:
    """GetAccessKeyLastUsed. What it was used for is not kept."""
    name = form["AccessKeyId"]
    key = await keys.find(svc.store, name)
    user = await users.find(svc.store, key.user) if key is not None else None
    if user is None or not reaches(ctx.who, user):
        require(svc, ctx, user_arn(ctx.who.account, "/", ""))
        raise AccessKeyNotFound(name)
    require(svc, ctx, user_arn(user.account, user.path, user.name))
    when = (await keys.last_used(svc.store, [name]))[0]
    used: dict[str, Value] = {"ServiceName": "s3" if when else "N/A"}
    used["Region"] = svc.region if when else "N/A"
    if when:
        used["LastUsedDate"] = shown.moment(when)
    return {"UserName": user.name, "AccessKeyLastUsed": used}
