"""The root of all errors; nothing else lives here."""

from __future__ import annotations


class AisleError(Exception):
    """The root of everything a caller may be told. `str(error)` is one plain sentence."""
