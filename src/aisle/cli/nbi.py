"""`ais nbi`: the inventory of a remote bucket that the cluster makes itself, to list it by."""

from __future__ import annotations

import argparse
import json
from typing import Any, Final

from aisle.cli import uri as uris
from aisle.cli.failure import Failure
from aisle.cli.flags import count, headers_flag, json_flag, units_flag
from aisle.cli.follow import follow, follow_flags
from aisle.cli.tables import date_text, print_table, size_text
from aisle.cli.uri import Uri
from aisle.client import Client

_KIND: Final = "create-inventory"
_COLUMNS: Final = ("BUCKET", "NAME", "SIZE", "OBJECTS", "STARTED", "FINISHED", "PREFIX")


def create_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("uri", metavar="BUCKET", help="such as s3://abc")
    parser.add_argument("--name", "--inv-name", default="", help="its name (default: some name)")
    parser.add_argument("--prefix", default="", help="only objects whose names begin so")
    parser.add_argument("--props", default="", help="what it has to tell (it tells all there is)")
    parser.add_argument(
        "--names-per-chunk", metavar="N", type=count, default=0, help="as AIStore would keep it"
    )
    parser.add_argument(
        "--force", "-f", action="store_true", help="remove the one that the bucket has, first"
    )
    follow_flags(parser)


def create(client: Client, options: argparse.Namespace) -> None:
    uri = uris.bucket(options.uri)
    value = {
        "name": options.name,
        "prefix": options.prefix,
        "props": options.props,
        "names_per_chunk": options.names_per_chunk,
        "force": options.force,
    }
    job = client.act("POST", uri.path, uri.query, _KIND, value).body.decode()
    follow(client, job, _KIND, f"creating inventory of {uri}", options)


def show_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "uri", metavar="BUCKET", nargs="?", default="", help="such as s3://abc (default: all)"
    )
    parser.add_argument("--name", "--inv-name", default="", help="the one of this name")
    json_flag(parser)
    headers_flag(parser)
    units_flag(parser)


def show(client: Client, options: argparse.Namespace) -> None:
    if options.uri:
        found = _of(client, uris.bucket(options.uri), options.name)
    else:
        found = {}
        for uri in _windows(client):
            found |= _of(client, uri)
        if options.name:
            found = {key: one for key, one in found.items() if one["name"] == options.name}
    if options.json:
        print(json.dumps(found, indent=4))
        return
    if not found:
        print(f"No inventories{f' of {options.uri}' if options.uri else ''}")
        return
    rows = [_row(one, options.units) for one in found.values()]
    print_table(_COLUMNS, rows, headers=not options.no_headers)


def _of(client: Client, uri: Uri, name: str = "") -> dict[str, Any]:
    reply = client.act("GET", uri.path, uri.query, "show-inventory", name=name)
    told: dict[str, Any] = json.loads(reply.body)
    return told


def _windows(client: Client) -> list[Uri]:
    """The remote buckets in the cluster."""
    return [
        Uri(one.provider, one.name, "", one.namespace)
        for one in client.buckets()
        if one.provider != "ais" or one.namespace.startswith("@")
    ]


def _row(one: dict[str, Any], units: str) -> tuple[str, ...]:
    done = bool(one["finished"])
    return (
        one["bucket"],
        one["name"],
        size_text(one["size"], units) if done else "-",
        f"{one['ntotal']}" if done else "-",
        date_text(one["started"]) if one["started"] else "-",
        date_text(one["finished"]) if done else "-",
        one["prefix"] or "-",
    )


def remove_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("uri", metavar="BUCKET", nargs="+", help="such as s3://abc")
    parser.add_argument("--name", "--inv-name", default="", help="only if it has this name")


def remove(client: Client, options: argparse.Namespace) -> None:
    named = [uris.bucket(text) for text in options.uri]
    if options.name and len(named) > 1:
        raise Failure("--name goes with one bucket")
    for uri in named:
        client.act("DELETE", uri.path, uri.query, "destroy-inventory", name=options.name)
        print(f"Removed the inventory of {uri}")
