"""What can be wrong with a request itself, whoever sent it: its parameters, its body, its pace.

What is wrong with the caller is in `access`; what a bucket or an object makes of a sound request
is in `buckets`.
"""

from __future__ import annotations

from aisle.core.errors.base import AisleError


class InvalidRequest(AisleError):
    """The request contradicts itself or asks for something that makes no sense."""


class InvalidArgument(AisleError):
    """A parameter has a value it cannot have."""

    def __init__(self, message: str, *, name: str = "", value: str = "") -> None:
        super().__init__(message)
        self.name = name
        self.value = value


class InvalidName(AisleError):
    """A bucket name, key or other identifier breaks its rules."""

    def __init__(self, message: str, *, name: str) -> None:
        super().__init__(message)
        self.name = name


class KeyTooLong(AisleError):
    """An object key has more than 1,024 bytes in UTF-8."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"the key has {size} bytes, the limit is {limit}")
        self.size = size
        self.limit = limit


class NotSupported(AisleError):
    """A known operation or option that this store does not offer."""


class EntityTooLarge(AisleError):
    """A body is larger than the limit for its kind."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"the body has {size} bytes, the limit is {limit}")
        self.size = size
        self.limit = limit


class IncompleteBody(AisleError):
    """The body ended before the announced number of bytes, or went on past it."""


class RequestTimeout(AisleError):
    """The client has neither sent nor taken anything for too long."""


class TooBusy(AisleError):
    """There are as many requests as can be served at a time."""


class RateLimited(AisleError):
    """More requests were sent than are allowed; after `retry_after` seconds one more may come."""

    def __init__(self, what: str, retry_after: float) -> None:
        super().__init__(f"the rate of requests {what} is limited: try again later")
        self.retry_after = retry_after


class DigestMismatch(AisleError):
    """The body's digest is not the one the client sent. Nothing was stored."""

    def __init__(self, algorithm: str, *, expected: str, computed: str) -> None:
        super().__init__(f"{algorithm}: expected {expected}, computed {computed}")
        self.algorithm = algorithm
        self.expected = expected
        self.computed = computed
