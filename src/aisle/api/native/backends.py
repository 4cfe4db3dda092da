"""Handlers of backends, the providers of remote buckets: which are enabled, and switching them.

A backend is on unless it was switched off. One that was switched on by name also serves S3 clients,
who name no provider, without a sign of it in a node's environment. Both are settings of the
cluster, which every gateway follows.
"""

from __future__ import annotations

from typing import Final

import msgspec

from aisle.api.base import Context, Response, Service
from aisle.api.native.message import JSON, Message, parse_provider
from aisle.api.native.route import Route
from aisle.core.errors import InvalidArgument
from aisle.namespace import configuration
from aisle.namespace.configuration import BACKENDS, DISABLED, ENABLED
from aisle.namespace.window.adding import remotes_of


async def list_backends(svc: Service, ctx: Context, message: Message) -> Response:
    """The backends that are enabled, by AIStore's words."""
    remotes = svc.store.remotes
    names = await remotes.enabled(svc.store) if remotes is not None else []
    return Response(200, JSON, msgspec.json.encode(names))


async def enable_backend(svc: Service, ctx: Context, message: Message) -> Response:
    """Switch a backend on, everywhere within a second."""
    return await _switch(svc, ctx.key, ENABLED)


async def disable_backend(svc: Service, ctx: Context, message: Message) -> Response:
    """Switch a backend off: requests for its buckets are refused, also for what is cached."""
    return await _switch(svc, ctx.key, DISABLED)


async def _switch(svc: Service, named: str, value: str) -> Response:
    name = parse_provider(named)
    known = remotes_of(svc.store).known
    if name not in known:
        raise InvalidArgument(
            f'there is no backend "{named}" here (there are: {", ".join(known)})', name="backend"
        )
    await configuration.change_backends(
        svc.store.index, lambda _: {BACKENDS + name: value}, lambda _: (), now=svc.store.now()
    )
    svc.store.forget_config()
    await svc.store.config()  # what is cached goes by the settings as they were last read
    return Response(200)


ROUTES: Final = (
    Route("GET", "cluster", "what", ("backends",), "list-backends", list_backends),
    Route("PUT", "cluster/enable-bend/N", "", (), "enable-backend", enable_backend),
    Route("PUT", "cluster/disable-bend/N", "", (), "disable-backend", disable_backend),
)
