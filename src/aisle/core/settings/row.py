"""A row of the table of settings, and what its value may be. No row stands here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["bool", "int", "size", "duration", "text", "words", "choice", "mask"]
Scope = Literal["cluster", "bucket"]
Value = bool | int | str

NO_EFFECT: Final = "Kept and returned; has no effect here."


@dataclass(frozen=True, slots=True)
class Setting:
    """One row. `low` and `high` bound ints; `choices` list what a choice may be.

    A `rare` one is in the JSON, but in a table only if it is asked for by its own name or is not
    at its default. A `fixed` one tells what the node was started with, and cannot be set.
    """

    name: str
    kind: Kind
    default: Value
    help: str
    scope: frozenset[Scope]
    effect: bool = False
    restart: bool = False
    choices: tuple[str, ...] = ()
    low: int = 0
    high: int = (1 << 63) - 1
    rare: bool = False
    fixed: bool = False

    @property
    def description(self) -> str:
        """`help`, and that the setting does nothing yet where that is so."""
        return self.help if self.effect else f"{self.help} {NO_EFFECT}"


BOTH: Final[frozenset[Scope]] = frozenset({"cluster", "bucket"})
CLUSTER: Final[frozenset[Scope]] = frozenset({"cluster"})
BUCKET: Final[frozenset[Scope]] = frozenset({"bucket"})
COMPRESSION: Final = ("never", "always")
