"""The times that requests are signed with: how they are written, and how old they may be.

Both versions of the signature take the time from x-amz-date or Date and allow the same distance
from the server's clock. No clock is read here.
"""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Final

from aisle.core.errors import ClockSkewTooLarge, MalformedCredentials

MAX_SKEW: Final = 15 * 60


def check_skew(time: float, now: float) -> None:
    if abs(now - time) > MAX_SKEW:
        raise ClockSkewTooLarge(time, now, MAX_SKEW)


def to_timestamp(date: str) -> str:
    """A date as HTTP or ISO 8601 writes it, as `YYYYMMDDTHHMMSSZ`. Raises if it is neither."""
    if parse_timestamp(date) is not None:
        return date
    try:
        moment = parsedate_to_datetime(date[:64])
        # "-0000" comes back without a zone and would be taken for local time.
        moment = moment.astimezone(UTC) if moment.tzinfo else moment
        return moment.strftime("%Y%m%dT%H%M%SZ")
    except (ValueError, OverflowError):
        raise MalformedCredentials("the date of the request cannot be read") from None


@lru_cache(maxsize=64)
def parse_timestamp(text: str) -> float | None:
    """Seconds since 1970 of `YYYYMMDDTHHMMSSZ`. Cached: requests of one second share it."""
    if len(text) != 16 or not text.isascii() or text[8] != "T" or text[15] != "Z":
        return None
    day, hour = text[:8], text[9:15]
    if not (day.isdigit() and hour.isdigit()):
        return None
    try:
        return datetime(
            int(day[:4]),
            int(day[4:6]),
            int(day[6:]),
            int(hour[:2]),
            int(hour[2:4]),
            int(hour[4:]),
            tzinfo=UTC,
        ).timestamp()
    except ValueError:
        return None
