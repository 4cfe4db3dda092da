"""Handlers of other clusters: attach-remote, detach-remote, list-remote.

What is to be attached comes in one of three forms: the headers that AIStore's Go API sends, the
query `?ALIAS=URL` of its former ones, or a JSON object of aliases and URLs. Every address has to
answer when it is attached: what is kept is the uuid of the cluster behind it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from aisle.api.base import Context, Response, Service
from aisle.api.native.message import JSON, Message, read_body
from aisle.api.native.route import Route
from aisle.backend.base import ClusterSeen
from aisle.core import clusters
from aisle.core.clusters import Attached
from aisle.core.errors import AisleError, InvalidArgument, InvalidRequest, RemoteError
from aisle.namespace import attached
from aisle.namespace.window.adding import remotes_of

ALIAS_HEADER: Final = "ais-remote-ais-alias"
URL_HEADER: Final = "ais-remote-ais-url"
# Parameters of the query that are no aliases.
_OTHERS: Final = frozenset({"what", "force"})
_SECONDS: Final = 5.0  # for a cluster to say that it is there
_GATEWAYS: Final = 4  # of one that are asked for that


async def attach_remote(svc: Service, ctx: Context, message: Message) -> Response:
    """Attach other clusters by alias and URL, or give those that are attached more URLs."""
    asked = _named(ctx) or _in_body(await read_body(ctx))
    if not asked:
        raise InvalidArgument("name what to attach: ALIAS=URL", name="alias")
    for alias, urls in asked.items():
        clusters.check_alias(alias)
        checked = [clusters.check_url(url) for url in urls]
        try:
            seen = await remotes_of(svc.store).look(svc.store, alias, checked)
        except RemoteError as error:
            raise InvalidRequest(f'cluster "{alias}" cannot be attached: {error}') from None
        await attached.attach(svc.store, Attached(alias, seen.uuid, tuple(checked)))
    return Response(200)


async def detach_remote(svc: Service, ctx: Context, message: Message) -> Response:
    """Forget another cluster, by its alias or uuid. Windows on it stay, with what is cached."""
    named = ctx.head.header(ALIAS_HEADER)
    params = ctx.head.params
    names = [named] if named else [params["alias"]] if params.get("alias") else []
    names = names or [name for name in params if not _is_other(name)]
    names = names or list(_in_body(await read_body(ctx)))
    if not names:
        raise InvalidArgument("name the cluster to detach by its alias", name="alias")
    for name in names:
        await attached.detach(svc.store, name)
    return Response(200)


def _is_other(name: str) -> bool:
    return name in _OTHERS or name.startswith("X-Amz-")


def _named(ctx: Context) -> dict[str, list[str]]:
    """What the headers name, or the query."""
    head = ctx.head
    alias = head.header(ALIAS_HEADER)
    if alias:
        return {alias: _urls(head.header(URL_HEADER))}
    if head.params.get("alias") and "url" in head.params:
        return {head.params["alias"]: _urls(head.params["url"])}
    found: dict[str, list[str]] = {}
    for name, value in head.pairs:
        if not _is_other(name):
            found.setdefault(name, []).extend(_urls(value))
    return found


def _in_body(raw: bytes) -> dict[str, list[str]]:
    """The same in a body: `{ALIAS: URL}`, or a message that has that as its value; of several URLs
    there is a list."""
    if not raw.strip():
        return {}
    try:
        given = json.loads(raw)
    except (ValueError, RecursionError):
        given = None
    value: Any = given.get("value") if isinstance(given, dict) and "action" in given else given
    if not isinstance(value, Mapping):
        raise InvalidRequest("the body is not a JSON object of aliases and URLs")
    found: dict[str, list[str]] = {}
    for alias, urls in value.items():
        listed = [urls] if isinstance(urls, str) else urls
        if not isinstance(listed, list) or not all(isinstance(url, str) for url in listed):
            raise InvalidArgument(f'the URLs of "{alias}" are not text', name="value")
        found[alias] = listed
    return found


def _urls(text: str) -> list[str]:
    urls = [word.strip() for word in text.split(",") if word.strip()]
    if not urls:
        raise InvalidArgument("the address of a cluster is missing: ALIAS=URL", name="url")
    return urls


async def list_remote(svc: Service, ctx: Context, message: Message) -> Response:
    """The clusters that are attached, and the map of each that answers now."""
    known = await attached.list_all(svc.store)
    shown = await asyncio.gather(*(_shown(svc, one) for one in known))
    version = svc.store.cluster_config.version
    return Response(200, JSON, msgspec.json.encode({"a": shown, "ver": version}))


async def _shown(svc: Service, known: Attached) -> dict[str, Any]:
    """AIStore's `RemAis`. One that does not answer has no map."""
    asked = [_seen(svc, known, url) for url in known.urls[:_GATEWAYS]]
    seen = next((one for one in await asyncio.gather(*asked) if one is not None), None)
    return {
        "alias": known.alias,
        "uuid": known.uuid,
        "url": seen.url if seen is not None else known.urls[0],
        "smap": seen.map if seen is not None else None,
        "online": seen is not None,
    }


async def _seen(svc: Service, known: Attached, url: str) -> ClusterSeen | None:
    """What answers at an address, if that is the cluster."""
    try:
        async with asyncio.timeout(_SECONDS):
            seen = await remotes_of(svc.store).look(svc.store, known.alias, [url])
    except (AisleError, TimeoutError):
        return None
    return seen if seen.uuid == known.uuid else None


ROUTES: Final = (
    Route("GET", "cluster", "what", ("remote",), "list-remote", list_remote),
    Route("PUT", "cluster/attach", "", (), "attach-remote", attach_remote),
    Route("PUT", "cluster/detach", "", (), "detach-remote", detach_remote),
)
