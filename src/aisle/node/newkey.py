"""`aisnode new-key`: adds a key to the file of a key ring, or begins one.

The file is replaced in one step, and readable for its owner alone. The key itself is never shown.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from aisle.core.errors import ConfigError
from aisle.namespace.sealing.ring import DEFAULT, Ring, fresh_line

COMMAND: Final = "new-key"
LARGEST: Final = 1 << 20

_EXAMPLES: Final = """\
examples:
  aisnode new-key /etc/aisle/keys             a key for everything, or its next version
  aisnode new-key /etc/aisle/keys reports     one that clients name: aws:kms with the key id reports
  aisnode --key-ring-file /etc/aisle/keys     a node that encrypts with them

Copy the file to every node and to a safe place, and restart the nodes. What is encrypted with a key
cannot be read by anybody once that key is lost.
"""


def run(arguments: Sequence[str]) -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(
        prog=f"aisnode {COMMAND}",
        description="Add a key to a key ring: a new name, or the next version of one.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", metavar="FILE", help="file of the key ring; made if absent")
    parser.add_argument(
        "name", metavar="NAME", nargs="?", default=DEFAULT, help=f"name (default: {DEFAULT})"
    )
    given = parser.parse_args(arguments)
    try:
        added = add(Path(given.file), given.name)
    except ConfigError as error:
        print(f"aisnode: error: {error}", file=sys.stderr)
        return 1
    print("\n".join(f"added {identity} to {given.file}" for identity in added))
    return 0


def add(file: Path, name: str) -> list[str]:
    """Add a key, before others that of the store itself; what was added. Raises `ConfigError`."""
    try:
        text = read(file) if file.exists() else ""
        begun = bool(text.strip())
        if begun:
            Ring.parse(text)
        added = [fresh_line(text, name)]
        if not begun and name != DEFAULT:
            added.insert(0, fresh_line("", DEFAULT))
        kept = [text.rstrip("\n")] if begun else []
        replace(file, "\n".join([*kept, *added]) + "\n")
    except ValueError as error:
        raise ConfigError(f"{file}: {error}") from None
    except OSError as error:
        raise ConfigError(f"{file} cannot be written: {error.strerror}") from None
    return [line.partition(":")[0] for line in added]


def read(file: Path) -> str:
    """What a file holds. Raises `ValueError`, in which there is nothing of it."""
    try:
        with file.open("rb") as opened:
            raw = opened.read(LARGEST + 1)
        text = raw.decode()
    except OSError as error:
        raise ValueError(f"it cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError("expected text in UTF-8") from None
    if len(raw) > LARGEST:
        raise ValueError(f"expected no more than {LARGEST} bytes")
    return text


def replace(file: Path, text: str) -> None:
    """Write a file for its owner alone, in one step and for good. Raises `OSError`."""
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(fd, "w") as opened:
            opened.write(text)
            opened.flush()
            os.fsync(opened.fileno())
        beside.replace(file)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    directory = os.open(file.absolute().parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
