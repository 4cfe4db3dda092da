"""`ais events`: the events that no target took, shown, sent again, dropped."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import Any, Final

from aisle.cli import uri as uris
from aisle.cli.failure import Failure
from aisle.cli.flags import headers_flag, json_flag, limit_flag, yes_flag
from aisle.cli.prompt import can_ask, confirmed
from aisle.cli.tables import aligned, date_text
from aisle.client import Client

_PATH: Final = "/v1/undelivered"
_PAGE: Final = 500


def _choice(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--target", metavar="NAME", default="", help="only those for this target")
    parser.add_argument("--bucket", metavar="BUCKET", default="", help="only those of this bucket")


def _chosen(options: argparse.Namespace) -> dict[str, str]:
    """The target and the bucket, if they are named. Raises `Failure`."""
    found = {"target": options.target}
    word: str = options.bucket
    found["bucket"] = uris.bucket(word).bucket if "://" in word else word
    return {name: value for name, value in found.items() if value}


def show_arguments(parser: argparse.ArgumentParser) -> None:
    _choice(parser)
    limit_flag(parser, "events")
    json_flag(parser)
    headers_flag(parser)


def show(client: Client, options: argparse.Namespace) -> None:
    """The events that no target took, or those of a target or bucket."""
    found = list(_events(client, _chosen(options), options.limit))
    if options.json:
        print(json.dumps(found, indent=4))
        return
    if not found and not options.no_headers:
        print("Every event was delivered, or still waits for its target")
        return
    rows = [
        (
            date_text(one["at"]),
            one["target"],
            one["event"],
            f"{one['bucket']}/{one['key']}",
            one["error"],
            one["id"],
        )
        for one in found
    ]
    header = ("TIME", "TARGET", "EVENT", "OBJECT", "WHY", "ID")
    for line in aligned(header, rows, headers=not options.no_headers):
        print(line)


def _events(client: Client, query: dict[str, str], limit: int) -> Iterator[dict[str, Any]]:
    after, left = "", limit
    while True:
        size = min(left, _PAGE) if limit else _PAGE
        page = client.ask("GET", _PATH, {**query, "limit": str(size), "after": after}, None)
        yield from page["events"]
        left -= len(page["events"])
        after = page["next"]
        if not after or (limit and left <= 0):
            return


def _which(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("ids", metavar="ID", nargs="*", help="events, as 'ais events show' tells")
    _choice(parser)
    parser.add_argument("--all", action="store_true", help="every event that no target took")


def resend_arguments(parser: argparse.ArgumentParser) -> None:
    _which(parser)


def resend(client: Client, options: argparse.Namespace) -> None:
    """Put events back into the queues of their targets."""
    count, left = _work(client, "POST", options)
    print(f"{count} events are sent again")
    if left:
        raise Failure(f"{left} are left: their targets are not known, or their queues are full")


def rm_arguments(parser: argparse.ArgumentParser) -> None:
    _which(parser)
    yes_flag(parser)


def rm(client: Client, options: argparse.Namespace) -> None:
    """Forget events for good."""
    if not options.ids and not options.yes and can_ask():
        what = " ".join(f"of {name} {value}" for name, value in _chosen(options).items())
        if not confirmed(f"Forget every event {what or 'that no target took'}?"):
            return
    count, _ = _work(client, "DELETE", options)
    print(f"{count} events are dropped")


def _work(client: Client, method: str, options: argparse.Namespace) -> tuple[int, int]:
    """How many events were dealt with, and how many were left. Raises `Failure`."""
    chosen = _chosen(options)
    if bool(options.ids) + bool(chosen) + options.all != 1:
        raise Failure("name events by their ids, or use --target or --bucket, or --all")
    bodies: list[dict[str, Any]]
    if options.ids:
        ids = options.ids
        bodies = [{"ids": ids[at : at + _PAGE]} for at in range(0, len(ids), _PAGE)]
    else:
        bodies = [chosen or {"all": True}]
    count = left = 0
    for body in bodies:
        after = ""
        while True:
            told = client.ask(method, _PATH, {}, {**body, "after": after} if after else body)
            count += told["count"]
            left += told["left"]
            after = told["next"]
            if not after:
                break
    missing = len(set(options.ids)) - count - left
    if options.ids and missing:
        raise Failure(f"{missing} of these events are not kept (any more); {count} were found")
    return count, left
