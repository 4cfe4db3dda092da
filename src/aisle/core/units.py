"""Sizes, durations and truth as people write them: `4MiB`, `64KB`, `7d`, `1h30m`, `yes`.

Units follow AIStore: every size suffix is a power of 1,024, whether it is written `K`, `KB` or
`KiB`; durations are what Go's `time.ParseDuration` reads, and days and weeks beside. A value keeps
the text it was given (AIStore's config replies show `120m`, not `2h`); these functions only turn
it into numbers. Pure functions over text: no setting is known here.
"""

from __future__ import annotations

import re
from typing import Final

_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgtpe]?)(?:i?b)?", re.ASCII | re.IGNORECASE)
_SIZE_POWERS: Final = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5, "e": 6}

_DURATION_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h|d|w)", re.ASCII)
_DURATION_UNITS: Final = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
    "d": 86_400_000_000_000,
    "w": 604_800_000_000_000,
}
_LARGEST: Final = (1 << 63) - 1  # what a signed 64-bit reader of our JSON can hold


def parse_size(text: str) -> int:
    """Bytes in `text`. Raises `ValueError`, whose text says what was expected."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError("expected a size such as 65536, 4MiB or 1GB")
    number, suffix = match.groups()
    factor: int = 1024 ** _SIZE_POWERS[suffix.lower()]
    # Whole numbers stay integers: a float loses bytes above 2**53.
    size = int(number) * factor if number.isdecimal() else int(float(number) * factor)
    if size > _LARGEST:
        raise ValueError("expected a size below 8EiB")
    return size


def parse_duration(text: str) -> int:
    """Nanoseconds in `text`. Raises `ValueError`, whose text says what was expected."""
    text = text.strip()
    if text == "0":
        return 0
    total = 0
    end = 0
    for match in _DURATION_PART.finditer(text):
        if match.start() != end:
            break
        end = match.end()
        number, unit = match.groups()
        factor = _DURATION_UNITS[unit]
        total += int(number) * factor if number.isdecimal() else int(float(number) * factor)
    if not text or end != len(text):
        raise ValueError("expected a duration such as 30s, 120m, 12h or 7d")
    if total > _LARGEST:
        raise ValueError("expected a duration below 292 years")
    return total


def parse_bool(raw: object) -> bool:
    """`true` or `false`, or another word for it. Raises `ValueError`."""
    if isinstance(raw, bool):
        return raw
    word = raw.strip().lower() if isinstance(raw, str) else ""
    if word in ("true", "yes", "on", "1"):
        return True
    if word in ("false", "no", "off", "0"):
        return False
    raise ValueError("expected true or false")
