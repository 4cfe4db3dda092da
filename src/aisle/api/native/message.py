"""What native requests say in their bodies and queries: action messages, providers, buckets.

An action message is AIStore's `{"action": ..., "name": ..., "value": ...}`; GET, HEAD and DELETE
may carry one too. Read only after the sender is known: a body is never taken in before that.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeVar

import msgspec

from aisle.api.base import Context, Headers, Response, Service, read_all
from aisle.api.native import windows
from aisle.auth.payload import PayloadKind
from aisle.core.clusters import join_namespace
from aisle.core.errors import (
    DigestMismatch,
    EntityTooLarge,
    InvalidArgument,
    InvalidRequest,
    NotSupported,
)
from aisle.core.names import BucketName, check_native_bucket_name
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
    "ht": "ht",
    "http": "ht",
    "https": "ht",
    "oci": "oci",
    "oc": "oci",
}
_GLOBAL: Final = frozenset({"", "@#"})  # the namespace that is none
_NAMESPACE: Final = re.compile(r"[A-Za-z0-9_-]{1,32}")
_CLUSTER: Final = re.compile(r"@[A-Za-z0-9_-]{1,64}")


class Message(msgspec.Struct, frozen=True):
    """An action message; empty where a request has none."""

    action: str = ""
    name: str = ""
    value: Any = None


S = TypeVar("S", bound=msgspec.Struct)


class Secretive(msgspec.Struct, frozen=True):
    """The base of what has a password, a key or a token in it: `repr` tells nothing."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


NativeHandler = Callable[[Service, Context, Message], Awaitable[Response]]

EMPTY: Final = Message()
_DECODER: Final = msgspec.json.Decoder(Message)


async def read_body(ctx: Context, limit: int = MESSAGE_LIMIT) -> bytes:
    """A request's body, which must be small, held to its signed digest."""
    payload = ctx.known_payload
    if payload.kind is PayloadKind.CHUNKED:
        raise NotSupported("aws-chunked bodies belong to the S3 API")
    data = await read_all(ctx.body, limit)
    if data is None:
        raise EntityTooLarge(limit + 1, limit)
    if payload.kind is PayloadKind.DIGEST:
        computed = hashlib.sha256(data).hexdigest()
        if computed != payload.sha256:
            raise DigestMismatch("x-amz-content-sha256", expected=payload.sha256, computed=computed)
    return data


async def read_message(ctx: Context) -> Message:
    """The action message in a request's body."""
    data = await read_body(ctx)
    if not data.strip():
        return EMPTY
    try:
        return _DECODER.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise InvalidRequest(
            'the body is not a JSON message {"action": ..., "name": ..., "value": ...}'
        ) from None


async def read_struct(ctx: Context, kind: type[S], limit: int = MESSAGE_LIMIT) -> S:
    """A request's body that is a JSON object of its own, and no action message. What is wrong with
    it is told without its values, which may be secrets. Raises `InvalidRequest`."""
    try:
        return msgspec.json.decode(await read_body(ctx, limit), type=kind)
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"the body of the request: {error}") from None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise InvalidRequest("the body of the request is not a JSON object") from None


def fields(value: object) -> Mapping[str, Any]:
    """The value of a message that must be an object; none is an empty one."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InvalidArgument("the value of the message must be an object", name="value")
    return value


def filled(value: object) -> dict[str, Any]:
    """The same without the entries that are null, which say as much as absent ones."""
    return {name: entry for name, entry in fields(value).items() if entry is not None}


def parse_provider(text: str) -> str:
    """The one name of a provider. Raises `InvalidArgument`."""
    known = PROVIDERS.get(text)
    if known is None:
        raise InvalidArgument(f'invalid backend provider "{text}"', name="provider", value=text)
    return known


def parse_namespace(text: str) -> str:
    """AIStore's `@uuid#name` as rows have it; `""` is the global namespace. The uuid may be an
    alias still: see `attached.canonical`. Raises `InvalidArgument`."""
    if text in _GLOBAL:
        return ""
    uuid, separator, name = text.partition("#")
    uuid = "" if separator and uuid == "@" else uuid
    named = not separator or _NAMESPACE.fullmatch(name) or (uuid and not name)
    if not (uuid or separator) or not named or (uuid and not _CLUSTER.fullmatch(uuid)):
        raise InvalidArgument(
            f'invalid namespace "{text}": it is written #name, with letters, digits, dashes and'
            " underscores, 32 at most, and @cluster before that for one of another cluster",
            name="namespace",
            value=text,
        )
    return join_namespace(uuid.removeprefix("@"), name)


def parse_bucket(text: str) -> BucketName:
    """The bucket in AIStore's `provider/@uuid#namespace/name/`, which is how `bck_to` names one.

    Raises `InvalidArgument` and `InvalidName`.
    """
    parts = text.removesuffix("/").split("/")
    if len(parts) != 3:
        raise InvalidArgument(
            f'"{text}" does not name a bucket as provider/@#/name/', name="bck_to", value=text
        )
    check_native_bucket_name(parts[2])
    return BucketName(parts[2], parse_provider(parts[0]), parse_namespace(parts[1]))


def provider(ctx: Context, default: str = "ais") -> str:
    """The provider that the query names, by its one name. Raises `InvalidArgument`."""
    asked = ctx.head.params.get("provider", "")
    return parse_provider(asked) if asked else default


def bucket_name(ctx: Context) -> BucketName:
    """The bucket that a request names. Raises what `parse_bucket` does."""
    check_native_bucket_name(ctx.bucket)
    space = ctx.head.params.get("namespace", "")
    return BucketName(ctx.bucket, provider(ctx), parse_namespace(space))


def parse_uname(text: str) -> tuple[BucketName, str]:
    """The bucket and the key (`""` for none) in `provider/@uuid#namespace/name/key`, which is how
    `object_to` names an object. Raises what `parse_bucket` does."""
    parts = text.split("/", 3)
    return parse_bucket("/".join(parts[:3])), "".join(parts[3:])


def named_bucket(value: object, name: str) -> BucketName:
    """The bucket that a field of a message names: `{"name", "provider", "namespace"}`, where the
    latter two may be absent. Raises what `parse_bucket` does."""
    if not isinstance(value, Mapping) or not isinstance(value.get("name"), str):
        raise InvalidArgument(f"{name} does not name a bucket", name=name)
    check_native_bucket_name(value["name"])
    space = value.get("namespace") or {}
    if not isinstance(space, Mapping):
        raise InvalidArgument(f"{name}: the namespace is not an object", name=name)
    return BucketName(
        value["name"],
        parse_provider(str(value.get("provider") or "ais")),
        parse_namespace(f"@{space.get('uuid') or ''}#{space.get('name') or ''}"),
    )


async def open_bucket(
    svc: Service, ctx: Context, *, recent: bool = False, value: object = None
) -> BucketRow:
    """The bucket that a request is for: see `windows.open_named`; the one that was looked at when
    the request was authorised, if one was. Raises `BucketNotFound`, `RemoteError`s."""
    if ctx.row is None:
        use = windows.first_use(ctx, value)
        ctx.row = await windows.open_named(svc, ctx, bucket_name(ctx), recent=recent, use=use)
    return ctx.row
