"""What HEAD of an object tells: the properties that are asked for, or all of them.

The SDK since 2.0 names properties (`props=name,size`); without `props` it is the older form, which
answers with everything. The size is the reply's `Content-Length` either way, and `Ais-Present` is
always told. A name that a header cannot carry as it is is left out: whoever asked knows it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aisle.api.base import Context, Headers, Response, Service
from aisle.api.native import peers
from aisle.api.native.headers import (
    DEFAULT_TYPE,
    SECOND,
    checksum_headers,
    custom_headers,
    entity_tag,
    version_headers,
)
from aisle.api.native.message import Message, open_bucket
from aisle.api.native.windows import wants_latest
from aisle.core.dates import http_date
from aisle.core.errors import InvalidArgument, ObjectNotFound
from aisle.core.http import field_value
from aisle.core.names import encode_key
from aisle.namespace import layouts, objects
from aisle.namespace.records import Object
from aisle.namespace.store import BucketRow, store_id
from aisle.namespace.windows import LOOK, How

PROPS: Final = (
    "name",
    "size",
    "version",
    "checksum",
    "atime",
    "copies",
    "ec",
    "custom",
    "location",
    "chunked",
    "last-modified",
    "etag",
)
# Properties of AIStore's listings that its HEAD refuses.
_LISTED: Final = frozenset({"cached", "status"})
# How far to look for an object (AIStore's flt-presence) and whether to tell about it.
_EXISTS, _EXISTS_NO_PROPS, _PRESENT, _PRESENT_NO_PROPS, _IN_CLUSTER, _OUTSIDE = range(6)
_HERE: Final = frozenset({_PRESENT, _PRESENT_NO_PROPS, _IN_CLUSTER})
_NO_PROPS: Final = frozenset({_EXISTS_NO_PROPS, _PRESENT_NO_PROPS})


async def head_object(svc: Service, ctx: Context, message: Message) -> Response:
    params = ctx.head.params
    asked = params.get("props")
    wanted = frozenset(PROPS) if asked is None else parse_props(asked)
    presence = parse_presence(params.get("presence", ""))
    bucket = await open_bucket(svc, ctx, recent=True)
    key = encode_key(ctx.key)
    here = True  # nothing of a native bucket is outside of the cluster
    if bucket.record.behind is not None:
        here = await objects.is_kept(svc.store, bucket, key)
        if not here and presence in _HERE:
            raise ObjectNotFound(bucket.record.name, ctx.key)
    if here and presence == _OUTSIDE:
        raise ObjectNotFound(bucket.record.name, ctx.key)
    how = How(latest=wants_latest(ctx))
    record = await objects.head(svc.store, bucket, key, how)
    headers: Headers = [(b"ais-present", b"true" if here else b"false")]
    if presence not in _NO_PROPS:
        headers += await attribute_headers(svc, bucket, key, record, wanted)
        if asked is None:
            headers += _plain_headers(record) + peers.content_headers(ctx, record)
    return Response(200, headers, b"", record.size)


def parse_props(text: str) -> frozenset[str]:
    """The properties named in `props=`. Raises `InvalidArgument`."""
    names = frozenset(word.strip() for word in text.split(",") if word.strip())
    listed = sorted(names & _LISTED)
    if listed:
        raise InvalidArgument(
            f'"{listed[0]}" is not a property of HEAD: only listings show it',
            name="props",
            value=text,
        )
    unknown = sorted(names.difference(PROPS))
    if unknown:
        raise InvalidArgument(
            f"unknown object properties: {', '.join(unknown)} (known: {', '.join(PROPS)})",
            name="props",
            value=text,
        )
    return names or frozenset({"name", "size"})


def parse_presence(text: str) -> int:
    """AIStore's flt-presence, 0 to 5. Raises `InvalidArgument`."""
    if text in ("", "0"):
        return _EXISTS
    if text not in ("1", "2", "3", "4", "5"):
        raise InvalidArgument("presence is a number from 0 to 5", name="presence", value=text)
    return int(text)


async def attribute_headers(
    svc: Service, bucket: BucketRow, key: bytes, record: Object, wanted: frozenset[str]
) -> Headers:
    """The headers of the wanted properties. There is no erasure coding, and so none of `ec`."""
    told: Mapping[str, Headers] = {
        "name": _names(bucket, key),
        "version": version_headers(record),
        "checksum": checksum_headers(*record.digest),
        "atime": [(b"ais-atime", str(await used(svc, bucket, key, record)).encode())],
        "copies": [(b"ais-mirror-copies", b"1")],
        "custom": custom_headers(record),
        "last-modified": [(b"last-modified", http_date(record.mtime // SECOND))],
        "etag": [(b"etag", entity_tag(record))],
    }
    headers = [header for name in PROPS if name in wanted for header in told.get(name, ())]
    if wanted & {"location", "copies"}:
        headers += await _places(svc, record, wanted)
    if "chunked" in wanted and record.part_count:
        found = await objects.find(svc.store, bucket, key, LOOK)
        largest = max((part.size for part in found.parts), default=0)
        headers.append((b"ais-chunks-count", str(found.record.part_count).encode()))
        headers.append((b"ais-chunks-max-chunk-size", str(largest).encode()))
    return headers


async def used(svc: Service, bucket: BucketRow, key: bytes, record: Object) -> int:
    """When a copy of a remote object was last used; of any other object, when it was written."""
    if bucket.record.behind is None:
        return record.mtime
    when = (await svc.store.atimes.of([bucket.record.id + key]))[0]
    return when or record.mtime


async def _places(svc: Service, record: Object, wanted: frozenset[str]) -> Headers:
    """The node that serves an object, and where the engine below has its first bytes. Those of a
    small object are in the index, which is no such place."""
    extents = await layouts.extents_of(svc.store, record) or ()
    place = ""
    if extents and not extents[0].inline and not extents[0].cold:
        place = await svc.store.blobs.place(extents[0].blob)
    headers = []
    if "location" in wanted:
        target = f"t[t{await node_id(svc)}]"
        headers.append((b"ais-location", field_value(f"{target}:mp[{place}]" if place else target)))
    if "copies" in wanted and place:
        headers.append((b"ais-mirror-paths", field_value(f"[{place}]")))
    return headers


def _names(bucket: BucketRow, key: bytes) -> Headers:
    headers = [
        (b"ais-bucket-name", bucket.record.name.encode()),
        (b"ais-bucket-provider", bucket.record.provider.encode()),
    ]
    if key.isascii() and key.decode().isprintable() and key.strip() == key:
        headers.append((b"ais-name", key))
    return headers


def _plain_headers(record: Object) -> Headers:
    """What HTTP clients read from a HEAD."""
    kind = record.headers.get("content-type", DEFAULT_TYPE)
    return [
        (b"accept-ranges", b"bytes"),
        (b"content-type", kind.encode("latin-1")),
    ]


async def node_id(svc: Service) -> str:
    """This node's id, as the cluster map has it."""
    return svc.node if svc.watch is not None else (await store_id(svc.store.index))[:8]
