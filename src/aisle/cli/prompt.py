"""Questions to the user: asked on stderr and answered on a terminal, or not asked at all."""

from __future__ import annotations

import sys


def can_ask() -> bool:
    """Whether somebody is there to answer."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def confirmed(question: str) -> bool:
    """Ask a question that is answered with yes or no; anything but yes is a no."""
    print(f"{question} [Y/N]: ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
