"""Handlers of what is kept of remote buckets: prefetch-listrange, evict-listrange,
evict-remote-bck and blob-download.

Each checks what it can at once, submits a job, and answers with its id as plain text. Only
evict-remote-bck waits for its job, for a while: clients take its answer for the end of it.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import msgspec

from aisle.api.access import authorise
from aisle.api.base import Context, Response, Service
from aisle.api.native.grants import authorise_selected
from aisle.api.native.message import Message, open_bucket
from aisle.api.native.multi import ListRange, read_value, selected, submit, workers
from aisle.api.native.needs import DELETE_OBJECT, GET_OBJECT
from aisle.api.native.route import Route
from aisle.core.errors import InvalidArgument
from aisle.core.names import encode_key
from aisle.core.units import parse_bool, parse_size
from aisle.jobs.work.prefetch import blob_workers
from aisle.jobs.work.selection import bucket_args
from aisle.namespace.store import BucketRow
from aisle.namespace.window import downloads
from aisle.namespace.window.evict import require_window

# AIStore raises smaller thresholds to this, and takes chunks of these sizes.
LEAST_THRESHOLD: Final = 1 << 20
LEAST_CHUNK: Final = 64 << 10
MOST_CHUNK: Final = 1 << 30
WAIT_SECONDS: Final = 25.0
_LOOK_SECONDS: Final = 0.05


class Prefetching(ListRange, frozen=True, rename="kebab"):
    """The value of prefetch-listrange (AIStore's PrefetchMsg)."""

    latest_ver: bool = False
    blob_threshold: int | str = 0
    num_workers: int | str | None = None
    coer: bool = False
    non_recurs: bool = msgspec.field(default=False, name="non-recurs")


class Blob(msgspec.Struct, frozen=True, rename="kebab"):
    """The value of blob-download (AIStore's BlobMsg)."""

    latest_ver: bool = False
    chunk_size: int | str = 0
    num_workers: int | str | None = None


async def prefetch_listrange(svc: Service, ctx: Context, message: Message) -> Response:
    bucket = await _window(svc, ctx, "prefetch objects of")
    asked = read_value(message.value, Prefetching)
    chosen = selected(asked)
    await authorise_selected(svc, ctx, GET_OBJECT, bucket, asked.names, asked.template)
    threshold = _size("blob-threshold", asked.blob_threshold)
    args: dict[str, Any] = {
        **chosen,
        "latest": asked.latest_ver,
        "blob_threshold": max(threshold, LEAST_THRESHOLD) if threshold else 0,
        "num_workers": workers(asked.num_workers),
        "coer": asked.coer,
        "non_recursive": asked.non_recurs,
        **bucket_args(bucket),
    }
    return await submit(svc, ctx, "prefetch-listrange", args)


async def evict_listrange(svc: Service, ctx: Context, message: Message) -> Response:
    bucket = await _window(svc, ctx, "evict objects from")
    asked = read_value(message.value, ListRange)
    chosen = selected(asked)
    await authorise_selected(svc, ctx, DELETE_OBJECT, bucket, asked.names, asked.template)
    return await submit(svc, ctx, "evict-listrange", {**chosen, **bucket_args(bucket)})


async def evict_remote_bck(svc: Service, ctx: Context, message: Message) -> Response:
    """Drop all that is kept of a remote bucket, and the bucket too unless `keep_bck_md` is true."""
    bucket = await _window(svc, ctx, "evict")
    keeps = _read_flag("keep_bck_md", ctx.head.params.get("keep_bck_md", ""))
    reply = await submit(svc, ctx, "evict-remote-bck", {"keep_md": keeps, **bucket_args(bucket)})
    assert isinstance(reply.body, bytes)
    await _wait(svc, reply.body.decode())
    return reply


async def blob_download(svc: Service, ctx: Context, message: Message) -> Response:
    bucket = await _window(svc, ctx, "download blobs of")
    asked = read_value(message.value, Blob)
    if not message.name:
        raise InvalidArgument("blob-download needs the name of an object: name", name="name")
    encode_key(message.name)
    await authorise(svc, ctx, GET_OBJECT, bucket, message.name)
    size = _size("chunk-size", asked.chunk_size)
    args = {
        "name": message.name,
        "latest": asked.latest_ver,
        "chunk_size": _chunk(size),
        "num_workers": workers(asked.num_workers),
        **bucket_args(bucket),
    }
    return await submit(svc, ctx, "blob-download", args)


async def bring(svc: Service, ctx: Context, bucket: BucketRow, *, latest: bool = False) -> None:
    """Before a GET that asks for it: have the object fetched by several requests at once."""
    if not _read_flag("Ais-Blob-Download", ctx.head.header("ais-blob-download")):
        return
    asked = workers(ctx.head.header("ais-blob-workers"))
    size = _size("Ais-Blob-Chunk", ctx.head.header("ais-blob-chunk"))
    await downloads.fetch(
        svc.store,
        bucket,
        encode_key(ctx.key),
        workers=blob_workers(asked),
        chunk=_chunk(size),
        latest=latest,
    )


async def _window(svc: Service, ctx: Context, what: str) -> BucketRow:
    bucket = await open_bucket(svc, ctx)
    require_window(bucket.record, what)
    return bucket


async def _wait(svc: Service, identity: str) -> None:
    """Until a job is over, or for `WAIT_SECONDS`."""
    for _ in range(round(WAIT_SECONDS / _LOOK_SECONDS)):
        if (await svc.jobs.get(identity)).over:
            return
        await asyncio.sleep(_LOOK_SECONDS)


def _size(name: str, value: int | str) -> int:
    """A size in bytes, as a number or as text. Raises `InvalidArgument`."""
    try:
        size = parse_size(str(value or 0))
    except ValueError as error:
        raise InvalidArgument(f"{name}: {error}", name=name, value=str(value)) from None
    if size < 0:
        raise InvalidArgument(f"{name} cannot be negative", name=name, value=str(value))
    return size


def _chunk(size: int) -> int:
    return min(max(size, LEAST_CHUNK), MOST_CHUNK) if size else 0


def _read_flag(name: str, value: str) -> bool:
    """Whether a flag is set. Raises `InvalidArgument`."""
    try:
        return parse_bool(value) if value else False
    except ValueError as error:
        raise InvalidArgument(f"{name}: {error}", name=name, value=value) from None


_BUCKET: Final = "buckets/B"
ROUTES: Final = (
    Route(
        "POST", _BUCKET, "action", ("prefetch-listrange",), "prefetch-listrange", prefetch_listrange
    ),
    Route("DELETE", _BUCKET, "action", ("evict-listrange",), "evict-listrange", evict_listrange),
    Route("DELETE", _BUCKET, "action", ("evict-remote-bck",), "evict-remote-bck", evict_remote_bck),
    Route("POST", "objects/B", "action", ("blob-download",), "blob-download", blob_download),
)
