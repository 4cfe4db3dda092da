"""Operations of IAM on the account of the caller."""

from __future__ import annotations

from aisle.api.base import Context, Service
from aisle.api.iam import shown
from aisle.api.iam.access import require
from aisle.api.iam.query import Form
from aisle.api.iam.xml import Entries, Result
from aisle.namespace.users import accounts, keys, users


async def get_account_summary(svc: Service, ctx: Context, form: Form) -> Result:
    """GetAccountSummary: what there is of what is here at all."""
    number = ctx.who.account
    require(svc, ctx, f"arn:aws:iam::{number}:*")
    account = await svc.principals.account_of_number(number)
    summary = {
        "UsersQuota": accounts.MAX_MEMBERS,
        "Users": account.members if account is not None else 0,
        "AccessKeysPerUserQuota": keys.MAX_KEYS,
        "UserPolicySizeQuota": users.MAX_POLICY_BYTES,
        "Groups": 0,
        "Policies": 0,
        "MFADevices": 0,
    }
    return {"SummaryMap": Entries(summary)}


async def list_account_aliases(svc: Service, ctx: Context, form: Form) -> Result:
    """ListAccountAliases: an account has none."""
    require(svc, ctx, f"arn:aws:iam::{ctx.who.account}:*")
    return shown.page(form, "AccountAliases", ())
