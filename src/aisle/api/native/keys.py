"""Handlers of users' access keys. AIStore has none of it; the JSON, as `ais auth` relies on it:

* GET `/v1/users/U/keys`: `{"keys": [KEY]}`, the oldest first, where KEY is `{"access_key": TEXT,
  "user": NAME, "active": BOOL, "created": NS, "last_used": NS}`; times are nanoseconds since 1970,
  `last_used` 0 for never.
* POST `/v1/users/U/keys` with `{}`, or `{"access_key": TEXT, "secret_key": TEXT}` to bring a key
  along: the new KEY, with its `"secret_key"`, which is never told again.
* PUT `/v1/users/U/keys/K` with `{"active": BOOL}`; DELETE `/v1/users/U/keys/K`: no body.

Users look after keys of their own; sessions, which may be limited, only look at them.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from aisle.api.base import Context, Response, Service
from aisle.api.native.grants import is_self, themselves
from aisle.api.native.message import JSON, Message, Secretive, read_struct
from aisle.api.native.route import Route
from aisle.namespace.records import AccessKey
from aisle.namespace.store import Store
from aisle.namespace.users import keys


class Brought(Secretive, frozen=True):
    """A key to be made: a generated one, unless it is brought along."""

    access_key: str | None = None
    secret_key: str | None = None


class Switched(msgspec.Struct, frozen=True):
    """Whether a key is to be good."""

    active: bool


async def list_keys(svc: Service, ctx: Context, message: Message) -> Response:
    """The access keys of a user, without their secrets."""
    await is_self(svc, ctx, ctx.key)
    return Response(200, JSON, msgspec.json.encode({"keys": await shown(svc.store, ctx.key)}))


async def create_key(svc: Service, ctx: Context, message: Message) -> Response:
    """Give a user an access key; the secret is told this once."""
    await themselves(svc, ctx, ctx.key)
    given = await read_struct(ctx, Brought)
    made = await keys.create(
        svc.store,
        ctx.key,
        access_key=given.access_key or "",
        secret_key=given.secret_key or "",
    )
    ctx.key = f"{made.user}/{made.access_key}"
    told = {**_shown(made, 0), "secret_key": made.secret_key}
    return Response(200, [*JSON, (b"cache-control", b"no-store")], msgspec.json.encode(told))


async def update_key(svc: Service, ctx: Context, message: Message) -> Response:
    """Switch an access key on or off."""
    user, _, access_key = ctx.key.partition("/")
    await themselves(svc, ctx, user)
    given = await read_struct(ctx, Switched)
    await keys.set_active(svc.store, user, access_key, given.active)
    return Response(200)


async def delete_key(svc: Service, ctx: Context, message: Message) -> Response:
    """Delete an access key."""
    user, _, access_key = ctx.key.partition("/")
    await themselves(svc, ctx, user)
    await keys.delete(svc.store, user, access_key)
    return Response(200)


async def shown(store: Store, user: str) -> list[dict[str, Any]]:
    """The keys of a user as JSON. Raises `UserNotFound`."""
    found = await keys.of_user(store, user)
    used = await keys.last_used(store, [key.access_key for key in found])
    return [_shown(key, last) for key, last in zip(found, used, strict=True)]


def _shown(key: AccessKey, last_used: int) -> dict[str, Any]:
    return {
        "access_key": key.access_key,
        "user": key.user,
        "active": key.active,
        "created": key.created,
        "last_used": last_used,
    }


ROUTES: Final = (
    Route("GET", "users/N/keys", "", (), "list-keys", list_keys),
    Route("POST", "users/N/keys", "", (), "create-key", create_key),
    Route("PUT", "users/N/keys/A", "", (), "update-key", update_key),
    Route("DELETE", "users/N/keys/A", "", (), "delete-key", delete_key),
)
