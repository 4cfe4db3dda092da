"""What goes out and what comes back: values, and what can go wrong between them.

No error's text has more in it than what happened: whoever called knows what it was about, and
addresses and headers may hold secrets.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Final, NamedTuple

# A body from its beginning, each time it is called.
Open = Callable[[], AsyncIterator[bytes]]


@dataclass(frozen=True, slots=True)
class Body:
    """`size` bytes that `open` gives, as often as it is asked; `size` None if nobody knows, which
    sends it in chunks."""

    size: int | None
    open: Open


def whole(pieces: Sequence[bytes] | bytes) -> Body:
    """A body that is in memory."""
    held = (pieces,) if isinstance(pieces, bytes) else tuple(pieces)

    async def pour() -> AsyncIterator[bytes]:
        for piece in held:
            yield piece

    return Body(sum(map(len, held)), pour)


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `url` is absolute and percent-encoded as it is sent; names of headers are lower
    case; `content-length` and `host` are added."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: Body | None = None


class Reply(NamedTuple):
    """A reply that was read whole. `doubtful` if an earlier attempt at the same request may have
    been carried out, so that this reply may be about its effect. Names of `headers` are found in
    any case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""
    doubtful: bool = False

    @property
    def date(self) -> float:
        """The server's clock, in seconds; ours if it does not tell."""
        told = http_seconds(self.headers.get("date", ""))
        return time.time() if told is None else told


class Refusal(NamedTuple):
    """A reply that is a failure: what to raise, and whether the same request may succeed later.
    `skewed` if only because our clock differs from the server's `Date`; `done` if the server may
    have carried it out all the same."""

    error: Exception
    passing: bool = False
    skewed: bool = False
    done: bool = False


# What a reply means: `None` if it is a success. Called with the whole reply, also one of 200.
Judge = Callable[[Reply], Refusal | None]
# The headers to send a request with, signed for the server's clock in seconds; for each attempt.
Sign = Callable[[Request, float], Awaitable[Mapping[str, str]]]


class TransportError(Exception):
    """An exchange did not come to its end. `sent` if the server may have acted on it; only such a
    one that is `passing` is worth another attempt."""

    passing: bool = True

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


class Unreachable(TransportError):
    """There was no connection, so nothing was sent."""

    def __init__(self, message: str) -> None:
        super().__init__(message, sent=False)


class NoReply(TransportError):
    """The connection was lost, or nothing came in time."""


class BrokenReply(TransportError):
    """The reply ended early, or is no HTTP."""


class OversizeReply(TransportError):
    """The reply is longer than whatever was asked for can be."""

    passing = False


_MAX_SECONDS: Final = 10**9


def http_seconds(text: str) -> float | None:
    """An HTTP date in seconds since the epoch."""
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds that a server asks to be left alone for: a number, or a date by its own clock."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdecimal():
        return float(min(int(text[:12]), _MAX_SECONDS))
    until = http_seconds(text) if text else None
    if until is None:
        return None
    now = http_seconds(headers.get("date", ""))
    return max(0.0, until - (time.time() if now is None else now))
