"""Lifecycle rules as values, and how a bucket keeps them. Nothing is decided here.

What is kept is what was sent, checked and with an id for every rule: transitions too, which have no
effect here, since objects stay where they are.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from aisle.namespace.records.encoding import reader

VARIES: Final = "varies_by_storage_class"
ALL_128K: Final = "all_storage_classes_128K"


class Filter(msgspec.Struct, frozen=True, array_like=True):
    """Which objects a rule is about: those of whom all that is there holds. `form` is how it was
    said: the name of the one element in `Filter`, `And`, `""` for an empty filter, and `Rule` for
    the prefix of a rule without one. Sizes are exclusive."""

    form: str = ""
    prefix: str | None = None
    tags: dict[str, str] = {}
    larger: int | None = None
    smaller: int | None = None

    @property
    def legacy(self) -> bool:
        return self.form == "Rule"


class Expiration(msgspec.Struct, frozen=True, array_like=True):
    """When the current version goes: exactly one is set. `date` is in seconds since 1970."""

    days: int | None = None
    date: int | None = None
    markers: bool | None = None


class Transition(msgspec.Struct, frozen=True, array_like=True):
    storage_class: str
    days: int | None = None
    date: int | None = None


class NoncurrentExpiration(msgspec.Struct, frozen=True, array_like=True):
    """When former versions go: so many days after they became former ones, but for the `newer`
    newest ones."""

    days: int
    newer: int | None = None


class NoncurrentTransition(msgspec.Struct, frozen=True, array_like=True):
    storage_class: str
    days: int
    newer: int | None = None


class Rule(msgspec.Struct, frozen=True, array_like=True):
    id: str
    status: Literal["Enabled", "Disabled"]
    filter: Filter
    expiration: Expiration | None = None
    noncurrent: NoncurrentExpiration | None = None
    abort_days: int | None = None
    transitions: list[Transition] = []
    noncurrent_transitions: list[NoncurrentTransition] = []

    @property
    def acts(self) -> bool:
        """Whether it says anything to do."""
        return bool(
            self.expiration
            or self.noncurrent
            or self.abort_days
            or self.transitions
            or self.noncurrent_transitions
        )


class Configuration(msgspec.Struct, frozen=True, array_like=True):
    """A bucket's rules; `minimum` is the least size that a transition takes by default."""

    rules: list[Rule]
    minimum: str = ALL_128K


def encode(configuration: Configuration) -> bytes:
    return msgspec.msgpack.encode(configuration)


decode: Final = reader(Configuration, "a bucket's lifecycle rules")
