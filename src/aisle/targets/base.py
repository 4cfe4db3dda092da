"""The port to whoever is told of events: `Target`, and `Targets`, all that a node knows.

Contract, held by `tests/targets/` for every kind:

* `send` returns once the target has taken the message for good, as far as its kind can tell; else
  it raises `TargetError`. It may be called many times at once, and again after any failure.
* It connects by itself, and again after a connection was lost.
* It need not watch the time: whoever calls it cancels it after `Spec.timeout`.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol

NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
TIMEOUT: Final = 10.0


class TargetError(Exception):
    """A message was not delivered. `refused` if the target is there and will not have this one;
    otherwise nothing is known against the message."""

    def __init__(self, message: str, *, refused: bool = False) -> None:
        super().__init__(message)
        self.refused = refused


class Message(NamedTuple):
    """What is told, and of which object: `BUCKET/KEY`, for targets that keep an order by key."""

    body: bytes
    key: bytes


class Target(Protocol):
    """See the module."""

    async def send(self, message: Message) -> None: ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Spec:
    """A target as its operator describes it. `options` are those of its kind; secrets among them
    stay out of `repr`."""

    name: str
    kind: str
    timeout: float = TIMEOUT
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)


class Known(NamedTuple):
    """A target that can be told of events."""

    spec: Spec
    target: Target

    async def send(self, message: Message) -> None:
        """Tell it, within its time. Raises `TargetError`."""
        try:
            async with asyncio.timeout(self.spec.timeout):
                await self.target.send(message)
        except TimeoutError:
            raise TargetError("it does not answer in time") from None
        except TargetError:
            raise
        except Exception as error:
            # Clients of others have errors that nobody has written down.
            raise TargetError(f"its client says {type(error).__name__}") from None


class Targets:
    """The targets of a node by name."""

    def __init__(self, known: Mapping[str, Known]) -> None:
        self._known = dict(known)

    def __iter__(self) -> Iterator[Known]:
        return iter(self._known.values())

    def __len__(self) -> int:
        return len(self._known)

    def get(self, name: str) -> Known | None:
        return self._known.get(name)

    async def close(self) -> None:
        for known in self:
            with suppress(TargetError, TimeoutError):
                async with asyncio.timeout(known.spec.timeout):
                    await known.target.close()


NONE: Final = Targets({})
