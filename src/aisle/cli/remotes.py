"""`ais remote-cluster`: attach, detach and show other clusters."""

from __future__ import annotations

import argparse
import json
from typing import Any, Final

from aisle.cli.failure import Failure
from aisle.cli.flags import headers_flag, json_flag
from aisle.cli.tables import print_table
from aisle.client import Client

_ALIAS: Final = "ais-remote-ais-alias"
_URL: Final = "ais-remote-ais-url"
_WHAT: Final = {"what": "remote"}
_COLUMNS: Final = ("UUID", "URL", "Alias", "Primary", "Smap", "Targets", "Online")


def attach_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "clusters",
        metavar="ALIAS=URL",
        nargs="+",
        help="name and address of another cluster, or of another of its gateways",
    )


def attach(client: Client, options: argparse.Namespace) -> None:
    """Attach other clusters."""
    for word in options.clusters:
        alias, equals, url = word.partition("=")
        if not (alias and equals and url):
            raise Failure(f'"{word}" is not of the form alias=url')
        client.act("PUT", "/v1/cluster/attach", _WHAT, headers={_ALIAS: alias, _URL: url.strip()})
        print(f"Remote cluster ({alias}={url}) successfully attached")


def detach_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("cluster", metavar="REMOTE", help="alias or uuid of another cluster")


def detach(client: Client, options: argparse.Namespace) -> None:
    """Detach another cluster; windows on its buckets stay, with what is cached."""
    client.act("PUT", "/v1/cluster/detach", _WHAT, headers={_ALIAS: options.cluster})
    print(f"Remote cluster {options.cluster} successfully detached")


def show_arguments(parser: argparse.ArgumentParser) -> None:
    json_flag(parser)
    headers_flag(parser)


def show(client: Client, options: argparse.Namespace) -> None:
    """The clusters that are attached."""
    found = attached(client)
    if options.json:
        print(json.dumps(found, indent=4))
        return
    print_table(_COLUMNS, [_row(one) for one in found], headers=not options.no_headers)


def attached(client: Client) -> list[dict[str, Any]]:
    """The clusters that are attached, by alias."""
    found = json.loads(client.act("GET", "/v1/cluster", _WHAT).body)["a"] or []
    return sorted(found, key=lambda one: str(one["alias"]))


def _row(one: dict[str, Any]) -> tuple[str, ...]:
    smap = one.get("smap")
    if not smap:
        return (one["uuid"], one["url"], one["alias"], "-", "-", "-", "no")
    primary = smap.get("proxy_si") or {}
    return (
        one["uuid"],
        one["url"],
        one["alias"],
        str(primary.get("daemon_id", "-")),
        f"v{smap.get('version', '-')}",
        str(len(smap.get("tmap") or {})),
        "yes",
    )
