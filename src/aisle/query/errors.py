"""What can be wrong with a query, its input or its run, by the codes that S3 Select has for it.

Spec: API reference, "SELECT Object Content & RESTORE Object errors".
"""

from __future__ import annotations

from aisle.core.errors import AisleError


class QueryError(AisleError):
    """A query that cannot be done, by S3's code for the reason."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class QueryUnavailable(AisleError):
    """This node has not what queries need."""
