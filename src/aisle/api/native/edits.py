"""Handlers of what changes an object but not its bytes: rename, custom metadata; and check-lock."""

from __future__ import annotations

import re
from typing import Final

from aisle.api.access import authorise
from aisle.api.base import Context, Response, Service
from aisle.api.native.message import Message, fields, open_bucket
from aisle.api.native.needs import RENAME_TO
from aisle.api.native.objects import stored_headers
from aisle.api.native.route import Route
from aisle.core.errors import InvalidArgument
from aisle.core.names import encode_key
from aisle.namespace import edits, objects

# A name is the name of a header (of `x-amz-meta-` over S3), and stands before the `=` here.
_CUSTOM_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}")


async def rename_object(svc: Service, ctx: Context, message: Message) -> Response:
    """The `name` of the message is the new one, in the same bucket."""
    bucket = await open_bucket(svc, ctx)
    key = encode_key(ctx.key)
    if not message.name:
        raise InvalidArgument("the message must have the new name: its name field", name="name")
    await authorise(svc, ctx, RENAME_TO, bucket, message.name)
    record = await edits.rename(svc.store, bucket, key, encode_key(message.name))
    return Response(200, stored_headers(record))


async def set_custom(svc: Service, ctx: Context, message: Message) -> Response:
    """Merge custom metadata into an object's; `set-new-custom=true` drops what it had."""
    bucket = await open_bucket(svc, ctx)
    replace = _flag(ctx.head.params.get("set-new-custom", ""))
    values = {}
    for name, text in fields(message.value).items():
        if not isinstance(text, str) or _CUSTOM_NAME.fullmatch(name) is None:
            raise InvalidArgument(
                f'custom metadata "{name}" must be text, named by letters, digits and'
                " !#$%&'*+.^_`|~-",
                name="value",
                value=name,
            )
        values[name] = text
    if not values and not replace:
        raise InvalidArgument("there is nothing to set: name at least one entry", name="value")
    await edits.set_custom(svc.store, bucket, encode_key(ctx.key), values, replace=replace)
    return Response(200)


def _flag(text: str) -> bool:
    """What AIStore takes for true."""
    return text.strip().lower() in ("1", "t", "true", "y", "yes", "on")


async def check_lock(svc: Service, ctx: Context, message: Message) -> Response:
    """A client asks this after a read that timed out: no object here is ever locked for writing,
    since a new version is seen only when it is whole."""
    bucket = await open_bucket(svc, ctx)
    await objects.head(svc.store, bucket, encode_key(ctx.key))
    return Response(200)


ROUTES: Final = (
    Route("POST", "objects/B/K", "action", ("rename",), "rename-object", rename_object),
    Route("PATCH", "objects/B/K", "action", ("", "set-custom"), "set-custom", set_custom),
    Route("POST", "objects/B/K", "action", ("check-lock",), "check-lock", check_lock),
)
