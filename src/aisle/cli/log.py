"""`ais log show|get`: the log of a node, on the terminal or into files."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from typing import Final

from aisle.cli.daemons import entries, smap
from aisle.cli.failure import Failure
from aisle.client import Client

_SEVERITIES: Final = ("info", "warning", "error")
_PIECE: Final = 64 << 10


def _severity(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--severity",
        choices=_SEVERITIES,
        default="info",
        help="leave out what is less severe",
    )


def show_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("node", metavar="NODE", help="id of a node, as 'ais show cluster' tells it")
    _severity(parser)


def show(client: Client, options: argparse.Namespace) -> None:
    """The present log file of a node."""
    query = {"what": "log", "severity": options.severity}
    headers = {"ais-node-id": options.node}
    with client.download("/v1/reverse/daemon", query, headers) as response:
        sys.stdout.flush()
        while piece := response.read(_PIECE):
            sys.stdout.write(piece.decode("utf-8", "replace"))


def get_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("node", metavar="NODE|cluster", help="id of a node, or all of them")
    parser.add_argument(
        "out", metavar="FILE|DIR", nargs="?", default="", help="where to (NODE.log, NODE.tar.gz)"
    )
    parser.add_argument("--all", "-a", action="store_true", help="every log file, as TAR.GZ")
    _severity(parser)


def get(client: Client, options: argparse.Namespace) -> None:
    """The log of a node, or of every node, into files."""
    if options.node != "cluster":
        _fetch(client, options, options.node, options.out)
        return
    if options.out and not os.path.isdir(options.out):
        raise Failure(f'"{options.out}" is not a directory')
    for entry in entries(smap(client)):
        if entry["daemon_type"] == "target":
            _fetch(client, options, entry["daemon_id"], options.out or ".")


def _fetch(client: Client, options: argparse.Namespace, node: str, out: str) -> None:
    query = {"what": "log", "severity": options.severity}
    if options.all:
        query["all"] = "true"
    name = f"{os.path.basename(node)}{'.tar.gz' if options.all else '.log'}"
    path = os.path.join(out, name) if not out or os.path.isdir(out) else out
    with client.download("/v1/reverse/daemon", query, {"ais-node-id": node}) as response:
        if path == "-":
            shutil.copyfileobj(response, sys.stdout.buffer, _PIECE)
            return
        draft = f"{path}.part"
        try:
            with open(draft, "wb") as file:
                shutil.copyfileobj(response, file, _PIECE)
            os.replace(draft, path)
        except BaseException:
            if os.path.exists(draft):
                os.unlink(draft)
            raise
    print(f"{node}: {path}")
