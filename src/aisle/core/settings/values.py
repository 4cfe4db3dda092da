"""What a setting's value is: from text or JSON to its canonical form, and back.

Canonical values: bool, int (also masks) and str (sizes and durations keep the text they were
given; a list of words is text with commas). Pure functions; errors are `ValueError`s that say what
was expected.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aisle.core import features
from aisle.core.permissions import ACCESS_ALL
from aisle.core.settings.row import Scope, Setting, Value
from aisle.core.units import parse_bool, parse_duration, parse_size

_METHODS: Final = ("GET", "HEAD", "PUT", "POST", "DELETE")
REMOTE_OPERATIONS: Final = ("GET", "HEAD", "PUT", "DELETE", "LIST")
_MOST: Final = (1 << 31) - 1
_MIB: Final = 1 << 20
_GIB: Final = 1 << 30


def parse(row: Setting, raw: object, scope: Scope) -> Value:
    """The canonical value of `row` from text or JSON."""
    match row.kind:
        case "bool":
            return parse_bool(raw)
        case "int":
            return _int(raw, row.low, row.high)
        case "mask":
            if row.name == "features":
                return _features(raw, bucket=scope == "bucket")
            return _int(raw, 0, ACCESS_ALL)
        case "words":
            return _words(raw)
        case _:
            return _text(row, raw)


def show(value: Value) -> str:
    """A value as the command line and tables print it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def to_json(row: Setting, value: Value) -> Value | list[str]:
    """A value as JSON carries it: masks as decimal strings, since many readers hold 53 bits."""
    if row.kind == "mask":
        return str(value)
    if row.kind == "words":
        return str(value).split(",") if value else []
    return value


def nanoseconds(value: Value) -> int:
    """The length of a canonical duration."""
    assert isinstance(value, str)
    return parse_duration(value)


def size_of(value: Value) -> int:
    """The bytes of a canonical size."""
    assert isinstance(value, str)
    return parse_size(value)


def per_operation(text: str, methods: Sequence[str] = _METHODS) -> dict[str, int]:
    """Numbers by HTTP method, from text such as `get:1000,put:500`. Raises `ValueError`."""
    found: dict[str, int] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        name, _, number = item.partition(":")
        method = name.strip().upper()
        if method not in methods or method in found:
            raise ValueError(f"expected METHOD:NUMBER for any of {', '.join(methods)}, each once")
        found[method] = _int(number, 0, _MOST)
    return found


def _int(raw: object, low: int, high: int) -> int:
    # int() alone would read True, "1_000" and Arabic digits.
    text = raw.strip() if isinstance(raw, str) else ""
    if isinstance(raw, int) and not isinstance(raw, bool):
        value = raw
    elif text.isascii() and text.removeprefix("-").isdecimal() and len(text) <= 20:
        value = int(text)
    else:
        raise ValueError("expected a whole number")
    if not low <= value <= high:
        raise ValueError(f"expected a number from {low} to {high}")
    return value


def _features(raw: object, *, bucket: bool) -> int:
    if isinstance(raw, bool) or not isinstance(raw, int | str | list | tuple):
        raise ValueError("expected feature names or a mask")
    if not isinstance(raw, int | str) and not all(isinstance(word, str) for word in raw):
        raise ValueError("expected feature names or a mask")
    return features.parse_features(raw, bucket=bucket)


def _words(raw: object) -> str:
    words = raw.split(",") if isinstance(raw, str) else raw
    if not isinstance(words, list | tuple) or not all(isinstance(word, str) for word in words):
        raise ValueError("expected words")
    value = ",".join(word.strip() for word in words if word.strip())
    _check_printable(value)
    return value


def _text(row: Setting, raw: object) -> str:
    if row.kind == "size" and isinstance(raw, int) and not isinstance(raw, bool):
        raw = str(raw)  # JSON sizes may be plain numbers
    if not isinstance(raw, str):
        raise ValueError("expected text")
    value = raw.strip()
    if row.kind == "choice" and value not in row.choices:
        shown = ", ".join(choice or '""' for choice in row.choices)
        raise ValueError(f"expected one of {shown}")
    if row.kind == "size":
        size = -1 if value == "-1" and row.low == -1 else parse_size(value)
        if row.name == "extra.aws.multipart_size" and size > 0 and not 5 * _MIB <= size <= 5 * _GIB:
            raise ValueError("expected 5MiB to 5GiB as S3 takes them, or 0, or -1")
    elif row.kind == "duration":
        parse_duration(value)
    elif row.name == "rate_limit.backend.per_op_max_tokens":
        per_operation(value, REMOTE_OPERATIONS)
    elif row.name.endswith(".per_op_max_tokens"):
        per_operation(value)
    else:
        _check_printable(value)
    return value


def _check_printable(value: str) -> None:
    if any(ord(character) < 32 or 0xD800 <= ord(character) < 0xE000 for character in value):
        raise ValueError("expected text without control characters")
