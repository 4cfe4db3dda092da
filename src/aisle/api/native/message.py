"""What native requests say in their bodies and queries: action messages, providers, buckets.

An action message is AIStore's `{"action": ..., "name": ..., "value": ...}`; GET, HEAD and DELETE
may carry one too. Read only after the sender is known: a body is never taken in before that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import msgspec

from aisle.api.base import Context, Headers, Response, Service, read_all
from aisle.auth.payload import PayloadKind
from aisle.core.errors import (
    BucketNotFound,
    DigestMismatch,
    EntityTooLarge,
    InvalidArgument,
    InvalidRequest,
    NotSupported,
)
from aisle.core.names import BucketName, check_native_bucket_name
from aisle.namespace import buckets
from aisle.namespace.store import BucketRow

JSON: Final[Headers] = [(b"content-type", b"application/json")]
MESSAGE_LIMIT: Final = 1 << 20
# Providers by every name that AIStore accepts for them.
PROVIDERS: Final[Mapping[str, str]] = {
    "ais": "ais",
    "aws": "aws",
    "s3": "aws",
    "gcp": "gcp",
    "gs": "gcp",
    "azure": "azure",
    "az": "azure",
    "oci": "oci",
    "oc": "oci",
}
_GLOBAL: Final = frozenset({"", "@#"})  # the namespace that is none


class Message(msgspec.Struct, frozen=True):
    """An action message; empty where a request has none."""

    action: str = ""
    name: str = ""
    value: Any = None


NativeHandler = Callable[[Service, Context, Message], Awaitable[Response]]

EMPTY: Final = Message()
_DECODER: Final = msgspec.json.Decoder(Message)


async def read_message(ctx: Context) -> Message:
    """The action message in a request's body, held to its signed digest."""
    payload = ctx.known_payload
    if payload.kind is PayloadKind.CHUNKED:
        raise NotSupported("aws-chunked bodies belong to the S3 API")
    data = await read_all(ctx.body, MESSAGE_LIMIT)
    if data is None:
        raise EntityTooLarge(MESSAGE_LIMIT + 1, MESSAGE_LIMIT)
    if payload.kind is PayloadKind.DIGEST:
        computed = hashlib.sha256(data).hexdigest()
        if computed != payload.sha256:
            raise DigestMismatch("x-amz-content-sha256", expected=payload.sha256, computed=computed)
    if not data.strip():
        return EMPTY
    try:
        return _DECODER.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise InvalidRequest(
            'the body is not a JSON message {"action": ..., "name": ..., "value": ...}'
        ) from None


def fields(value: object) -> Mapping[str, Any]:
    """The value of a message that must be an object; none is an empty one."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InvalidArgument("the value of the message must be an object", name="value")
    return value


def provider(ctx: Context, default: str = "ais") -> str:
    """The provider that the query names, by its one name. Raises `InvalidArgument`."""
    asked = ctx.head.params.get("provider", "")
    if not asked:
        return default
    known = PROVIDERS.get(asked)
    if known is None:
        raise InvalidArgument(f'invalid backend provider "{asked}"', name="provider", value=asked)
    return known


def bucket_name(ctx: Context) -> BucketName:
    """The bucket that a request names. Raises `InvalidName` and `InvalidArgument`."""
    check_native_bucket_name(ctx.bucket)
    space = ctx.head.params.get("namespace", "")
    return BucketName(ctx.bucket, provider(ctx), "" if space in _GLOBAL else space)


async def open_bucket(svc: Service, ctx: Context, *, recent: bool = False) -> BucketRow:
    """The bucket that a request is for: see `buckets.get`. Raises `BucketNotFound`."""
    name = bucket_name(ctx)
    if name.namespace:  # namespaces cannot be created yet
        raise BucketNotFound(name.name)
    return await buckets.get(svc.store, name, recent=recent)
