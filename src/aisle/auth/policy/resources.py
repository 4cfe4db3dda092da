"""The Resource element: which resources a statement is about, one by one or many at once."""

from __future__ import annotations

from collections.abc import Sequence

from aisle.auth.policy.conditions import Known
from aisle.auth.policy.match import (
    Test,
    Tokens,
    Variable,
    Wild,
    any_of,
    bind,
    compiled,
    has_variables,
    reach_of,
)


class Resources:
    """Patterns of ARNs, or with `negated` all but those. `simply` tests an ARN where nothing of the
    request is needed for it."""

    __slots__ = ("_fixed", "_negated", "_patterns", "_templates", "simply")

    def __init__(self, patterns: Sequence[Tokens], negated: bool) -> None:
        self._patterns = tuple(patterns)
        self._fixed = any_of(pattern for pattern in patterns if not has_variables(pattern))
        self._templates = tuple(pattern for pattern in patterns if has_variables(pattern))
        self._negated = negated
        self.simply: Test | None = None if self._templates or negated else self._fixed

    def has(self, arn: str, known: Known, allow: bool) -> bool:
        """Whether a resource is among them; `allow` is the statement's effect, which settles
        what cannot be known."""
        if self._fixed(arn):
            return not self._negated
        unknown = False
        for template in self._templates:
            pattern = bind(template, known.single)
            if pattern is None:
                unknown = True
            elif compiled(pattern)(arn):
                return not self._negated
        if unknown and self._negated:
            return not allow
        return self._negated

    def has_all(self, beginning: str) -> bool:
        """Whether everything that begins so is among them, as far as that is certain."""
        found = reach_of(self._patterns, beginning)
        return not found.any if self._negated else found.all

    def has_any(self, beginning: str) -> bool:
        """Whether something that begins so could be among them."""
        found = reach_of(self._patterns, beginning)
        return not found.all if self._negated else found.any


def without_variables(pattern: Tokens) -> Tokens:
    """A pattern for all that this one could be."""
    return tuple(Wild.MANY if isinstance(token, Variable) else token for token in pattern)
