"""THE table of native errors: how what happened below is told to an AIStore client.

AIStore answers JSON; its SDK picks an exception by status and by the first `provider://bucket` or
`provider://bucket/object` in the text, so buckets and objects are always named that way, and the
message comes first of the fields that could hold a name. A HEAD reply has the same JSON in
`Hdr-Error`, since it cannot have a body. Only what this dialect alone can know is raised here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any, Final

from aisle.api.base import Context, Headers, Response
from aisle.api.native.message import PROVIDERS
from aisle.core import errors as e
from aisle.jobs.jobs import JobNotFound
from aisle.jobs.members import NodeNotFound


class NoSuchCall(e.AisleError):
    """Nothing under `/v1` has this path, or not with this method."""

    def __init__(self, message: str, *, allow: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.allow = allow


class NotReady(e.AisleError):
    """The node is still starting, or about to stop."""


class NodeUnreachable(e.AisleError):
    """Another node cannot be asked for this one's client."""

    def __init__(self, node: str, url: str, reason: str) -> None:
        super().__init__(f'node "{node}" at {url} cannot be asked from here: {reason}')


def _bucket(ctx: Context, name: str, provider: str = "") -> str:
    """The bucket as a URL; a copy may name one of another provider than the request is for."""
    asked = provider or ctx.head.params.get("provider", "")
    return f"{PROVIDERS.get(asked, 'ais')}://{name}"


def _where(error: e.BucketNotFound | e.BucketExists) -> str:
    """The namespace, behind the name: the SDK would take `ais://#ns/bucket` for an object."""
    mark = "" if error.namespace.startswith("@") else "#"
    return f' in namespace "{mark}{error.namespace}"' if error.namespace else ""


def _object_missing(ctx: Context, error: e.ObjectNotFound) -> str:
    return f'object "{_bucket(ctx, error.bucket)}/{error.key}" does not exist'


def _said(ctx: Context, error: e.AisleError) -> str:
    return str(error)


def _internal(ctx: Context, error: e.AisleError) -> str:
    return f"internal error, the log has the details under request id {ctx.request_id}"


# class -> status and text; the nearest class counts
TABLE: Final[Mapping[type[e.AisleError], tuple[int, Callable[[Context, Any], str]]]] = {
    NoSuchCall: (404, _said),
    NotReady: (503, _said),
    NodeUnreachable: (503, _said),
    e.InvalidRequest: (400, _said),
    e.InvalidArgument: (400, _said),
    e.InvalidName: (400, lambda ctx, error: f'"{error.name}": {error}'),
    e.KeyTooLong: (400, _said),
    e.NotSupported: (501, _said),
    e.EntityTooLarge: (413, _said),
    e.IncompleteBody: (400, _said),
    e.RequestTimeout: (408, _said),
    e.TooBusy: (503, _said),
    e.RateLimited: (429, _said),
    e.DigestMismatch: (400, lambda ctx, error: f"bad checksum: {error}"),
    e.AuthError: (401, _said),
    e.TooManyAttempts: (429, _said),
    e.MalformedPolicy: (400, _said),
    e.UserNotFound: (404, _said),
    e.UserExists: (409, _said),
    e.UserInUse: (409, _said),
    e.RoleNotFound: (404, _said),
    e.RoleExists: (409, _said),
    e.ClusterNotFound: (404, _said),
    e.ClusterExists: (409, _said),
    e.AccountNotFound: (404, _said),
    e.EmailExists: (409, _said),
    e.AccessKeyNotFound: (404, _said),
    e.AccessKeyExists: (409, _said),
    e.UserPolicyNotFound: (404, _said),
    e.InvalidPassword: (400, _said),
    e.LimitExceeded: (400, _said),
    e.BucketNotFound: (
        404,
        lambda ctx, error: (
            f'bucket "{_bucket(ctx, error.bucket, error.provider)}" does not exist{_where(error)}'
        ),
    ),
    e.BucketExists: (
        409,
        lambda ctx, error: f'bucket "{_bucket(ctx, error.bucket)}" already exists{_where(error)}',
    ),
    e.BucketNotEmpty: (
        409,
        lambda ctx, error: f'bucket "{_bucket(ctx, error.bucket)}" is not empty',
    ),
    e.ObjectNotFound: (404, _object_missing),
    e.ObjectLocked: (403, lambda ctx, error: f"a version is locked: {error}"),
    e.VersionsKept: (409, _said),
    e.ArchiveError: (400, _said),
    e.MemberNotFound: (404, _said),
    e.UploadNotFound: (404, _said),  # no object's name in it: the SDK would try again and again
    e.InvalidPart: (400, _said),
    e.InvalidPartOrder: (400, _said),
    e.PartTooSmall: (400, _said),
    NodeNotFound: (404, _said),
    JobNotFound: (404, _said),
    e.PreconditionFailed: (412, _said),
    e.CustomerKeyWrong: (403, _said),
    e.KeyRingMissing: (501, _said),
    e.SealingError: (400, _said),
    e.RangeNotSatisfiable: (416, _said),
    e.RemoteBucketNotFound: (404, _said),
    e.RemoteObjectNotFound: (404, _said),
    e.RemoteDenied: (403, _said),
    e.RemoteThrottled: (429, _said),
    e.RemoteRefused: (400, _said),
    e.RemoteLoop: (508, _said),
    e.RemoteError: (503, _said),
    e.BackendDisabled: (400, _said),
    e.ClusterNotAttached: (404, _said),
    e.AmbiguousName: (404, _said),
    e.ColdGetDisabled: (
        403,
        lambda ctx, error: (
            f'object "{_bucket(ctx, error.bucket)}/{error.key}" is not in the cluster,'
            " and fetching it is disabled"
        ),
    ),
    e.InventoryNotFound: (404, _said),
    e.InventoryExists: (409, _said),
    e.InventoryDamaged: (400, _said),
    e.InventoryBusy: (503, _said),
    e.WriteConflict: (409, _said),
    e.OutOfSpace: (507, _said),
    e.ReadOnlyStore: (507, _said),
    e.StoreUnavailable: (503, _said),
    e.BodyCorrupt: (
        500,
        lambda ctx, error: (
            f'object "{_bucket(ctx, error.bucket)}/{error.key}" is damaged:'
            f" its {error.algorithm} is not what it was written with"
        ),
    ),
    e.AisleError: (500, _internal),
}


def said(ctx: Context, error: e.AisleError) -> tuple[int, str]:
    """The status and the text of an error."""
    kind = next(kind for kind in type(error).__mro__ if kind in TABLE)
    status, say = TABLE[kind]
    return status, say(ctx, error)


def tell(ctx: Context, error: e.AisleError) -> Response:
    """The reply that tells an error."""
    status, text = said(ctx, error)
    headers: Headers = []
    if isinstance(error, e.AuthError) and ctx.principal and not ctx.principal.anonymous:
        status = 403  # known, but not allowed
    elif status == 401:
        headers.append((b"www-authenticate", b"AWS4-HMAC-SHA256"))
    if isinstance(error, NoSuchCall) and error.allow:
        status = 405
        headers.append((b"allow", ", ".join(error.allow).encode()))
    if isinstance(error, e.RangeNotSatisfiable):
        headers.append((b"content-range", f"bytes */{error.size}".encode()))
    if status in (429, 503):
        seconds = getattr(error, "retry_after", 1.0)
        headers.append((b"retry-after", str(max(1, math.ceil(seconds))).encode()))
    code = f"Err{type(error).__name__}"
    # ASCII with everything else escaped, so that it may also stand in a header.
    body = json.dumps(
        {
            "status": status,
            "message": text,
            "method": ctx.head.method,
            "url_path": ctx.head.path.decode("latin-1"),
            "remote_addr": ctx.head.client,
            "caller": "",
            "node": "",
            "tcode": code,
        }
    ).encode()
    if ctx.head.method == "HEAD":
        headers.append((b"hdr-error", body))
        return Response(status, headers, error=code)
    headers.append((b"content-type", b"application/json"))
    return Response(status, headers, body, error=code)
