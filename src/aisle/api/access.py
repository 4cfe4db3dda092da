"""Who sent a request, and whether they may do what it asks: shared by all dialects.

`identify` comes first in every pipeline, `authorise` before anything of a bucket is told or
changed. With authentication off everybody is the administrator, and only what a bucket's own
`access` bits close stays closed.

What somebody may not do is refused in the same words whatever the reason; the reason stands in
`Context.denied`, for the log.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aisle.api.base import Context, Service
from aisle.api.conditions import (
    AccountNeeded,
    BodyNeeded,
    RequestConditions,
    TagsNeeded,
    UploadNeeded,
)
from aisle.auth import sigv2, sigv4
from aisle.auth.access import (
    OF_UPLOADS,
    Action,
    BucketAccess,
    Decision,
    ObjectAccess,
    decide,
    plainly,
)
from aisle.auth.authenticate import authenticate
from aisle.auth.credentials import NotLoaded
from aisle.auth.payload import unchecked_payload
from aisle.core import permissions
from aisle.core.errors import (
    AccessDenied,
    DeleteMarkerNamed,
    ExpiredToken,
    InvalidAccessKey,
    InvalidArgument,
    InvalidRequest,
    KeyTooLong,
    ObjectNotFound,
    UploadNotFound,
    VersionNotFound,
)
from aisle.core.http import RequestHead
from aisle.core.names import MAX_KEY_BYTES, encode_key
from aisle.core.permissions import ACCESS_ALL
from aisle.core.sigv4 import SERVICE
from aisle.namespace import documents, events, objects, uploads
from aisle.namespace.records import Bucket, Upload
from aisle.namespace.store import BucketRow
from aisle.namespace.windows import LOOK

# Either of them in the query makes a request a presigned one.
SIGNATURES: Final = frozenset({"X-Amz-Signature", "Signature"})
_V4: Final = "AWS4-"
_PRESIGNED: Final = sigv4.MARKS | sigv2.MARKS
_TOKEN_HEADER: Final = "x-amz-security-token"  # noqa: S105 - the name of a header
# AIStore's: with authentication off a bucket's `access` cannot close these.
_ALWAYS_OPEN: Final = permissions.READ_ONLY | permissions.PATCH | permissions.SET_BUCKET_ACL
# What changes nothing brings no event about.
_LOOKING: Final = frozenset({"GET", "HEAD"})
_STRANGER: Final = "Anonymous"
_LIST_BUCKET: Final = Action("s3:ListBucket", permissions.LIST_OBJECTS)


# --- who ------------------------------------------------------------------------------------


async def identify(
    svc: Service,
    ctx: Context,
    *,
    target: tuple[str, str] | None = None,
    service: str = SERVICE,
    digest: str = "",
) -> None:
    """Settle who asks, how the body is guarded, and the head that is acted on.

    For `target`, `service` and `digest` see `authenticate`. Raises what it raises, and
    `InvalidToken` or `ExpiredToken`.
    """
    await _identify(svc, ctx, target=target, service=service, digest=digest)
    note_cause(ctx)


def note_cause(ctx: Context) -> None:
    """Remember who brings about what this request does, once they are known."""
    if ctx.head.method not in _LOOKING:
        # Each request has a context of its own.
        events.CAUSE.set(
            events.Cause(ctx.who.arn or ctx.who.name or _STRANGER, ctx.head.client, ctx.request_id)
        )


async def _identify(
    svc: Service, ctx: Context, *, target: tuple[str, str] | None, service: str, digest: str
) -> None:
    if not svc.auth_enabled:
        ctx.principal, ctx.payload = svc.principals.root, unchecked_payload(ctx.head)
        presigned = not SIGNATURES.isdisjoint(ctx.head.params)
        ctx.unsigned = "authorization" not in ctx.head.headers and not presigned
        if presigned:  # what it asks for may be in its query, whoever signed it
            ctx.head = (sigv2 if _is_v2(ctx.head) else sigv4).acted_on(ctx.head)
        return
    head = ctx.head
    if _TOKEN_HEADER in head.headers or not head.headers.get("authorization", "").startswith(_V4):
        token = bearer(head)
        if token:
            ctx.principal = await svc.principals.by_token(token)
            ctx.payload = unchecked_payload(head)
            return
        if _is_v2(head) and not await svc.store.setting("auth.signature_v2"):
            raise InvalidRequest(
                "The authorization mechanism you have provided is not supported. Please use"
                " AWS4-HMAC-SHA256."
            )
    now = svc.store.now()
    while True:
        try:
            known = authenticate(
                head,
                svc.principals.cached,
                now=now / 1e9,
                target=target,
                service=service,
                digest=digest,
            )
        except NotLoaded as missing:
            await svc.principals.load(missing.access_key)
            continue
        except InvalidAccessKey as unknown:
            if await svc.principals.has_ended(unknown.access_key):
                raise ExpiredToken("the temporary credentials have expired") from None
            raise
        if known.principal.anonymous and _TOKEN_HEADER in head.headers:
            raise AccessDenied("a session token counts only beside a signature")
        ctx.head, ctx.principal, ctx.payload = known.head, known.principal, known.payload
        svc.principals.note_used(known.principal, now)
        return


def bearer(head: RequestHead) -> str:
    """The JWT of a request, `""` if it has none: in `Authorization: Bearer`, or as the session
    token of a signature, which then counts for nothing, with whatever keys it was made. Elsewhere
    none is looked for, least of all in a query. Raises `InvalidArgument` if there is more than one
    way in which the request says who sent it.
    """
    authorization = head.headers.get("authorization", "")
    session = head.headers.get(_TOKEN_HEADER, "")
    scheme, _, token = authorization.partition(" ")
    by_scheme = scheme.lower() == "bearer"
    by_session = authorization.startswith("AWS") and looks_like_jwt(session)
    if not (by_scheme or by_session):
        return ""
    repeated = not head.repeated.isdisjoint(("authorization", _TOKEN_HEADER))
    if repeated or (by_scheme and session) or not _PRESIGNED.isdisjoint(head.params):
        raise InvalidArgument("Only one auth mechanism allowed", name="Authorization")
    return session if by_session else token.strip()


def looks_like_jwt(text: str) -> bool:
    """Three parts, the first of them JSON: no session token of our own looks so."""
    return text.startswith("eyJ") and text.count(".") == 2


def _is_v2(head: RequestHead) -> bool:
    authorization = head.headers.get("authorization")
    if authorization is not None:
        return sigv2.is_mine(authorization)
    return not sigv2.MARKS.isdisjoint(head.params)


# --- whether --------------------------------------------------------------------------------


async def authorise(
    svc: Service,
    ctx: Context,
    action: Action,
    row: BucketRow | None = None,
    key: str = "",
    *,
    target: ObjectAccess | None = None,
    version: str | None = None,
) -> None:
    """Raise `AccessDenied` unless whoever asks may do `action` here; `ObjectNotFound` or
    `VersionNotFound` where only the object could say so, there is none, and whoever asks may list
    the bucket. `version` is the one that is meant, where that is not what the request names."""
    decision = await _decided(svc, ctx, action, row, key, target=target, version=version)
    if decision is Decision.OBJECT and row is not None and await may(svc, ctx, _LIST_BUCKET, row):
        named = RequestConditions(svc, ctx).version if version is None else version
        if named:
            raise VersionNotFound(row.record.name, key, named)
        raise ObjectNotFound(row.record.name, key)
    if decision is not Decision.ALLOW:
        raise refused(ctx, action, row, key)
    if row is not None and not ctx.counted:
        count(svc, ctx, row)


def count(svc: Service, ctx: Context, row: BucketRow) -> None:
    """Count a request that is allowed for its bucket. Raises `RateLimited`."""
    svc.limits.take_bucket(row, ctx.head.method)
    ctx.counted = True


def count_user(svc: Service, ctx: Context) -> None:
    """Count a request of whoever sends it, if that is limited. Raises `RateLimited`."""
    if svc.limits.users is not None:
        known = svc.auth_enabled and not ctx.who.anonymous
        svc.limits.take_user(ctx.who.name if known else ctx.head.client, ctx.head.method)


def refused(ctx: Context, action: Action, row: BucketRow | None, key: str = "") -> AccessDenied:
    """The refusal of an action; why it was refused is noted for the log."""
    who = ctx.principal.arn if ctx.principal is not None else ""
    ctx.denied = f"{who or 'nobody'} may not {action.name} on {_resource(ctx, row, key)}"
    return AccessDenied("Access Denied")


async def may(
    svc: Service,
    ctx: Context,
    action: Action,
    row: BucketRow | None = None,
    key: str = "",
    *,
    whole: bool = False,
    target: ObjectAccess | None = None,
    access: BucketAccess | None = None,
) -> bool:
    """Whether whoever asks may do `action`: in the cluster, to a bucket, or to a key of it; with
    `whole` to everything in the bucket, as a job does. `target` is the object that is meant, where
    that is another one than what has the key by now, and `access` what the bucket says of its own,
    where that is to be something else than it is. Nothing of the object is read unless its own
    ACL decides."""
    decision = await _decided(svc, ctx, action, row, key, whole, target, access)
    return decision is Decision.ALLOW


async def _decided(
    svc: Service,
    ctx: Context,
    action: Action,
    row: BucketRow | None,
    key: str,
    whole: bool = False,
    target: ObjectAccess | None = None,
    access: BucketAccess | None = None,
    version: str | None = None,
) -> Decision:
    """See `may`; OBJECT if the object decides and there is none."""
    if not svc.auth_enabled:
        free = row is None or _leaves_open(row.record, action.bit)
        return Decision.ALLOW if free else Decision.DENY
    if access is not None or row is None:
        return await _by(svc, ctx, action, row, key, whole, target, access, version)
    access = (await documents.of(svc.store, row, recent=True)).access
    decision = await _by(svc, ctx, action, row, key, whole, target, access, version)
    if decision is Decision.ALLOW or not svc.store.index.lag:
        return decision
    # What another gateway has just opened is open: a refusal goes by what is so now.
    access = (await documents.of(svc.store, row)).access
    return await _by(svc, ctx, action, row, key, whole, target, access, version)


async def _by(
    svc: Service,
    ctx: Context,
    action: Action,
    row: BucketRow | None,
    key: str,
    whole: bool,
    target: ObjectAccess | None,
    access: BucketAccess | None,
    version: str | None,
) -> Decision:
    """The decision by what a bucket says of its access."""
    plain = plainly(ctx.who, action, access)
    if plain is not None:
        return plain
    if len(key) > MAX_KEY_BYTES:  # policies are not to be held against what nothing can be called
        if not whole:
            raise KeyTooLong(len(key), MAX_KEY_BYTES)
        key = key[:MAX_KEY_BYTES]
    conditions = RequestConditions(svc, ctx, action.name)
    resource = _resource(ctx, row, key)
    while True:
        try:
            decision = decide(
                ctx.who, action, access, conditions, resource=resource, target=target, whole=whole
            )
        except AccountNeeded:
            owner = None if row is None else await svc.principals.account_of(row.record.owner)
            conditions.account = owner.id if owner is not None else ""
            continue
        except UploadNeeded:
            begun = None if row is None else await _begun(svc, ctx, row, key)
            conditions.upload = {} if begun is None else begun.asked
            continue
        except BodyNeeded:
            learn, ctx.learn = ctx.learn, None
            if learn is not None:
                await learn()
            continue
        except TagsNeeded as needed:
            if needed.bucket:
                conditions.bucket_tags = await _bucket_tags(svc, row)
            else:
                conditions.tags = await _tags(svc, row, key, conditions.version)
            continue
        if decision is not Decision.OBJECT:
            return decision
        if row is None or not key or whole or target is not None:
            return Decision.DENY
        if action.name in OF_UPLOADS:
            target = await _upload(svc, ctx, row, key)
            if target is None:
                return Decision.DENY
            continue
        named = conditions.version if version is None else version
        target = await _object(svc, row, key, named)
        if target is None:
            return Decision.OBJECT


def _resource(ctx: Context, row: BucketRow | None, key: str) -> str:
    name = row.record.name if row is not None else ctx.bucket
    if not name:
        return "arn:aws:s3:::*"
    return f"arn:aws:s3:::{name}/{key}" if key else f"arn:aws:s3:::{name}"


def _leaves_open(bucket: Bucket, bit: int) -> bool:
    """Whether a bucket's own `access` leaves something open, where nothing else is asked."""
    bit &= ~_ALWAYS_OPEN
    return not bit or int(bucket.props.get("access", ACCESS_ALL)) & bit == bit


async def _object(svc: Service, row: BucketRow, key: str, version: str) -> ObjectAccess | None:
    """What an object, or the version of it that is named, says of its own access; `None` if there
    is none, or what is named is no version id, which its handler tells to who may hear it."""
    if row.record.behind is not None:
        return ObjectAccess(row.record.owner, None)  # no ACL of it is kept here
    try:
        record = await objects.head(svc.store, row, encode_key(key), LOOK._replace(version=version))
    except (ObjectNotFound, VersionNotFound, DeleteMarkerNamed, InvalidArgument):
        return None
    return ObjectAccess(record.owner, record.acl)


async def _tags(svc: Service, row: BucketRow | None, key: str, version: str) -> Mapping[str, str]:
    """The tags of an object, or of one of its versions; of remote buckets none are known here."""
    if row is None or not key or row.record.behind is not None:
        return {}
    try:
        how = LOOK._replace(version=version)
        return (await objects.head(svc.store, row, encode_key(key), how)).tags
    except (ObjectNotFound, VersionNotFound, DeleteMarkerNamed, InvalidArgument):
        return {}


async def _bucket_tags(svc: Service, row: BucketRow | None) -> Mapping[str, str]:
    """The tags of a bucket, if policies may ask for them."""
    if row is None or not row.record.has & documents.BITS[documents.ABAC]:
        return {}
    return await documents.tags_of(svc.store, row)


async def _begun(svc: Service, ctx: Context, row: BucketRow, key: str) -> Upload | None:
    """The upload that a request names, `None` if there is none."""
    named = ctx.head.params.get("uploadId", "")
    try:
        return (await uploads.find(svc.store, row, encode_key(key), named)).record
    except UploadNotFound:
        return None


async def _upload(svc: Service, ctx: Context, row: BucketRow, key: str) -> ObjectAccess | None:
    """Who began the upload that a request names, `None` if there is none."""
    begun = await _begun(svc, ctx, row, key)
    return None if begun is None else ObjectAccess(begun.owner, None, by=begun.initiator)


# --- whose ----------------------------------------------------------------------------------


def writer(svc: Service, ctx: Context, row: BucketRow) -> str:
    """The canonical id that what `ctx` writes into a bucket belongs to, unless the bucket says
    otherwise (see `namespace.ownership`). What strangers write is the bucket owner's, as is
    everything where nobody is asked who they are."""
    return (ctx.who.canonical if svc.auth_enabled else "") or row.record.owner


def lists(ctx: Context, bucket: Bucket) -> bool:
    """Whether a bucket is among those that whoever asks is told of: those of their account, and
    those that roles name for them."""
    who = ctx.who
    if who.admin or bucket.owner == who.canonical:
        return not who.anonymous
    if who.bits & permissions.LIST_BUCKETS:
        return True
    return bool(who.bucket_bits.get((bucket.name, bucket.provider, bucket.namespace)))
