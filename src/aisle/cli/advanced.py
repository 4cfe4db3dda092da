"""`ais advanced`: what scripts need now and then."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING
from urllib.parse import quote

from aisle.cli.failure import Failure

if TYPE_CHECKING:
    import argparse

    from aisle.client.client import Client

_MAPS = {"proxy": ("pmap",), "target": ("tmap",), "": ("pmap", "tmap")}


def random_node_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "kind", nargs="?", default="", choices=("proxy", "target", ""), metavar="KIND",
        help="proxy or target (default: either)",
    )  # fmt: skip


def random_node(client: Client, options: argparse.Namespace) -> None:
    nodes = client.cluster_map()
    ids = [node for name in _MAPS[options.kind] for node in nodes.get(name, {})]
    if not ids:
        raise Failure("there is no such node")
    # Not a secret: any of them will do.
    print(random.choice(ids))  # noqa: S311


def enable_backend_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "provider", metavar="PROVIDER", help="such as aws (s3), gcp (gs), azure (az), ht or ais"
    )


disable_backend_arguments = enable_backend_arguments


def enable_backend(client: Client, options: argparse.Namespace) -> None:
    """Switch a provider of remote buckets on."""
    client.act("PUT", f"/v1/cluster/enable-bend/{_name(options)}", {})
    print(f'backend "{options.provider}" is enabled')


def disable_backend(client: Client, options: argparse.Namespace) -> None:
    """Switch a provider of remote buckets off, for all requests to buckets of its own."""
    client.act("PUT", f"/v1/cluster/disable-bend/{_name(options)}", {})
    print(f'backend "{options.provider}" is disabled')


def _name(options: argparse.Namespace) -> str:
    return quote(options.provider.removesuffix("://").removesuffix(":"), safe="")
