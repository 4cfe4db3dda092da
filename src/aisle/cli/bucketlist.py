"""`ais ls` of buckets: names by provider, or `--summary` of what is in them."""

from __future__ import annotations

import argparse
import json
from itertools import groupby
from typing import Any, Final

from aisle.cli import summary
from aisle.cli.failure import printable
from aisle.cli.filters import Filter
from aisle.cli.uri import Uri
from aisle.client import Client

# Values of `presence`: in the cluster already, and wherever they are.
_PRESENT: Final = "2"
_ANYWHERE: Final = "0"


def run(client: Client, uri: Uri, options: argparse.Namespace) -> None:
    """The buckets of a provider or namespace, or all of them."""
    if options.summary:
        summary.listed(client, uri, options)
        return
    query = uri.query if uri.provider else {}
    presence = {"presence": _ANYWHERE if options.all else _PRESENT}
    reply = client.act("GET", "/v1/buckets", {**query, **presence}, "list")
    chosen = Filter(options.regex, options.template)
    rows = [row for row in json.loads(reply.body) if chosen(row["name"])]
    rows.sort(key=lambda row: (row["provider"], row["namespace"]["name"], row["name"]))
    if options.json:
        print(json.dumps(rows, indent=4))
        return
    if uri.namespace.startswith("@") and not rows:
        print("No buckets of remote clusters: none is attached")
    elif uri.provider == "ais" and not rows:
        print("AIS Buckets (0)")
    _print(rows, options)


def _print(rows: list[dict[str, Any]], options: argparse.Namespace) -> None:
    for provider, group in groupby(rows, key=lambda row: str(row["provider"])):
        names = [summary.bucket_text(row) for row in group]
        if not options.no_headers or options.count_only:
            print(f"{provider.upper()} Buckets ({len(names)})")
        if not options.count_only:
            for shown in names:
                print(f"  {printable(shown)}")
