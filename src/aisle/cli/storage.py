"""`ais storage`: the directories and disks under the nodes; and `ais space-cleanup`."""

from __future__ import annotations

import argparse
import json

from aisle.cli.daemons import ask, targets
from aisle.cli.flags import headers_flag, json_flag, units_flag
from aisle.cli.tables import print_table, size_text
from aisle.client import Client


def show_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("node", metavar="TARGET", nargs="?", default="", help="one target alone")
    json_flag(parser)
    headers_flag(parser)
    units_flag(parser)


mountpath_arguments = disk_arguments = show_arguments


def show(client: Client, options: argparse.Namespace) -> None:
    """How full the targets are."""
    rows = targets(client, options.node)
    if options.json:
        print(json.dumps({row.id: row.told["capacity"] for row in rows}, indent=4))
        return
    cells = [
        (
            row.id,
            str(len(room["mountpaths"])),
            size_text(int(room["total_used"]), options.units),
            size_text(int(room["total_avail"]), options.units),
            f"{room['pct_min']}%",
            f"{room['pct_avg']}%",
            f"{room['pct_max']}%",
        )
        for row in rows
        for room in (row.told["capacity"],)
    ]
    header = ("TARGET", "MOUNTPATHS", "USED", "AVAIL", "USED(min%)", "USED(avg%)", "USED(max%)")
    print_table(header, cells, headers=not options.no_headers)


def mountpath(client: Client, options: argparse.Namespace) -> None:
    """The directories of the targets."""
    rows = targets(client, options.node)
    if options.json:
        print(json.dumps({row.id: row.told["capacity"]["mountpaths"] for row in rows}, indent=4))
        return
    cells = [
        (
            row.id,
            path,
            size_text(int(place["used"]), options.units),
            size_text(int(place["avail"]), options.units),
            f"{place['pct_used']}%",
            place["fs"] or "-",
        )
        for row in rows
        for path, place in row.told["capacity"]["mountpaths"].items()
    ]
    header = ("TARGET", "MOUNTPATH", "USED", "AVAIL", "USED(%)", "FILE SYSTEM")
    print_table(header, cells, headers=not options.no_headers)


def disk(client: Client, options: argparse.Namespace) -> None:
    """The disks under the targets."""
    found = {row.id: ask(client, row.id, "disk") for row in targets(client, options.node)}
    if options.json:
        print(json.dumps(found, indent=4))
        return
    cells = [
        (
            node,
            name,
            f"{size_text(one['RBps'], options.units)}/s",
            size_text(one["Ravg"], options.units),
            f"{size_text(one['WBps'], options.units)}/s",
            size_text(one["Wavg"], options.units),
            f"{one['Util']}%",
        )
        for node, disks in found.items()
        for name, one in disks.items()
    ]
    header = ("TARGET", "DISK", "READ", "READ(avg size)", "WRITE", "WRITE(avg size)", "UTIL(%)")
    print_table(header, cells, headers=not options.no_headers)


def cleanup_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--wait", action="store_true", help="wait until it is done")


def cleanup(client: Client, options: argparse.Namespace) -> None:
    """Remove what nothing refers to any more."""
    reply = client.act("PUT", "/v1/cluster", {}, "start", {"Kind": "cleanup-store"})
    uuid = reply.body.decode().strip()
    if options.wait:
        client.job(uuid).wait()
        print(f"cleanup[{uuid}] is done")
    else:
        print(f"Started cleanup[{uuid}]. To monitor the progress, run 'ais show job {uuid}'")
