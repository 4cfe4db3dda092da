"""The buckets of the cluster as one document: AIStore's BMD.

Streamed, for there may be many buckets: first which providers and namespaces there are, then the
buckets of each. It is no snapshot, since rows may change while it is read.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import msgspec

from aisle.api.base import Context, Response, Service
from aisle.api.native import props
from aisle.api.native.message import JSON, Message
from aisle.api.native.nodes import relayed
from aisle.api.native.route import Route
from aisle.core.clusters import split_namespace
from aisle.namespace import buckets
from aisle.namespace.store import BucketRow, store_id

_PAGE: Final = 500


async def get_bmd(svc: Service, ctx: Context, message: Message) -> Response:
    """Every bucket with its props, by provider and namespace. `version` is a digest: it differs
    where the contents do, and does not count."""
    spaces: set[tuple[str, str]] = set()
    digest = hashlib.blake2b(digest_size=7)
    async for row in _rows(svc):
        spaces.add((row.record.provider, row.record.namespace))
        digest.update(row.raw)
    head = {"version": str(int.from_bytes(digest.digest(), "big")), "ext": None}
    head["uuid"] = await store_id(svc.store.index)
    values = (await svc.store.config()).values

    def shown(row: BucketRow) -> dict[str, Any]:
        return props.shown(row.record, values)

    return Response(200, JSON, _document(svc, head, sorted(spaces), shown))


async def _document(
    svc: Service,
    head: dict[str, Any],
    spaces: list[tuple[str, str]],
    shown: Callable[[BucketRow], dict[str, Any]],
) -> AsyncIterator[bytes]:
    encode = msgspec.json.encode
    yield encode(head)[:-1] + b',"providers":{'
    known = ""
    for number, (provider, namespace) in enumerate(spaces):
        if provider != known:
            yield (b"}," if number else b"") + encode(provider) + b":{"
            known = provider
        else:
            yield b","
        yield encode("@{}#{}".format(*split_namespace(namespace))) + b":{"
        comma = b""
        async for row in _rows(svc):
            if (row.record.provider, row.record.namespace) == (provider, namespace):
                yield comma + encode(row.record.name) + b":" + encode(shown(row))
                comma = b","
        yield b"}"
    yield b"}}}" if spaces else b"}}"


async def _rows(svc: Service) -> AsyncIterator[BucketRow]:
    after = b""
    while rows := await buckets.list_all(svc.store, after=after, limit=_PAGE):
        after = rows[-1].key
        for row in rows:
            yield row


ROUTES: Final = (
    Route("GET", "daemon", "what", ("bmd",), "get-bmd", get_bmd),
    Route("GET", "cluster", "what", ("bmd",), "get-bmd", get_bmd),
    Route("GET", "reverse/daemon", "what", ("bmd",), "get-bmd", relayed(get_bmd)),
)
