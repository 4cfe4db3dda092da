"""`ais ls`: buckets by provider, or the objects of one bucket, a page at a time."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from itertools import groupby
from typing import Any, Final

from aisle.cli import uri as uris
from aisle.cli.client import Client
from aisle.cli.failure import Failure, printable
from aisle.cli.tables import Columns, size_text
from aisle.cli.uri import Uri

# Bits of an entry's flags, and of the request's.
_CACHED: Final = 1 << 6
_IS_DIR: Final = 1 << 8
_STATUS: Final = (1 << 5) - 1
_NO_RECURSION: Final = 1 << 11
ALL_PROPS: Final = ("size", "checksum", "atime", "version", "custom", "copies", "cached", "status")


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "uri",
        metavar="URI",
        nargs="?",
        default="",
        help="a provider (ais:, s3:), a bucket (ais://abc) or a prefix in it (ais://abc/dir/)",
    )
    parser.add_argument("--prefix", default="", help="only objects whose names begin so")
    parser.add_argument(
        "--props", default="", help=f"columns, comma-separated: {', '.join(ALL_PROPS)}, or all"
    )
    parser.add_argument(
        "--non-recursive",
        "--nr",
        action="store_true",
        help="one level: names up to the next slash are shown as directories",
    )
    parser.add_argument("--start-after", default="", metavar="NAME", help="begin after this name")
    parser.add_argument("--limit", type=int, default=0, metavar="N", help="at most N objects")
    parser.add_argument(
        "--no-headers", "-H", action="store_true", help="do not print the names of the columns"
    )


def run(client: Client, options: argparse.Namespace) -> None:
    uri = uris.parse(options.uri) if options.uri else Uri("")
    if uri.bucket:
        _objects(client, uri, options)
    else:
        _buckets(client, uri.provider)


def _buckets(client: Client, provider: str) -> None:
    reply = client.act("GET", "/v1/buckets", {"provider": provider}, "list")
    found = sorted((row["provider"], row["name"]) for row in json.loads(reply.body))
    for name, rows in groupby(found, key=lambda pair: pair[0]):
        names = [f"{name}://{bucket}" for _, bucket in rows]
        print(f"{name.upper()} Buckets ({len(names)})")
        for shown in names:
            print(f"  {printable(shown)}")
    if provider == "ais" and not found:
        print("AIS Buckets (0)")


def _objects(client: Client, uri: Uri, options: argparse.Namespace) -> None:
    prefix = uri.key or options.prefix
    if uri.key and options.prefix:
        raise Failure(f"both {uri} and --prefix name a prefix")
    props = [word.strip() for word in options.props.split(",") if word.strip()]
    if "all" in props:
        props = list(ALL_PROPS)
    props = [prop for prop in props if prop != "name"] or (["name"] if props else ["size"])
    unknown = [prop for prop in props if prop not in ALL_PROPS and prop != "name"]
    if unknown:
        raise Failure(f"there is no column {unknown[0]} (there are: {', '.join(ALL_PROPS)})")
    columns = [prop for prop in props if prop != "name"]
    value = {
        "prefix": prefix,
        "props": ",".join(["name", *columns]),
        "start_after": options.start_after,
        "flags": str(_NO_RECURSION if options.non_recursive else 0),
    }
    table = Columns(["NAME", *(column.upper() for column in columns)])
    first = True
    for entries in pages(client, uri.parent, value, options.limit):
        rows = [[entry["name"], *(_cell(entry, column) for column in columns)] for entry in entries]
        if first and rows and not options.no_headers:
            rows.insert(0, list(table.heading))
        first = False
        for line in table.lines(rows):
            print(line)


def pages(
    client: Client, bucket: Uri, value: dict[str, Any], limit: int = 0
) -> Iterator[list[dict[str, Any]]]:
    """The pages of a listing, up to `limit` entries (0: all)."""
    token, left = "", limit
    while True:
        ask = {**value, "continuation_token": token, "pagesize": left}
        reply = json.loads(client.act("GET", bucket.path, bucket.query, "list", ask).body)
        entries = reply["entries"][:left] if limit else reply["entries"]
        yield entries
        token = reply["continuation_token"]
        left -= len(entries)
        if not token or (limit and left <= 0):
            return


def _cell(entry: dict[str, Any], column: str) -> str:
    flags = entry.get("flags", 0)
    if flags & _IS_DIR:
        return ""
    match column:
        case "size":
            return size_text(entry.get("size", 0))
        case "cached":
            return "yes" if flags & _CACHED else "no"
        case "status":
            return "ok" if not flags & _STATUS else f"status {flags & _STATUS}"
        case "custom":
            return str(entry.get("custom-md", ""))
        case _:
            return str(entry.get(column, ""))
