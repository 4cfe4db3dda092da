"""What is tried again and when: attempts, pauses, patience and a budget.

* Pauses grow twofold and are random in their upper half, so that those who failed together do not
  return together; the server's Retry-After is kept to where it is longer, and where it is longer
  than `pause` there is no further attempt: the caller is told, and may come again.
* A budget is shared by all requests to a server: repetitions cost, successes earn. While a server
  refuses everything, requests are soon made once each, instead of five times.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from aisle.outgoing.request import Refusal, TransportError

_COST: Final = 5.0
_EARNED: Final = 1.0

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Limits:
    """How long and how often. All in seconds, but for counts and bytes."""

    attempts: int = 5
    patience: float = 60.0  # after which no further attempt begins
    backoff: float = 0.2  # the first pause
    pause: float = 20.0  # the longest, also if the server asks for more
    connect: float = 5.0
    reply: float = 30.0  # until the head of a reply is there, beside the time that a body takes
    idle: float = 30.0  # between two pieces of a body
    slowest: int = 256 << 10  # bytes a second, below which a body being sent counts as stuck
    whole: int = 8 << 20  # bytes of a reply that is read whole
    budget: float = 500.0  # see `Budget`


LIMITS: Final = Limits()


class Refused(Exception):
    """An attempt was answered with a failure."""

    def __init__(self, refusal: Refusal, wait: float | None) -> None:
        super().__init__(str(refusal.error))
        self.refusal = refusal
        self.wait = wait


class Budget:
    """What may be spent on repetitions: each costs 5, each success brings 1 back."""

    __slots__ = ("_left", "_size")

    def __init__(self, size: float) -> None:
        self._size = size
        self._left = size

    def earn(self) -> None:
        self._left = min(self._size, self._left + _EARNED)

    def spend(self) -> bool:
        """Whether one more repetition is affordable; it is paid for."""
        if self._left < _COST:
            return False
        self._left -= _COST
        return True


async def persist(
    attempt: Callable[[bool], Awaitable[_Result]],
    limits: Limits,
    budget: Budget,
    *,
    attempts: int | None = None,
    repeat_sent: bool = True,
) -> _Result:
    """What `attempt` returns, tried again while failures are of a kind that passes.

    It is told whether an earlier attempt may have been carried out. Without `repeat_sent` nothing
    is repeated that may have been. Raises the last `TransportError`, whose `sent` is about all
    attempts, or the error of the refusal.
    """
    started = time.monotonic()
    doubtful = False
    last = limits.attempts if attempts is None else attempts
    number = 0
    while True:
        number += 1
        wait: float | None = None
        failure: Exception
        try:
            result = await attempt(doubtful)
        except Refused as refused:
            refusal, wait = refused.refusal, refused.wait
            failure, passing, done = refusal.error, refusal.passing, refusal.done
        except TransportError as error:
            failure, passing, done = error, error.passing, error.sent
        else:
            budget.earn()
            return result
        doubtful = doubtful or done
        if isinstance(failure, TransportError):
            failure.sent = doubtful  # whatever became of the last attempt
        pause = _pause(number, limits, wait)
        late = time.monotonic() + pause - started > limits.patience
        if not passing or (done and not repeat_sent) or number >= last or late:
            raise failure
        if (wait or 0.0) > limits.pause or not budget.spend():
            raise failure
        await asyncio.sleep(pause)


def _pause(number: int, limits: Limits, wait: float | None) -> float:
    grown: float = min(limits.pause, limits.backoff * 2.0 ** (number - 1))
    return max(grown * random.uniform(0.5, 1.0), min(wait or 0.0, limits.pause))  # noqa: S311
