"""`ais config ...`: show, set and reset the cluster's configuration."""

from __future__ import annotations

import argparse
import json
from typing import Any

from aisle.cli.buckets import assignments, select
from aisle.cli.client import Client
from aisle.cli.failure import Failure
from aisle.cli.notes import note_settings
from aisle.cli.tables import properties
from aisle.core import settings


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "words",
        metavar="SECTION|NAME|NAME=VALUE",
        nargs="*",
        help="net.http shows a section, checksum.type=md5 sets a value,"
        " features NAME [NAME ...] sets feature flags (none clears them)",
    )
    parser.add_argument("--json", "-j", action="store_true", help="everything as JSON")
    parser.add_argument("--no-headers", "-H", action="store_true", help="do not print a heading")


def run(client: Client, options: argparse.Namespace) -> None:
    words = options.words
    if words[:1] == ["features"] and len(words) > 1:
        words = ["features=" + ",".join(words[1:])]
    if any("=" in word for word in words):
        _set(client, assignments(words))
        return
    if len(words) > 1:
        raise Failure("one section or setting can be shown at a time")
    config = _read(client)
    if options.json:
        print(json.dumps(config, indent=4))
        return
    rows = select(settings.flatten(config), words[0] if words else "")
    for line in properties(rows, headers=not options.no_headers):
        print(line)


def _read(client: Client) -> dict[str, Any]:
    reply = client.act("GET", "/v1/cluster", {"what": "cluster_config"})
    config = json.loads(reply.body)
    assert isinstance(config, dict)
    return config


def _set(client: Client, asked: dict[str, Any]) -> None:
    client.act("PUT", "/v1/cluster", {}, "set-config", asked)
    print(json.dumps(asked, indent=4))
    note_settings(asked)


def reset_arguments(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(words=[])


def reset(client: Client, options: argparse.Namespace) -> None:
    client.act("PUT", "/v1/cluster", {}, "reset-config")
    print("Cluster config successfully reset")
