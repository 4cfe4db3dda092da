"""The entry point of `aisnode`: the command, with the real application."""

from __future__ import annotations

import os
import sys
from functools import partial

from aisle.node.command import run
from aisle.node.compose import open_app
from aisle.store.epoch import Epoch


def main() -> None:
    """Run a node from the command line."""
    # Made before the workers are forked, so that they share it.
    sys.exit(run(sys.argv[1:], os.environ, partial(open_app, epoch=Epoch())))
