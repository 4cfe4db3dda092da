"""Replies that take long: what writes to a remote bucket may take minutes, and clients give up
waiting for a head sooner.

As Amazon does it, the head goes out as a 200 after `PATIENCE` seconds, and spaces every `EVERY`
until the result is there: the document, or an `Error` in its place, which clients raise.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from contextlib import suppress
from typing import Any, Final

from aisle.api.base import HOST_ID, Context, Response, Service
from aisle.api.s3 import errors
from aisle.api.s3.common import XML, hide
from aisle.api.s3.xml import DECLARATION
from aisle.core.errors import AisleError, ObjectNotFound
from aisle.namespace.store import BucketRow

_log: Final = logging.getLogger("aisle.s3")

PATIENCE: Final = 3.0
EVERY: Final = 5.0


async def answer(
    svc: Service, ctx: Context, bucket: BucketRow, work: Coroutine[Any, Any, Response]
) -> Response:
    """The reply that `work` makes, whose body is a document, in time. For windows alone: nothing
    else waits for others."""
    if bucket.record.behind is None:
        return await work
    task = asyncio.create_task(work)
    try:
        await asyncio.wait({task}, timeout=PATIENCE)
    except asyncio.CancelledError:
        task.cancel()
        raise
    if task.done():
        return task.result()
    response = Response(200, XML)
    response.body = _body(svc, ctx, bucket, task, response)
    return response


async def _body(
    svc: Service, ctx: Context, bucket: BucketRow, task: asyncio.Task[Response], response: Response
) -> AsyncIterator[bytes]:
    declaration = DECLARATION.encode()
    try:
        yield declaration
        while not task.done():
            await asyncio.wait({task}, timeout=EVERY)
            yield b" "
        try:
            result = task.result().body
            assert isinstance(result, bytes)
        except AisleError as error:
            result = await _error(svc, ctx, bucket, error, response)
        except Exception:
            _log.exception("request %s failed behind its head", ctx.request_id)
            result = await _error(svc, ctx, bucket, AisleError("internal error"), response)
        yield result.removeprefix(declaration)
    finally:
        if not task.done():
            task.cancel()
            with suppress(asyncio.CancelledError, AisleError):
                await task


async def _error(
    svc: Service, ctx: Context, bucket: BucketRow, error: AisleError, response: Response
) -> bytes:
    if isinstance(error, ObjectNotFound):
        error = await hide(svc, ctx, bucket, error, ctx.key)
    told = errors.tell(error)
    response.error = told.code
    return errors.render(
        told, resource=ctx.resource, request_id=ctx.request_id, host_id=HOST_ID.decode()
    )
