"""The entry point of `aisnode`: the command with the real application, and its subcommands."""

from __future__ import annotations

import os
import sys
import uuid
from functools import partial

from aisle.core.counters import Counters
from aisle.node import newkey, ownkey, root, tls
from aisle.node.command import run
from aisle.node.compose import open_app
from aisle.node.options import NodeOptions
from aisle.node.transfer import command as transfer
from aisle.node.transfer.options import COMMANDS
from aisle.store.epoch import Epoch


def main() -> None:
    """Run a node, move a store, or make a key, from the command line."""
    if sys.argv[1:2] and sys.argv[1] in COMMANDS:
        sys.exit(transfer.run(sys.argv[1:], os.environ))
    if sys.argv[1:2] == [newkey.COMMAND]:
        sys.exit(newkey.run(sys.argv[2:]))
    # Made before the workers are forked, so that they share them.
    shared = partial(open_app, epoch=Epoch(), session=uuid.uuid4().hex, counters=Counters())
    sys.exit(run(sys.argv[1:], os.environ, shared, _settle))


def _settle(options: NodeOptions) -> NodeOptions:
    return root.settle(tls.settle(ownkey.settle(options)))
