"""`ais tls ...`: the certificates that nodes serve HTTPS with."""

from __future__ import annotations

import argparse
import json
import time
from datetime import UTC, datetime
from typing import Any, Final

from aisle.cli.daemons import ask, smap
from aisle.cli.failure import Failure
from aisle.cli.flags import headers_flag, json_flag
from aisle.cli.tables import print_table, properties
from aisle.client import Client

_SERIAL: Final = "serial number (hex)"
_FINGERPRINT: Final = "fingerprint (SHA-256)"
_SOON_SECONDS: Final = 14 * 86400
_OK: Final = "ok"


def _node(parser: argparse.ArgumentParser, default: str) -> None:
    parser.add_argument(
        "node",
        metavar="NODE",
        nargs="?",
        default="",
        help=f"id of a node, as 'ais show cluster' tells it (default: {default})",
    )


def show_arguments(parser: argparse.ArgumentParser) -> None:
    _node(parser, "the one that is asked")
    json_flag(parser)
    headers_flag(parser)


def show(client: Client, options: argparse.Namespace) -> None:
    """The certificate of a node."""
    if options.node:
        told = ask(client, options.node, "certificate")
    else:
        told = json.loads(client.act("GET", "/v1/daemon", {"what": "certificate"}).body)
    if options.json:
        print(json.dumps(told, indent=4))
        return
    for line in properties(told.items(), headers=not options.no_headers):
        print(line)


def load_arguments(parser: argparse.ArgumentParser) -> None:
    _node(parser, "all of them")


def load(client: Client, options: argparse.Namespace) -> None:
    """Have nodes read the files of their certificates anew."""
    headers = {"ais-node-id": options.node} if options.node else {}
    client.act("PUT", "/v1/cluster/load-x509", {}, headers=headers)
    whose = f'Node "{options.node}" reads' if options.node else "All nodes read"
    print(f"{whose} the certificate anew")


def validate_arguments(parser: argparse.ArgumentParser) -> None:
    headers_flag(parser)


def validate(client: Client, options: argparse.Namespace) -> None:
    """Look at the certificate of every node: whether it holds, and is the same everywhere."""
    names = sorted(smap(client)["pmap"])
    found = {name: ask(client, name, "certificate") for name in names}
    first = found[names[0]][_FINGERPRINT]
    rows = [
        (name, told[_SERIAL], told["valid"], _state(told, first)) for name, told in found.items()
    ]
    header = ("NODE", "SERIAL NUMBER", "VALID", "STATUS")
    print_table(header, rows, headers=not options.no_headers)
    wrong = [row[0] for row in rows if row[-1] != _OK]
    if wrong:
        raise Failure(f"look at the certificates of: {', '.join(wrong)}")


def _state(told: dict[str, Any], first: str) -> str:
    begin, _, end = told["valid"].removeprefix("from ").partition(" to ")
    now = time.time()
    if now < _seconds(begin):
        return "not valid yet"
    if now >= _seconds(end):
        return "expired"
    if _seconds(end) - now < _SOON_SECONDS:
        return "expires soon"
    return _OK if told[_FINGERPRINT] == first else "another than the first"


def _seconds(text: str) -> float:
    moment = datetime.strptime(text.removesuffix(" UTC"), "%Y-%m-%d %H:%M:%S")
    return moment.replace(tzinfo=UTC).timestamp()
