"""`ais ls` of buckets: names by provider, or `--summary` of what is in them."""

from __future__ import annotations

import argparse
import json
from itertools import groupby
from typing import Any, Final

from aisle.cli import remotes, summary
from aisle.cli import uri as uris
from aisle.cli.failure import printable
from aisle.cli.filters import Filter
from aisle.cli.notes import note
from aisle.cli.tables import print_table
from aisle.cli.uri import Uri
from aisle.client import Client, ClientError

# Values of `presence`: in the cluster already, and wherever they are.
_PRESENT: Final = "2"
_ANYWHERE: Final = "0"
# Providers by the other names that users type.
_CALLED: Final = {"s3": "aws", "gs": "gcp", "az": "azure"}


def run(client: Client, uri: Uri, options: argparse.Namespace) -> None:
    """The buckets of a provider or namespace, or all of them."""
    if options.summary:
        summary.listed(client, uri, options)
        return
    rows = _found(client, uri, options)
    if options.json:
        print(json.dumps(rows, indent=4))
        return
    if uri.namespace == "@" and not rows and not remotes.attached(client):
        print("No buckets of remote clusters: none is attached")
    elif uri.provider and not rows:
        print(f"{_CALLED.get(uri.provider, uri.provider).upper()} Buckets (0)")
    if options.all and uris.is_elsewhere(uri) and not options.count_only:
        present = {uris.order(row) for row in _rows(client, uri, options, _PRESENT)}
        _table(_as_typed(rows, uri), [uris.order(row) in present for row in rows], options)
    else:
        _print(_as_typed(rows, uri), options)


def _found(client: Client, uri: Uri, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Those in the cluster; of a provider that is named also those that are not, as far as it can
    be asked."""
    if options.all or uri.namespace.startswith("@"):
        return _rows(client, uri, options, _ANYWHERE)
    if uri.provider in ("", "ais"):
        return _rows(client, uri, options, _PRESENT)
    try:
        return _rows(client, uri, options, _ANYWHERE)
    except ClientError as error:
        note(f"only buckets in the cluster are shown: {error}")
        return _rows(client, uri, options, _PRESENT)


def _rows(
    client: Client, uri: Uri, options: argparse.Namespace, presence: str
) -> list[dict[str, Any]]:
    query = uri.query if uri.provider else {}
    reply = client.act("GET", "/v1/buckets", {**query, "presence": presence}, "list")
    chosen = Filter(options.regex, options.template)
    rows = [row for row in json.loads(reply.body) if chosen(row["name"])]
    return sorted(rows, key=uris.order)


def _table(rows: list[dict[str, Any]], present: list[bool], options: argparse.Namespace) -> None:
    """Which buckets there are, and whether they are in the cluster."""
    cells = [
        (printable(summary.bucket_text(row)), "yes" if here else "no")
        for row, here in zip(rows, present, strict=True)
    ]
    print_table(("NAME", "PRESENT"), cells, headers=not options.no_headers)
    if options.no_footers:
        return
    for provider in dict.fromkeys(str(row["provider"]) for row in rows):
        found = [
            here for row, here in zip(rows, present, strict=True) if row["provider"] == provider
        ]
        print(f"Total: [{provider.upper()} buckets: {len(found)} ({sum(found)} present)] ========")


def _as_typed(rows: list[dict[str, Any]], uri: Uri) -> list[dict[str, Any]]:
    """The rows with the one cluster that was named called what the user called it."""
    cluster = uri.namespace.partition("#")[0].removeprefix("@")
    if not cluster:
        return rows
    return [{**row, "namespace": {**row["namespace"], "uuid": cluster}} for row in rows]


def _print(rows: list[dict[str, Any]], options: argparse.Namespace) -> None:
    for provider, group in groupby(rows, key=lambda row: str(row["provider"])):
        names = [summary.bucket_text(row) for row in group]
        if not options.no_headers or options.count_only:
            print(f"{provider.upper()} Buckets ({len(names)})")
        if not options.count_only:
            for shown in names:
                print(f"  {printable(shown)}")
