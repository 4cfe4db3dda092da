"""XML of the query protocol: plain values as elements, one envelope around every reply.

A mapping is elements by name, a list its `member`s, a pair of a mapping given as `Entries` an
`entry` with `key` and `value`. What XML cannot carry becomes U+FFFD. Nothing is read here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple
from xml.sax.saxutils import escape

DECLARATION: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'
SECOND: Final = 1_000_000_000
_CANNOT: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Entries(NamedTuple):
    """A map whose keys are data."""

    items: Mapping[str, int]


Value = str | int | bool | Entries | Sequence["Value"] | Mapping[str, "Value"]
Result = Mapping[str, Value]


def element(name: str, value: Value) -> str:
    """One element with all that is in it."""
    return f"<{name}>{_content(value)}</{name}>"


def _content(value: Value) -> str:
    if isinstance(value, str):
        return escape(_CANNOT.sub("\ufffd", value), {"\r": "&#xD;"})
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Entries):
        pairs = value.items.items()
        return "".join(element("entry", {"key": key, "value": number}) for key, number in pairs)
    if isinstance(value, Mapping):
        return "".join(element(name, inner) for name, inner in value.items())
    return "".join(element("member", inner) for inner in value)


def document(root: str, namespace: str, inner: str, request_id: str) -> bytes:
    """A reply. An error carries its request's id bare, a result in an element of its own."""
    number = element("RequestId", request_id)
    if root != "ErrorResponse":
        number = f"<ResponseMetadata>{number}</ResponseMetadata>"
    return f'{DECLARATION}<{root} xmlns="{namespace}">{inner}{number}</{root}>'.encode()
