"""Who sent a request: the one place that picks the kind of its signature.

`authenticate` turns a request head into who sent it and how its body is guarded, or raises. It
reads no clock, no store and no body. A request without credentials is anonymous; one with any
trace of them must be right in every respect, and must have them in one place only. What a right
signature is, `sigv4` and `sigv2` know.
"""

from __future__ import annotations

from aisle.auth import sigv2, sigv4
from aisle.auth.credentials import Authenticated, Lookup
from aisle.auth.payload import anonymous_payload
from aisle.auth.principal import ANONYMOUS
from aisle.core.errors import InvalidArgument, NotSupported
from aisle.core.http import RequestHead
from aisle.core.sigv4 import SERVICE


def authenticate(
    head: RequestHead,
    lookup: Lookup,
    *,
    now: float,
    target: tuple[str, str] | None = None,
    service: str = SERVICE,
    digest: str = "",
) -> Authenticated:
    """Identify the sender of `head`; `now` is in seconds since 1970.

    `target` is the bucket and key that the caller will act on, percent-encoded as received, `""`
    for what is not named, from wherever they came: host or path. A version 2 signature is over
    them and not over the host, so without `target` it cannot be checked and is refused.

    `service` is the one that the request is for; others than S3 give the `digest` of its body.

    Raises `InvalidAccessKey`, `SignatureMismatch`, `MalformedCredentials`, `RequestExpired`,
    `ClockSkewTooLarge`, `AccessDenied` (unsigned headers, wrong session token), `InvalidRequest`,
    `InvalidArgument`, or `NotSupported` (other kinds of signature).
    """
    authorization = head.headers.get("authorization")
    params = head.params
    presigned = not sigv4.MARKS.isdisjoint(params)
    presigned_v2 = not sigv2.MARKS.isdisjoint(params)
    if (authorization is not None) + presigned + presigned_v2 > 1:
        raise InvalidArgument("Only one auth mechanism allowed", name="Authorization")
    if authorization is None and not presigned and not presigned_v2:
        return Authenticated(ANONYMOUS, anonymous_payload(head), head)
    if "authorization" in head.repeated:
        raise InvalidArgument("Only one auth mechanism allowed", name="Authorization")
    if presigned:
        return sigv4.check_query(head, lookup, now, service=service, digest=digest)
    if authorization is not None and not sigv2.is_mine(authorization):
        return sigv4.check_header(head, authorization, lookup, now, service=service, digest=digest)
    if target is None:
        raise NotSupported("signature version 2 is not supported here, use AWS4-HMAC-SHA256")
    if authorization is not None:
        return sigv2.check_header(head, authorization, lookup, now, target)
    return sigv2.check_query(head, lookup, now, target)
