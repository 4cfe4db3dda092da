"""Front-end rate limits: how many requests a bucket, and each user, may get in a time.

AIStore's `rate_limit.frontend`. A bucket's props limit the requests to it, of all users together;
the cluster's configuration limits the requests of each user, whatever they are for: a user is who
signed, and who signed nothing is an address. Each limit is a bucket of tokens: `max_tokens` flow in
evenly during an `interval`, up to `burst_size` of them wait, a request takes one. An operation with
tokens of its own (`per_op_max_tokens`, by HTTP method) takes those instead.

Processes do not ask each other: each has its share of a limit, by the workers of a node and the
nodes that live. Memory is bounded, and a limit that nobody has set costs a look at one field.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from aisle.core import settings
from aisle.core.errors import RateLimited
from aisle.core.settings.values import per_operation
from aisle.namespace.store import BucketRow

PREFIX: Final = "rate_limit.frontend."
_ENABLED: Final = PREFIX + "enabled"
_NAMES: Final = tuple(
    PREFIX + name for name in ("interval", "max_tokens", "burst_size", "per_op_max_tokens")
)
_MOST: Final = 20_000


@dataclass(frozen=True, slots=True)
class Rate:
    """A limit as it is set, for the whole cluster."""

    seconds: float
    tokens: int
    burst: int
    operations: Mapping[str, int]


@lru_cache(maxsize=1024)
def _rate(interval: str, tokens: int, burst: int, operations: str) -> Rate:
    seconds = max(settings.nanoseconds(interval), 1) / 1e9
    return Rate(seconds, tokens, burst, per_operation(operations))


def rate_of(values: Mapping[str, settings.Value]) -> Rate | None:
    """The limit that these settings are, `None` if they are none."""
    if not values.get(_ENABLED):
        return None
    interval, tokens, burst, operations = (
        values.get(name, settings.SETTINGS[name].default) for name in _NAMES
    )
    return _rate(str(interval), int(tokens), int(burst), str(operations))


@dataclass(slots=True)
class Limits:
    """The limits in force in one process, and what is left of them.

    `users` is the cluster's; `share` is among how many processes every limit is divided.
    """

    users: Rate | None = None
    share: int = 1
    now: Callable[[], float] = time.monotonic
    _left: dict[tuple[str, str], tuple[float, float]] = field(default_factory=dict)

    def take_user(self, who: str, method: str) -> None:
        """Count a request of `who`. Raises `RateLimited`."""
        if self.users is not None:
            self._take(self.users, "user " + who, method, "of one user")

    def take_bucket(self, row: BucketRow, method: str) -> None:
        """Count a request for a bucket. Raises `RateLimited`."""
        if row.record.props.get(_ENABLED):
            rate = rate_of(row.record.props)
            assert rate is not None
            # Its id: another bucket of the same name begins anew.
            self._take(rate, f"bucket {row.record.id.hex()}", method, "to this bucket")

    def _take(self, rate: Rate, whose: str, method: str, told: str) -> None:
        own = rate.operations.get(method)
        tokens = rate.tokens if own is None else own
        if tokens <= 0:
            raise RateLimited(told, rate.seconds)
        most = max(1.0, min(rate.burst, tokens) / self.share)
        flow = tokens / rate.seconds / self.share
        now = self.now()
        key = (whose, "" if own is None else method)
        left, since = self._left.get(key, (most, now))
        left = min(most, left + (now - since) * flow)
        if left < 1.0:
            raise RateLimited(told, (1.0 - left) / flow)
        if len(self._left) >= _MOST and key not in self._left:
            # The one that was first seen; at worst it begins with a full bucket again.
            del self._left[next(iter(self._left))]
        self._left[key] = (left - 1.0, now)
