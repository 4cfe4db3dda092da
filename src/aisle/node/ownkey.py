"""The key that a node makes for itself, so that requests which ask for SSE-S3 need no set-up.

It is made at the first start without a key ring, if the rows are in the node's own directory, and
lies there: who has the directory has the key. Nodes that share an index have none, as what one of
them encrypts the others have to open. Once made it is in the node's ring, beside the keys of a ring
that comes later; `rotate-keys` then wraps with those.
"""

from __future__ import annotations

import base64
import binascii
import os
from dataclasses import replace
from pathlib import Path
from typing import Final

from aisle.core.errors import ConfigError
from aisle.namespace.sealing.frames import KEY
from aisle.namespace.sealing.ring import Ring
from aisle.node import newkey
from aisle.node.options import NodeOptions

FILE: Final = "own.key"


def settle(options: NodeOptions) -> NodeOptions:
    """The options with the node's own key in their ring, if it is to have one. The directory is
    there and held. Raises `ConfigError`."""
    if not options.embedded:
        return options
    own = _kept(options.data / FILE, make=options.ring is None)
    if not own:
        return options
    ring = options.ring.with_own(own) if options.ring is not None else Ring({}, own)
    return replace(options, ring=ring)


def _kept(file: Path, *, make: bool) -> bytes:
    try:
        if file.exists():
            return _decoded(file)
        if not make:
            return b""
        own = os.urandom(KEY)
        newkey.replace(file, base64.b64encode(own).decode() + "\n")
    except ValueError as error:
        raise ConfigError(f"{file}: {error}") from None
    except OSError as error:
        raise ConfigError(f"{file} cannot be written: {error.strerror}") from None
    return own


def _decoded(file: Path) -> bytes:
    """Raises `ValueError`, in which there is nothing of the key."""
    try:
        own = base64.b64decode(newkey.read(file).strip(), validate=True)
    except binascii.Error:
        own = b""
    if len(own) != KEY:
        raise ValueError(f"expected {KEY} bytes in base64")
    return own
