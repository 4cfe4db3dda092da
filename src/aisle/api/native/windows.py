"""Buckets with a remote one behind them, as requests name them: found, or added on first use.

An operation that names a remote bucket which is not in the cluster adds it, after a look whether
it is there: for administrators, since the cluster's credentials are used; others hear that there is
no such bucket. A request may say that nothing is to be added (`dont_add_remote_bck_md`, or a list
flag) or that nothing is to be looked up (`dont_head_remote_bck`). What would only take a bucket
away never adds one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from aisle.api.access import authorise, may
from aisle.api.base import Context, Service
from aisle.api.native.needs import ADMIN
from aisle.core.errors import BucketNotFound, InvalidArgument
from aisle.core.names import BucketName
from aisle.core.origins import ORIGINAL_URL, locate
from aisle.core.units import parse_bool
from aisle.namespace import attached, buckets
from aisle.namespace.records import BACKEND_BCK
from aisle.namespace.store import BucketRow
from aisle.namespace.window import adding
from aisle.namespace.window.adding import is_remote

# Query parameters, and the bits of a listing's flags that say the same.
_FREE_TEXT: Final = "extra.custom"
_DONT_LOOK: Final = ("dont_head_remote_bck", 1 << 7)
_DONT_ADD: Final = ("dont_add_remote_bck_md", 1 << 8)
_PRESENT_ONLY: Final = 1 << 6
# AIStore's numbers of what `presence` asks for: in the cluster; anywhere but there.
_PRESENT: Final = ("2", "3", "4")
_OUTSIDE: Final = "5"
_ABSENT_STAYS: Final = frozenset(
    {"destroy-bck", "evict-remote-bck", "evict-listrange", "move-bck", "reset-bprops"}
    | {"show-inventory", "destroy-inventory"}
)
# Where `presence` is about the bucket, and not about the objects of it that are meant.
_OF_PRESENCE: Final = frozenset({"head-bck", "head-bck-info", "head-object"})
# What can be done with a bucket that is not added.
_LOOKS: Final = frozenset({"list", "head-bck"})


class FirstUse(NamedTuple):
    """What a request allows for a remote bucket that is not in the cluster."""

    add: bool = True
    look_up: bool = True
    find: bool = True  # whether it is to be found at all


def first_use(ctx: Context, value: object = None) -> FirstUse:
    """What a request says of it, in its query or in the value of its message. Raises
    `InvalidArgument`."""
    flags = _flags(value) if ctx.operation == "list" else 0
    presence = ctx.head.params.get("presence", "") if ctx.operation in _OF_PRESENCE else ""
    outside = presence == _OUTSIDE
    return FirstUse(
        add=not (_says(ctx, flags, _DONT_ADD) or outside),
        look_up=not _says(ctx, flags, _DONT_LOOK),
        find=presence not in _PRESENT and not flags & _PRESENT_ONLY,
    )


def _flags(value: object) -> int:
    asked = value.get("flags") if isinstance(value, Mapping) else 0
    text = str(asked or 0)
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 20 else 0


def _says(ctx: Context, flags: int, said: tuple[str, int]) -> bool:
    name, bit = said
    asked = ctx.head.params.get(name, "")
    try:
        return bool(flags & bit) or (parse_bool(asked) if asked else False)
    except ValueError:
        raise InvalidArgument(f"{name} is true or false", name=name, value=asked) from None


async def open_named(
    svc: Service,
    ctx: Context,
    name: BucketName,
    *,
    recent: bool = False,
    use: FirstUse | None = None,
) -> BucketRow:
    """The bucket of this name: see `buckets.get`; a remote one is added if it may be. Raises
    `BucketNotFound`, `RemoteError`s, `BackendDisabled`."""
    name = await attached.canonical(svc.store, name)
    props = original_props(ctx, name)
    try:
        row = await buckets.get(svc.store, name, recent=recent)
        check_original(row, props)
        return row
    except BucketNotFound:
        if not is_remote(name) or svc.store.remotes is None:
            raise
        if name.provider == "ht" and not props:
            raise  # a hash alone leads nowhere
        if await svc.store.remotes.idle(svc.store, name.provider):
            raise
        use = use if use is not None else first_use(ctx)
        may_find = use.find and ctx.operation not in _ABSENT_STAYS
        may_show = use.add or ctx.operation in _LOOKS
        if not (may_find and may_show and await may(svc, ctx, ADMIN)):
            raise
    if use.add:
        owner = ctx.who.canonical
        row = await adding.found(svc.store, name, owner=owner, props=props, lookup=use.look_up)
        check_original(row, props)
        return row
    return await _unadded(svc, ctx, name, props, look_up=use.look_up)


def original_props(ctx: Context, name: BucketName) -> dict[str, Any]:
    """What `original_url` says of a bucket of provider `ht`: the address of a file, or of the
    directory that the bucket stands for. Raises `InvalidArgument` unless it fits the names in the
    request."""
    if name.provider != "ht" or not (url := ctx.head.params.get("original_url", "")):
        return {}
    located = locate(url)
    if located.bucket != name.name or located.key != ctx.key:
        raise InvalidArgument(
            f"{url[:200]} is ht://{located.bucket}/{located.key}, not {name}/{ctx.key}",
            name="original_url",
            value=url[:200],
        )
    return {ORIGINAL_URL: located.base}


def check_original(row: BucketRow, props: Mapping[str, Any]) -> None:
    """Raise `InvalidArgument` if a bucket stands for another address than the one asked for: the
    same one by the other scheme, or one with the same hash."""
    here = row.record.props.get(ORIGINAL_URL)
    if props and here != props[ORIGINAL_URL]:
        raise InvalidArgument(
            f"{row.name} stands for {here}", name="original_url", value=props[ORIGINAL_URL]
        )


async def _unadded(
    svc: Service, ctx: Context, name: BucketName, asked: Mapping[str, Any], *, look_up: bool
) -> BucketRow:
    """A remote bucket as a window on it would be, which is not made."""
    if not look_up:
        facts = adding.NO_FACTS
    elif asked:
        facts = await adding.look_up(svc.store, name, asked)
    else:
        facts = await adding.find(svc.store, name)
    props = await adding.whole_props(svc.store, asked, facts, name)
    return buckets.unwritten(name, owner=ctx.who.canonical, props=props)


def is_added(row: BucketRow) -> bool:
    """Whether a bucket that was opened is in the cluster."""
    return row.record.created > 0


async def check_may_turn(
    svc: Service, ctx: Context, old: Mapping[str, Any], new: Mapping[str, Any]
) -> None:
    """Raise `AccessDenied` if props change that only administrators may set: those by which the
    cluster's credentials reach other data."""
    ours = {
        prop
        for prop in {*old, *new} - {_FREE_TEXT}
        if prop.startswith((adding.EXTRA, BACKEND_BCK))
        and (old.get(prop) or "") != (new.get(prop) or "")
    }
    if ours:
        await authorise(svc, ctx, ADMIN)


def wants_latest(ctx: Context) -> bool:
    """Whether a copy of a remote object is to be compared with the remote first. Raises
    `InvalidArgument`."""
    return _is_true(ctx, "latest-ver")


def wants_synchronized(ctx: Context) -> bool:
    """Whether what the remote does not have any more is to go. Raises `InvalidArgument`."""
    return _is_true(ctx, "synchronize")


def _is_true(ctx: Context, name: str) -> bool:
    asked = ctx.head.params.get(name, "")
    try:
        return parse_bool(asked) if asked else False
    except ValueError:
        raise InvalidArgument(f"{name} is true or false", name=name, value=asked) from None
