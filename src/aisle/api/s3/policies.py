"""Handlers of bucket policies: Get/Put/DeleteBucketPolicy, GetBucketPolicyStatus.

A policy is kept and given back as it was sent, to the byte. It is taken only if it can be compiled
and everybody it names exists. What leaves whoever sends it unable to send another is refused unless
they say that they mean it; the owner of the bucket's account and administrators always can.

The policy itself stays within the bucket's account: whoever may read or replace it by its own words
in another account (`"Principal": "*"` with `s3:*` says so) hears 405. Roles reach everywhere.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from aisle.api.access import may
from aisle.api.base import Context, Response, Service
from aisle.api.s3.actions import NEEDS
from aisle.api.s3.common import XML, kept, open_bucket, remover
from aisle.api.s3.errors import S3Error
from aisle.api.s3.incoming import read_document
from aisle.api.s3.xml import document, element
from aisle.auth.policy.document import Policy, parse_bucket_policy
from aisle.auth.policy.principals import Named
from aisle.auth.policy.public import is_public
from aisle.core.errors import AccessDenied, MalformedPolicy, RoleNotFound
from aisle.namespace import documents
from aisle.namespace.store import BucketRow
from aisle.namespace.users import roles

# The policy itself may have 20 KiB, of which its parser tells; this is what is read at all.
_DOCUMENT_LIMIT: Final = 64 << 10
_CONFIRM: Final = "x-amz-confirm-remove-self-bucket-access"


async def get_bucket_policy(svc: Service, ctx: Context) -> Response:
    await _check_account(svc, ctx)
    text = await kept(svc, ctx, documents.POLICY, "NoSuchBucketPolicy")
    return Response(200, [(b"content-type", b"application/json")], text)


async def get_bucket_policy_status(svc: Service, ctx: Context) -> Response:
    row = await open_bucket(svc, ctx)
    policy = (await documents.of(svc.store, row)).access.policy
    if policy is None:
        raise S3Error("NoSuchBucketPolicy", BucketName=ctx.bucket)
    public = "true" if is_public(policy) else "false"
    return Response(200, XML, document("PolicyStatus", element("IsPublic", public)))


async def put_bucket_policy(svc: Service, ctx: Context) -> Response:
    row = await _check_account(svc, ctx)
    body = await read_document(ctx.head, ctx.known_payload, ctx.body, _DOCUMENT_LIMIT)
    policy = _parsed(body, row)
    for named in policy.named:
        if not await _exists(svc, named):
            raise MalformedPolicy("Invalid principal in policy")
    access = (await documents.of(svc.store, row)).access
    if access.block.block_policy and is_public(policy):
        raise AccessDenied("public policies are blocked")
    if ctx.head.header(_CONFIRM).lower() != "true":
        action = NEEDS["PutBucketPolicy"].actions[0]
        if not await may(svc, ctx, action, row, access=replace(access, policy=policy)):
            raise AccessDenied("the policy would lock out who sends it")
    await documents.change(svc.store, row, {documents.POLICY: body})
    return Response(204)


async def delete_bucket_policy(svc: Service, ctx: Context) -> Response:
    await _check_account(svc, ctx)
    return await _delete(svc, ctx)


async def _check_account(svc: Service, ctx: Context) -> BucketRow:
    """The bucket, if whoever asks is of its account, an administrator, or has a role for it. Raises
    `S3Error` (MethodNotAllowed)."""
    row, who = await open_bucket(svc, ctx), ctx.who
    if not (who.admin or who.canonical == row.record.owner):
        access = (await documents.of(svc.store, row)).access
        bit = NEEDS[ctx.operation].actions[0].bit
        if not (who.bits | who.bucket_bits.get(access.id, 0)) & bit:
            raise S3Error("MethodNotAllowed", Method=ctx.head.method, ResourceType="BUCKETPOLICY")
    return row


def _parsed(body: bytes, row: BucketRow) -> Policy:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise MalformedPolicy("Policies must be valid JSON in UTF-8") from None
    return parse_bucket_policy(text, row.record.name)


async def _exists(svc: Service, named: Named) -> bool:
    """Whether there is somebody whom a policy names; services and the like are not known here."""
    users = svc.principals
    if named.kind == "account":
        return await users.account_of_number(named.account) is not None
    if named.kind == "canonical":
        return await users.account_of(named.name) is not None
    if named.kind == "user":
        if await users.user_exists(named.name, named.account):
            return True
        return not named.account and await users.account_of(named.name) is not None
    if named.kind == "role":
        try:
            await roles.get(svc.store, named.name)
        except RoleNotFound:
            return False
    return True


_delete = remover(documents.POLICY)
