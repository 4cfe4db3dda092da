"""Remarks on stderr, so that what is piped on is never mixed with them."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from aisle.core.settings import SETTINGS


def note(text: str) -> None:
    print(f"Note: {text}", file=sys.stderr)


def note_settings(names: Iterable[str]) -> None:
    """Say which of the settings just made do nothing here yet."""
    idle = [name for name in names if name in SETTINGS and not SETTINGS[name].effect]
    if idle:
        verb = "has" if len(idle) == 1 else "have"
        note(f"{', '.join(idle)} {verb} no effect in this release")
