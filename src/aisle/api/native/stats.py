"""The counters of the node that is asked, as Prometheus reads them.

Served at `/v1/metrics` and at `/metrics`. Counters carry AIStore's names with underscores, and the
id of the node as a label.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from aisle.api.base import Context, Headers, Response, Service
from aisle.api.native import smap
from aisle.api.native.message import Message
from aisle.api.native.nodes import capacity
from aisle.api.native.route import Route
from aisle.core.counters import EVENTS, FAMILIES
from aisle.namespace.notifications import queue
from aisle.namespace.records import Delivery, decode

_TEXT: Final[Headers] = [(b"content-type", b"text/plain; version=0.0.4; charset=utf-8")]
_DELIVERIES: Final = (
    ("queued", "gauge", "Events that wait for a target."),
    ("delivered", "counter", "Events that a target has taken."),
    ("failed", "counter", "Events that a target was not told of, and no longer will be."),
)
_MEANING: Final = {
    "get": "GETs of objects",
    "put": "PUTs of objects and parts",
    "append": "appends to objects",
    "head": "HEADs of objects",
    "del": "removals of objects",
    "ren": "renames of objects",
    "lst": "pages of listings",
    "other": "other requests",
}


async def get_metrics(svc: Service, ctx: Context, message: Message) -> Response:
    """The node's counters in the text format of Prometheus."""
    peer = await smap.itself(svc, ctx)
    room = await capacity(svc)
    lines = list(_counters(svc, f"t{peer.id}"))
    for name, value, text in (
        ("uptime_seconds", svc.counters.uptime() // 1_000_000_000, "Time since the node started."),
        ("capacity_used_bytes", int(room["total_used"]), "Bytes used under the objects."),
        ("capacity_avail_bytes", int(room["total_avail"]), "Bytes free under the objects."),
        ("workers", svc.workers, "Worker processes of the node."),
    ):
        lines += _metric(name, "gauge", text, value, f"t{peer.id}")
    lines += await _deliveries(svc)
    return Response(200, _TEXT, ("\n".join(lines) + "\n").encode())


def _counters(svc: Service, node: str) -> Iterator[str]:
    found = svc.counters.read()
    for family in FAMILIES:
        what = _MEANING[family]
        yield from _metric(f"{family}_count", "counter", f"Successful {what}.",
                           found[f"{family}.n"], node)  # fmt: skip
        yield from _metric(f"err_{family}_count", "counter", f"Failed {what}.",
                           found[f"err.{family}.n"], node)  # fmt: skip
        yield from _metric(f"{family}_ns_total", "counter", f"Nanoseconds spent on {what}.",
                           found[f"{family}.ns.total"], node)  # fmt: skip
        if f"{family}.size" in found:
            yield from _metric(f"{family}_bytes", "counter", f"Bytes of {what} on the wire.",
                               found[f"{family}.size"], node)  # fmt: skip
    for event, what in EVENTS.items():
        name = event.replace(".", "_")
        yield from _metric(f"{name}_count", "counter", f"Number of {what}.",
                           found[f"{event}.n"], node)  # fmt: skip
        yield from _metric(f"{name}_bytes", "counter", f"Bytes of {what}.",
                           found[f"{event}.size"], node)  # fmt: skip


async def _deliveries(svc: Service) -> list[str]:
    """How deliveries to the targets of event notifications go, the same from every node."""
    names = [known.spec.name for known in svc.targets]
    rows = await svc.store.index.get_many(queue.TARGETS, [name.encode() for name in names])
    told = {
        name: decode(Delivery, raw) if raw is not None else Delivery()
        for name, raw in zip(names, rows, strict=True)
    }
    lines: list[str] = []
    for field, kind, text in _DELIVERIES if told else ():
        name = f"ais_cluster_notifications_{field}"
        lines += [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]
        lines += [f'{name}{{target="{one}"}} {getattr(told[one], field)}' for one in told]
    return lines


def _metric(name: str, kind: str, text: str, value: int, node: str) -> list[str]:
    name = f"ais_target_{name}"
    label = node.replace("\\", "\\\\").replace('"', '\\"')
    return [
        f"# HELP {name} {text}",
        f"# TYPE {name} {kind}",
        f'{name}{{node_id="{label}"}} {value}',
    ]


ROUTES: Final = (Route("GET", "metrics", "", (), "get-metrics", get_metrics),)
