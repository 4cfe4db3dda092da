"""What policies say of one request: whether a statement denies it, whether one allows it.

The question may also be about everything under some beginning of an ARN: then a denial counts if
it could be about any of it, and an allowance only if it is about all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from aisle.auth.policy.conditions import Given, Known
from aisle.auth.policy.document import Policy, Statement


class Question:
    """One request as policies see it. `ask` is for the values of condition keys, once each, and
    only if a statement that could count needs them."""

    __slots__ = ("_action", "_known", "_many", "_names", "_resource")

    def __init__(
        self,
        names: frozenset[str],
        action: str,
        resource: str,
        ask: Callable[[str], Given],
        *,
        many: bool = False,
    ) -> None:
        self._names = names
        self._action = action
        self._resource = resource
        self._known = Known(ask, many=many)
        self._many = many

    def denied_by(self, policies: Iterable[Policy]) -> bool:
        for policy in policies:
            denials = policy.relevant(self._action, self._names).denials
            if denials and self._applies(denials, False):
                return True
        return False

    def allowed_by(self, policies: Iterable[Policy]) -> bool:
        for policy in policies:
            allowances = policy.relevant(self._action, self._names).allowances
            if allowances and self._applies(allowances, True):
                return True
        return False

    def _applies(self, statements: tuple[Statement, ...], allow: bool) -> bool:
        """Whether one of some statements of the same effect does."""
        resource, known = self._resource, self._known
        for statement in statements:
            resources = statement.resources
            if self._many:
                if not (resources.has_all if allow else resources.has_any)(resource):
                    continue
            elif resources.simply is not None:
                if not resources.simply(resource):
                    continue
            elif not resources.has(resource, known, allow):
                continue
            for condition in statement.conditions:
                if not condition.holds(known, allow):
                    break
            else:
                return True
        return False
