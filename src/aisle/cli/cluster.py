"""`ais show cluster`: its nodes with what they use, the map, the buckets, the counters."""

from __future__ import annotations

import argparse
import json
from typing import Any, Final

from aisle.cli import config, performance
from aisle.cli.daemons import Daemon, counter, daemons, entries, primary_of, smap, state_of
from aisle.cli.failure import Failure
from aisle.cli.flags import headers_flag, json_flag, units_flag
from aisle.cli.tables import date_text, print_table, size_text
from aisle.client import Client

_GATEWAY: Final = (
    "PROXY", "MEM USED(%)", "MEM AVAIL", "SYS CPU(%)", "LOAD AVERAGE", "THROTTLED(%)", "UPTIME",
    "K8s POD", "STATUS", "VERSION", "BUILD TIME", "ALERT",
)  # fmt: skip
_TARGET: Final = (
    "TARGET", "MEM USED(%)", "MEM AVAIL", "CAP USED(%)", "CAP AVAIL", "SYS CPU(%)", "LOAD AVERAGE",
    "THROTTLED(%)", "REBALANCE", "UPTIME", "K8s POD", "STATUS", "VERSION", "BUILD TIME", "ALERT",
)  # fmt: skip
_WHAT: Final = ("smap", "bmd", "config", "stats", "proxy", "target")
# Percent used from which a disk is an alert.
_FULL: Final = 90
_SECOND: Final = 1_000_000_000


def show_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "what",
        metavar="NODE|" + "|".join(_WHAT),
        nargs="?",
        default="",
        help="one node; the map, buckets, configuration or counters; gateways or targets alone",
    )
    parser.add_argument(
        "words", metavar="NODE|SECTION", nargs="*", help="of which node, or section"
    )
    json_flag(parser)
    headers_flag(parser)
    units_flag(parser)
    parser.set_defaults(transient=False, all=False, columns="counters", refresh="")


def show(client: Client, options: argparse.Namespace) -> None:
    """What there is to know of the cluster."""
    if options.what == "config":
        config.run(client, options)
    elif options.what == "bmd":
        _bmd(client, options)
    elif options.what == "stats":
        options.node = options.words[0] if options.words else ""
        performance.show(client, options)
    elif options.what == "smap":
        _smap(client, options)
    else:
        _dashboard(client, options)


# --- the map --------------------------------------------------------------------------------


def _smap(client: Client, options: argparse.Namespace) -> None:
    found = smap(client)
    if options.json:
        print(json.dumps(found, indent=4))
        return
    primary = primary_of(found)
    rows = [
        (
            f"{node['daemon_id']}[P]" if node["daemon_id"] == primary else node["daemon_id"],
            node["daemon_type"],
            node["public_net"]["direct_url"],
            state_of(node),
        )
        for node in entries(found)
    ]
    print_table(("NODE", "TYPE", "PUBLIC URL", "STATUS"), rows, headers=not options.no_headers)
    if options.no_headers:
        return
    idle = [node["daemon_id"] for node in found["pmap"].values() if node["flags"]]
    if idle:
        print(f"\nNon-Electable: {', '.join(sorted(idle))}")
    print(
        f"\nPrimary Proxy: {primary or 'none'}\nProxies: {len(found['pmap'])}   "
        f"Targets: {len(found['tmap'])}   Smap Version: {found['version']}   UUID: {found['uuid']}"
    )


def _bmd(client: Client, options: argparse.Namespace) -> None:
    bmd = json.loads(client.act("GET", "/v1/cluster", {"what": "bmd"}).body)
    if options.json:
        print(json.dumps(bmd, indent=4))
        return
    rows = [
        (
            provider,
            namespace.removeprefix("@#").removesuffix("#") or "-",
            name,
            f"{props['mirror']['copies']}" if props["mirror"]["enabled"] else "no",
            _slices(props["ec"]),
            date_text(int(props["created"])),
        )
        for provider, spaces in bmd["providers"].items()
        for namespace, found in spaces.items()
        for name, props in found.items()
    ]
    print_table(
        ("PROVIDER", "NAMESPACE", "NAME", "COPIES", "EC(D, P)", "CREATED"),
        rows,
        headers=not options.no_headers,
    )
    if not options.no_headers:
        print(f"\nBuckets: {len(rows)}   BMD Version: {bmd['version']}   UUID: {bmd['uuid']}")


def _slices(ec: dict[str, Any]) -> str:
    return f"{ec['data_slices']}, {ec['parity_slices']}" if ec["enabled"] else "no"


# --- the nodes ------------------------------------------------------------------------------


def _dashboard(client: Client, options: argparse.Namespace) -> None:
    if options.words:
        raise Failure("one node can be shown at a time")
    found = smap(client)
    kinds = {"proxy": ("proxy",), "target": ("target",)}.get(options.what, ("proxy", "target"))
    node = "" if options.what in ("proxy", "target") else options.what
    if options.json and not node:
        print(json.dumps(found, indent=4))
        return
    rows = [row for row in daemons(client, found, node) if row.kind in kinds]
    if options.json:
        print(json.dumps([row.told for row in rows], indent=4))
        return
    primary = primary_of(found)
    for number, kind in enumerate(kinds):
        shown = [row for row in rows if row.kind == kind]
        if number and not options.no_headers and shown:
            print()
        if shown:
            header = _GATEWAY if kind == "proxy" else _TARGET
            print_table(
                header,
                [_cells(row, primary, options.units) for row in shown],
                headers=not options.no_headers,
            )
    if not options.what and not options.no_headers:
        print()
        for name, text in _summary(client, found, rows, options.units):
            print(f"   {name + ':':<18}{text}".rstrip() if text else name)


def _cells(row: Daemon, primary: str, units: str) -> tuple[str, ...]:
    name = f"{row.id}[P]" if row.id == primary else row.id
    if not row.told:
        count = (len(_GATEWAY) if row.kind == "proxy" else len(_TARGET)) - 2
        cells = ["-"] * count + ["does not answer"]
        cells[_GATEWAY.index("STATUS") - len(_GATEWAY)] = "offline"
        return (name, *cells)
    told = row.told
    machine, room = told["sys_info"], told["capacity"]
    load = machine["load_avg"]
    memory = (f"{machine['pct_mem_used']:.2f}%", size_text(machine["mem_avail"], units))
    work = (
        f"{machine['cpu_util']}%",
        f"[{load['One']:.1f} {load['Five']:.1f} {load['Fifteen']:.1f}]",
        f"{machine['cpu_throttled']}%",
    )
    end = (
        duration_text(counter(told, "up.ns.time")),
        told["k8s_pod_name"] or "-",
        row.state,
        told["ais_version"],
        told["build_time"] or "-",
        _alert(row),
    )
    if row.kind == "proxy":
        return (name, *memory, *work, *end)
    capacity = (f"{room['pct_max']}%", size_text(int(room["total_avail"]), units))
    return (name, *memory, *capacity, *work, "-", *end)


def _alert(row: Daemon) -> str:
    room = row.told["capacity"]
    if room["cs_err"]:
        return "cannot read its capacity"
    if row.kind == "target" and room["pct_max"] >= _FULL:
        return "low on space"
    return "-"


def _summary(
    client: Client, found: dict[str, Any], rows: list[Daemon], units: str
) -> list[tuple[str, str]]:
    told = [row.told for row in rows if row.kind == "target" and row.told]
    electable = sum(1 for node in found["pmap"].values() if not node["flags"])
    states: dict[str, int] = {}
    for row in rows:
        state = row.state if row.told else "offline"
        states[state] = states.get(state, 0) + 1
    reply = client.act("GET", "/v1/cluster", {"what": "cluster_config"})
    auth = json.loads(reply.body)["auth"]["enabled"]
    versions = sorted({one["ais_version"] for one in told})
    deployments = sorted({one["deployment"] for one in told})
    return [
        ("Summary:", ""),
        ("CLI Endpoint", client.endpoint),
        ("Proxies", f"{len(found['pmap'])} ({electable} electable)"),
        ("Targets", str(len(found["tmap"]))),
        ("Capacity", _capacity(told, units)),
        ("Cluster Map", f"version {found['version']}, UUID {found['uuid']}, primary"
         f" {primary_of(found) or 'none'}"),
        ("Software", f"Aisle {', '.join(versions) or 'unknown'}"),
        ("Backend", "none"),
        ("Deployment", ", ".join(deployments) or "unknown"),
        ("Status", ", ".join(f"{count} {state}" for state, count in states.items())),
        ("Rebalance", "not needed: nodes share their store"),
        ("Authentication", "enabled" if auth else "disabled"),
        ("Version", ", ".join(versions) or "unknown"),
        ("Build", "-"),
    ]  # fmt: skip


def _capacity(told: list[Any], units: str) -> str:
    """The room under the objects. Nodes that share a store tell the same, so it counts once."""
    rooms = {(one["capacity"]["total_used"], one["capacity"]["total_avail"]) for one in told}
    used = max((int(room[0]) for room in rooms), default=0)
    free = max((int(room[1]) for room in rooms), default=0)
    percent = round(used * 100 / (used + free)) if used + free else 0
    return f"used {size_text(used, units)} ({percent}%), available {size_text(free, units)}"


def duration_text(nanoseconds: int) -> str:
    """`5d4h`, `2h3m`, `4m20s`, `7s`."""
    seconds = nanoseconds // _SECOND
    for size, unit, small, name in (
        (86400, "d", 3600, "h"),
        (3600, "h", 60, "m"),
        (60, "m", 1, "s"),
    ):
        if seconds >= size:
            rest = seconds % size // small
            return f"{seconds // size}{unit}{rest}{name}" if rest else f"{seconds // size}{unit}"
    return f"{seconds}s"
