"""Windows come and change: looking remote buckets up, adding them, attaching and detaching them.

A remote bucket is looked up before a window on it is made, unless the caller says not to; that
there is none is remembered for a while (`registry.Absent`), so that a client which tries a wrong
name again and again does not make the cluster do so. What the look-up tells is kept with the
window.

Props that tell which data is meant (`names_data`) are changed together with the bucket's identity,
once all copies are dropped: nothing of the old data is ever taken for the new one's, whatever was
under way. A window of a provider's keeps its name, so it is never renamed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

import msgspec

from aisle.backend.base import RemoteFacts
from aisle.core import settings
from aisle.core.errors import (
    BucketExists,
    BucketNotEmpty,
    BucketNotFound,
    InvalidRequest,
    NotSupported,
    RemoteBucketNotFound,
    WriteConflict,
)
from aisle.core.names import BucketName, parse_bucket_name
from aisle.namespace import buckets, uploads
from aisle.namespace.destroy import empty
from aisle.namespace.records import BACKEND_BCK
from aisle.namespace.store import RETRIES, BucketRow, Store
from aisle.namespace.window.registry import Remotes

EXTRA: Final = "extra."
NO_FACTS: Final = RemoteFacts()
_REMOTE_ONLY: Final = (EXTRA, "lru.enabled", "versioning.")
# Extra props that change how a bucket is reached, but not which one it is.
_MANNERS: Final = frozenset(
    {
        "extra.aws.cloud_region",
        "extra.aws.max_pagesize",
        "extra.aws.multipart_size",
        "extra.gcp.application_creds",
        "extra.oci.region",
        "extra.custom",
    }
)


def names_data(prop: str) -> bool:
    """Whether a prop tells which remote data a window shows."""
    return prop == BACKEND_BCK or (prop.startswith(EXTRA) and prop not in _MANNERS)


def is_remote(name: BucketName) -> bool:
    """Whether a bucket of this name lives elsewhere."""
    return name.provider != "ais" or name.namespace.startswith("@")


def remotes_of(store: Store) -> Remotes:
    """Raises `NotSupported` in a process that can reach no remote bucket."""
    if store.remotes is None:
        raise NotSupported("remote buckets cannot be reached from this process")
    return store.remotes


async def look_up(
    store: Store, name: BucketName, props: Mapping[str, Any] | None = None
) -> RemoteFacts:
    """What a remote bucket is like. Raises `RemoteError`s, `BackendDisabled`, `InvalidArgument`."""
    backend = await remotes_of(store).trial(store, name, props or {})
    try:
        return await backend.facts()
    finally:
        await backend.close()


async def find(store: Store, name: BucketName) -> RemoteFacts:
    """The same by the cluster's settings alone; an answer that there is none serves for a while."""
    absent = remotes_of(store).absent
    if name in absent:
        raise RemoteBucketNotFound(str(name), "there is no such bucket")
    try:
        return await look_up(store, name)
    except RemoteBucketNotFound:
        absent.add(name)
        raise


async def add(
    store: Store,
    name: BucketName,
    *,
    owner: str,
    props: Mapping[str, Any] | None = None,
    lookup: bool = True,
) -> BucketRow:
    """Make a window on the remote bucket of that name, or on the one that `props` name behind it.
    Raises `BucketExists`, and with `lookup` what `look_up` does."""
    given = props or {}
    named = given.get(BACKEND_BCK)
    behind = parse_bucket_name(named) if named else name
    facts = await look_up(store, behind, given) if lookup else NO_FACTS
    return await _made(store, name, owner, given, facts, behind)


async def found(
    store: Store,
    name: BucketName,
    *,
    owner: str,
    props: Mapping[str, Any] | None = None,
    lookup: bool = True,
) -> BucketRow:
    """The window on a remote bucket that is used for the first time, with these props if one is
    made. Raises what `find` and `look_up` do."""
    remotes = remotes_of(store)
    lock = remotes.added.setdefault(name, asyncio.Lock())
    async with lock:  # of many who come at once, one looks
        with suppress(BucketNotFound):
            return await buckets.get(store, name)
        facts = NO_FACTS
        if lookup:
            facts = await (look_up(store, name, props) if props else find(store, name))
        with suppress(BucketExists):  # else another process was faster
            return await _made(store, name, owner, props or {}, facts, name)
    return await buckets.get(store, name)


async def _made(
    store: Store,
    name: BucketName,
    owner: str,
    props: Mapping[str, Any],
    facts: RemoteFacts,
    behind: BucketName,
) -> BucketRow:
    values = await whole_props(store, props, facts, behind)
    row = await buckets.create(store, name, owner=owner, props=values, location=facts.region)
    remotes_of(store).absent.discard(behind)
    return row


async def whole_props(
    store: Store, asked: Mapping[str, Any], facts: RemoteFacts, behind: BucketName
) -> dict[str, Any]:
    """The props of a new window: the cluster's defaults, what the remote says, what was asked."""
    values: dict[str, Any] = settings.bucket_defaults((await store.config()).values, remote=True)
    return {**values, **told(facts, behind), **asked}


def told(facts: RemoteFacts, behind: BucketName) -> dict[str, Any]:
    """The props that a look-up gives."""
    props: dict[str, Any] = {"versioning.enabled": facts.versioned}
    if facts.region and behind.provider == "aws":
        props["extra.aws.cloud_region"] = facts.region
    return props


async def own_props(store: Store, row: BucketRow) -> dict[str, Any]:
    """The props of a bucket for one that has no remote bucket behind it."""
    if row.record.behind is None:
        return row.record.props
    defaults = settings.bucket_defaults((await store.config()).values)
    return {
        name: row.record.props.get(name, value) if not name.startswith(_REMOTE_ONLY) else value
        for name, value in defaults.items()
    }


async def changed(
    store: Store, row: BucketRow, values: Mapping[str, Any], behind: str | None
) -> BucketRow:
    """Change props of a bucket (flat names, already validated), and the bucket behind it: `""` for
    none, `None` for the one that is there. What is then behind it is looked up first. Raises
    `InvalidRequest`, and what `look_up` and `turn` do."""
    new = {**row.record.props, **values}
    if behind is not None:
        new[BACKEND_BCK] = behind
    if not new.get(BACKEND_BCK):
        new.pop(BACKEND_BCK, None)
    turned = {
        prop
        for prop in {*row.record.props, *new}
        if names_data(prop) and row.record.props.get(prop) != new.get(prop)
    }
    was = row.record.behind
    record = msgspec.structs.replace(row.record, props=new)
    if not turned or (was is None and record.behind is None):
        return await buckets.change_props(store, row.name, values)
    if record.behind is None:
        return await turn(store, row, {**new, "lru.enabled": False}, location="")
    if BACKEND_BCK in turned:
        check_attachable(row.name, record.behind)
    facts = await look_up(store, record.behind, new)
    if was is None:
        default = settings.bucket_defaults((await store.config()).values, remote=True)
        new["lru.enabled"] = values.get("lru.enabled", default["lru.enabled"])
    props = {**new, **told(facts, record.behind), **values}
    return await turn(store, row, props, location=facts.region)


def check_attachable(name: BucketName, behind: BucketName) -> None:
    """Raise `InvalidRequest` if one bucket cannot stand behind the other."""
    if is_remote(name):
        raise InvalidRequest(f"{name} is a remote bucket itself: no other one can be behind it")
    if not is_remote(behind):
        raise InvalidRequest(
            f"{behind} is no remote bucket: only one can be behind {name}, and no window"
        )


async def turn(
    store: Store, row: BucketRow, props: Mapping[str, Any], *, location: str
) -> BucketRow:
    """Give a bucket props that make it show other data: its copies go, and what was begun in it
    comes to nothing. Raises `InvalidRequest` for a bucket with objects of its own,
    `BucketNotFound`, `WriteConflict`."""
    behind = row.record.behind
    for _ in range(RETRIES):
        if behind is not None:
            await empty(store, row)
        try:
            new = await buckets.reborn(
                store, row.name, props, location=location, identity=row.record.id
            )
        except BucketNotEmpty:
            if behind is None:
                raise InvalidRequest(
                    f"{row.name} has objects of its own: a remote bucket can only be attached to"
                    " an empty one"
                ) from None
            row = await buckets.refresh(store, row)
            continue
        await uploads.discard_all(store, row.record.id)
        return new
    raise WriteConflict(f"{row.name} is being used too much to be changed")
