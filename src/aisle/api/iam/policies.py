"""Operations of IAM on the policies of users.

Policies live in their users alone (inline policies, in IAM's words): none can be attached, and no
user is in a group, so both lists are always empty.
"""

from __future__ import annotations

from urllib.parse import quote

from aisle.api.base import Context, Service
from aisle.api.iam import shown
from aisle.api.iam.access import changeable, the_user
from aisle.api.iam.query import Form
from aisle.api.iam.xml import Result, Value
from aisle.core.errors import UserPolicyNotFound
from aisle.namespace.users import users


async def put_user_policy(svc: Service, ctx: Context, form: Form) -> None:
    """PutUserPolicy."""
    user = await changeable(svc, ctx, form["UserName"])
    await users.put_policy(
        svc.store, user.name, form["PolicyName"], form["PolicyDocument"], known=user.id
    )


async def get_user_policy(svc: Service, ctx: Context, form: Form) -> Result:
    """GetUserPolicy: the document as it was given, percent-encoded as IAM has it."""
    user, name = await the_user(svc, ctx, form["UserName"]), form["PolicyName"]
    text = user.policies.get(name)
    if text is None:
        raise UserPolicyNotFound(name)
    return {
        "UserName": user.name,
        "PolicyName": name,
        "PolicyDocument": quote(text, safe=""),
    }


async def list_user_policies(svc: Service, ctx: Context, form: Form) -> Result:
    """ListUserPolicies."""
    user = await the_user(svc, ctx, form["UserName"])
    found: list[tuple[str, Value]] = [(name, name) for name in sorted(user.policies)]
    return shown.page(form, "PolicyNames", found)


async def delete_user_policy(svc: Service, ctx: Context, form: Form) -> None:
    """DeleteUserPolicy."""
    user = await changeable(svc, ctx, form["UserName"])
    await users.delete_policy(svc.store, user.name, form["PolicyName"])


async def list_attached_user_policies(svc: Service, ctx: Context, form: Form) -> Result:
    """ListAttachedUserPolicies: always none."""
    await the_user(svc, ctx, form["UserName"])
    return shown.page(form, "AttachedPolicies", ())


async def list_groups_for_user(svc: Service, ctx: Context, form: Form) -> Result:
    """ListGroupsForUser: always none."""
    await the_user(svc, ctx, form["UserName"])
    return shown.page(form, "Groups", ())
