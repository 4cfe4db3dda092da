"""Remarks on stderr, so that what is piped on is never mixed with them."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib import import_module


def note(text: str) -> None:
    sys.stdout.flush()  # where both go to one place, what was said first comes first
    print(f"Note: {text}", file=sys.stderr)


def note_settings(names: Iterable[str]) -> None:
    """Say which of the settings just made do nothing here yet."""
    # Imported here and now: the table takes longer to load than what only prints a note.
    known = import_module("aisle.core.settings").SETTINGS
    idle = [name for name in names if name in known and not known[name].effect]
    if idle:
        verb = "has" if len(idle) == 1 else "have"
        note(f"{', '.join(idle)} {verb} no effect in this release")
