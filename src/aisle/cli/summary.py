"""`ais bucket summary` and `ais ls --summary`: how much is in a bucket, in one or in all of them.

The node counts in a job: this asks until that is done, or tells its id with `--dont-wait`.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterable, Iterator
from typing import Any, Final

from aisle.cli import uri as uris
from aisle.cli.failure import Failure
from aisle.cli.flags import headers_flag, idle_flag, json_flag, units_flag
from aisle.cli.tables import Columns, size_text
from aisle.cli.uri import Uri
from aisle.client import Client

_FIRST: Final = 0.02  # seconds between two questions, longer each time
_LONGEST: Final = 1.0
_BRIEF: Final = ("NAME", "PRESENT", "OBJECTS", "SIZE (apparent, objects, remote)", "USAGE(%)")
_FULL: Final = (
    "NAME",
    "OBJECTS (cached, remote)",
    "OBJECT SIZES (min, avg, max)",
    "TOTAL OBJECT SIZE (cached, remote)",
    "USAGE(%)",
)


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "uri",
        metavar="URI",
        nargs="?",
        default="",
        help="a bucket (ais://abc), a prefix in it, or a provider; all buckets without",
    )
    parser.add_argument("--prefix", default="", help="only objects whose names begin so")
    parser.add_argument("--cached", action="store_true", help="only objects in the cluster")
    idle_flag(parser, "--all")
    summary_arguments(parser)
    json_flag(parser)
    headers_flag(parser)


def summary_arguments(parser: argparse.ArgumentParser) -> None:
    """Options that `ais ls --summary` has too."""
    parser.add_argument(
        "--dont-wait", action="store_true", help="start counting, and print the id of the job"
    )
    units_flag(parser)


def run(client: Client, options: argparse.Namespace) -> None:
    uri = uris.parse(options.uri) if options.uri else Uri("")
    if uri.key and options.prefix:
        raise Failure(f"both {uri} and --prefix name a prefix")
    rows = _rows(client, uri, options)
    if rows is None:
        return
    _print(_FULL, (_full(row, options.units) for row in rows), headers=not options.no_headers)


def listed(client: Client, uri: Uri, options: argparse.Namespace) -> None:
    """The short table, of a bucket or of many; `ais ls` has the options."""
    rows = _rows(client, uri, options)
    if rows is None:
        return
    _print(_BRIEF, (_brief(row, options.units) for row in rows), headers=not options.no_headers)
    if not (uri.bucket or options.no_footers):
        for name in sorted({str(row["provider"]) for row in rows}):
            count = sum(row["provider"] == name for row in rows)
            print(f"Total: [{name.upper()} buckets: {count}] ========")


def _rows(client: Client, uri: Uri, options: argparse.Namespace) -> list[dict[str, Any]] | None:
    """What the table is to tell; `None` if the job's id or JSON was asked for, which is printed."""
    value = {"prefix": uri.key or options.prefix, "cached": options.cached, "present": True}
    path = uri.parent.path if uri.bucket else "/v1/buckets"
    query = uri.query if uri.provider else {}
    reply = client.act("GET", path, query, "summary-bck", {**value, "uuid": ""})
    job = reply.body.decode().strip('"')
    if options.dont_wait:
        print(f"summary[{job}] started. To monitor the progress, run 'ais show job {job}'")
        return None
    for seconds in _pauses():
        reply = client.act("GET", path, query, "summary-bck", {**value, "uuid": job})
        if reply.status == 200:
            break
        time.sleep(seconds)
    rows: list[dict[str, Any]] = json.loads(reply.body)
    rows.sort(key=uris.order)
    if options.json:
        print(json.dumps(rows, indent=4))
        return None
    return rows


def _pauses() -> Iterator[float]:
    seconds = _FIRST
    while True:
        yield seconds
        seconds = min(seconds * 1.5, _LONGEST)


def bucket_text(row: dict[str, Any]) -> str:
    """The URI of a bucket in a reply."""
    return str(uris.of_row(row))


def _brief(row: dict[str, Any], units: str) -> list[str]:
    counts, totals = row["ObjCount"], row["TotalSize"]
    sizes = ("size_on_disk", "size_all_present_objs", "size_all_remote_objs")
    return [
        bucket_text(row),
        "yes" if row["is_present"] else "no",
        f"{counts['obj_count_present']} {counts['obj_count_remote']}",
        " ".join(size_text(int(totals[size]), units) for size in sizes),
        f"{row['used_pct']}%",
    ]


def _full(row: dict[str, Any], units: str) -> list[str]:
    counts, sizes, totals = row["ObjCount"], row["ObjSize"], row["TotalSize"]
    spread = ("obj_min_size", "obj_avg_size", "obj_max_size")
    whole = ("size_all_present_objs", "size_all_remote_objs")
    return [
        bucket_text(row),
        f"{counts['obj_count_present']} {counts['obj_count_remote']}",
        " ".join(size_text(int(sizes[size]), units) for size in spread),
        " ".join(size_text(int(totals[size]), units) for size in whole),
        f"{row['used_pct']}%",
    ]


def _print(heading: Iterable[str], rows: Iterable[list[str]], *, headers: bool) -> None:
    table = Columns(list(heading))
    shown = [list(table.heading), *rows] if headers else list(rows)
    for line in table.lines(shown):
        print(line)
