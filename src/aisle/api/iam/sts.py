"""Operations of STS: who am I, and temporary credentials.

Credentials that are lent never reach further than those they were made with:

* those of GetSessionToken are the user's own, for a while, and no good for IAM;
* those of AssumeRole have one of the user's roles and nothing else of its rights; a role is one of
  AIStore's, `arn:aws:iam::ACCOUNT:role/NAME`, in the account of the caller;
* credentials made with temporary ones keep their role and their session policy, last an hour at
  most, and end when those do. All end with the user and with the key that they go back to.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final, NamedTuple

from aisle.api.access import count_user
from aisle.api.base import Context, Service
from aisle.api.iam import shown
from aisle.api.iam.access import allows, refused, require
from aisle.api.iam.errors import IamError
from aisle.api.iam.query import Form
from aisle.api.iam.xml import Result, Value
from aisle.auth.principal import Principal
from aisle.core.errors import (
    AccessDenied,
    AccessKeyNotFound,
    ExpiredToken,
    InvalidToken,
    RoleNotFound,
)
from aisle.namespace.records import Session
from aisle.namespace.users import keys, sessions
from aisle.namespace.users.roles import role_id

SECOND: Final = 1_000_000_000
SHORTEST: Final = 900
LONGEST_SESSION: Final = 129_600
LONGEST_ROLE: Final = 43_200
LONGEST_CHAINED: Final = 3_600
_SESSION_DEFAULT: Final = 43_200
_ROLE_DEFAULT: Final = 3_600
_ROLE_ARN: Final = re.compile(r"arn:aws:iam::([0-9]{12}):role/([A-Za-z0-9_+=,.@-]{1,64})")


class Limits(NamedTuple):
    """What credentials that are about to be made take over from those that they are made with."""

    source: str = ""
    until: int = 0
    role: str = ""
    policy: str = ""
    longest: int = LONGEST_ROLE


async def get_caller_identity(svc: Service, ctx: Context, form: Form) -> Result:
    """GetCallerIdentity: allowed to everybody who is known, whatever policies say."""
    who = ctx.who
    return {"UserId": who.user_id, "Account": who.account, "Arn": who.arn}


async def get_session_token(svc: Service, ctx: Context, form: Form) -> Result:
    """GetSessionToken: one's own rights for a while."""
    who = ctx.who
    if who.temporary:
        raise AccessDenied("Cannot call GetSessionToken with session credentials")
    limits = await _limits(svc, who)
    _refuse_denied(svc, ctx, "*")
    duration = form.number(
        "DurationSeconds", _SESSION_DEFAULT, lowest=SHORTEST, highest=LONGEST_SESSION
    )
    made = await sessions.create(
        svc.store, who.name, duration=duration * SECOND, source=limits.source
    )
    return {"Credentials": _credentials(made)}


async def assume_role(svc: Service, ctx: Context, form: Form) -> Result:
    """AssumeRole: one of the caller's roles, and what a session policy leaves of it."""
    return await _assume(svc, ctx, form, await _limits(svc, ctx.who))


async def assume_role_with_web_identity(svc: Service, ctx: Context, form: Form) -> Result:
    """AssumeRoleWithWebIdentity: for who has a token of AIStore's kind, and no access key."""
    token = form["WebIdentityToken"]
    try:
        who = await svc.principals.by_token(token)
        claims = await svc.principals.tokens.verify(token)
    except InvalidToken as error:
        raise IamError("InvalidIdentityToken", str(error)) from None
    except ExpiredToken as error:
        raise IamError("ExpiredTokenException", str(error)) from None
    ctx.principal = who
    count_user(svc, ctx)
    told = await _assume(svc, ctx, form, Limits(until=claims.expires))
    return {**told, "SubjectFromWebIdentityToken": claims.subject}


async def get_access_key_info(svc: Service, ctx: Context, form: Form) -> Result:
    """GetAccessKeyInfo: the account of a key, for those who may know the key at all."""
    require(svc, ctx, "arn:aws:sts:::*")
    name, who = form["AccessKeyId"], ctx.who
    found = await keys.find(svc.store, name) or await sessions.find(svc.store, name)
    known = await svc.principals.user(found.user) if found is not None else None
    if known is None or not (who.admin or known.user.account == who.account):
        raise AccessKeyNotFound(name)
    return {"Account": known.user.account}


async def _limits(svc: Service, who: Principal) -> Limits:
    """The limits that come from the credentials of a request. Raises `AccessDenied`."""
    if not svc.auth_enabled:
        return Limits()
    if not who.access_key:
        raise AccessDenied("a token is not traded for credentials but as a WebIdentityToken")
    if not who.temporary:
        return Limits(source=who.access_key)
    parent = await sessions.find(svc.store, who.access_key)
    if parent is None:
        raise AccessDenied("the session is over")
    return Limits(parent.source, parent.expires, parent.role, parent.policy, LONGEST_CHAINED)


async def _assume(svc: Service, ctx: Context, form: Form, limits: Limits) -> Result:
    who, text = ctx.who, form["RoleArn"]
    found = _ROLE_ARN.fullmatch(text)
    if found is None:
        raise IamError("ValidationError", "RoleArn must be arn:aws:iam::ACCOUNT:role/NAME.")
    role, policy = found[2], form.get("Policy")
    seconds = form.number("DurationSeconds", _ROLE_DEFAULT, lowest=SHORTEST, highest=limits.longest)
    if found[1] != who.account or limits.role not in ("", role) or (policy and limits.policy):
        raise refused(ctx, text)
    _refuse_denied(svc, ctx, text)
    try:
        made = await sessions.create(
            svc.store,
            who.name,
            duration=seconds * SECOND,
            name=form["RoleSessionName"],
            policy=policy or limits.policy,
            role=role,
            source=limits.source,
            until=limits.until,
        )
    except RoleNotFound:  # whether there is one that the caller does not have, is not told
        raise refused(ctx, text) from None
    arn = f"arn:aws:sts::{who.account}:assumed-role/{role}/{made.name}"
    user: Value = {"AssumedRoleId": f"{role_id(role)}:{made.name}", "Arn": arn}
    told: dict[str, Value] = {"Credentials": _credentials(made), "AssumedRoleUser": user}
    if policy:
        told["PackedPolicySize"] = 100 * len(policy.encode()) // sessions.MAX_POLICY_BYTES
    return told


def _refuse_denied(svc: Service, ctx: Context, resource: str) -> None:
    """Raise `AccessDenied` where a policy denies the operation, or that of the session does not
    allow it. Beyond that it needs no permission: who has a role may take it."""
    if not allows(svc, ctx, replace(ctx.who, admin=True), resource):
        raise refused(ctx, resource)


def _credentials(made: Session) -> dict[str, Value]:
    return {
        "AccessKeyId": made.access_key,
        "SecretAccessKey": made.secret_key,
        "SessionToken": made.token,
        "Expiration": shown.moment(made.expires),
    }
