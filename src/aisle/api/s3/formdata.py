"""multipart/form-data as a stream: a state machine that is fed bytes and gives parts.

It holds no more than a part's head and the few bytes that could be the beginning of a delimiter, so
that it does not matter how large a part is or where the pieces were cut. What a part means, and how
large it may be, is its reader's affair; `overhead` tells how many bytes the heads, delimiters and
whatever stands before and after the parts have taken. No I/O.

Spec: RFC 7578; RFC 2046, 5.1.1. As browsers do (WHATWG HTML, "Multipart form data"), quotes and
line ends in names are percent-encoded; a backslash stands for itself, unless before a quote.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes

MAX_HEAD: Final = 4096
_LINE: Final = b"\r\n"
_HEAD_END: Final = b"\r\n\r\n"
_MAX_PADDING: Final = 64
# RFC 2046: up to 70 of these characters, and no space at the end.
_BOUNDARY: Final = re.compile(
    r"""boundary=(?:"([0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-])\""""
    r"""|([0-9A-Za-z'()+_./:=?-]{1,70}))\s*(?:;|$)""",
    re.IGNORECASE,
)
_PARAMETER: Final = re.compile(
    r""";\s*([0-9A-Za-z!#$%&'*+.^_`|~-]+)\s*=\s*(?:"((?:[^"\\]|\\"|\\(?!"))*)"|([^\s;"]+))"""
)
_ESCAPED: Final = {"%22": '"', "%0D": "\r", "%0A": "\n", "%0d": "\r", "%0a": "\n"}


class FormError(ValueError):
    """These bytes are no form."""


class Part(NamedTuple):
    """The beginning of a part; `filename` is `None` where it has none."""

    name: str
    filename: str | None


class End(Enum):
    """What ends: a part, or the whole form."""

    PART = "part"
    FORM = "form"


Event = Part | bytes | End


class _State(Enum):
    PREAMBLE = 1  # before the first delimiter
    DELIMITED = 2  # just behind one
    HEAD = 3
    DATA = 4
    EPILOGUE = 5


def boundary_of(content_type: str) -> bytes:
    """The boundary that a Content-Type names. Raises `FormError`."""
    kind, _, parameters = content_type.partition(";")
    if kind.strip().lower() != "multipart/form-data":
        raise FormError("the content is no form")
    found = _BOUNDARY.search(parameters)
    if found is None:
        raise FormError("the content type names no boundary")
    return (found[1] or found[2]).encode("ascii")


class FormParser:
    """See the module."""

    def __init__(self, boundary: bytes) -> None:
        self._delimiter = _LINE + b"--" + boundary
        # The first delimiter may stand at the very beginning, without a line end in front of it.
        self._held = _LINE
        self._state = _State.PREAMBLE
        self.overhead = 0

    @property
    def ended(self) -> bool:
        return self._state is _State.EPILOGUE

    def feed(self, data: bytes) -> Iterator[Event]:
        """What these bytes tell. Raises `FormError`. To be run through before the next call."""
        held = self._held + data if self._held else data
        self._held = b""
        start = 0
        while True:
            state = self._state
            if state is _State.PREAMBLE or state is _State.DATA:
                at = held.find(self._delimiter, start)
                stop = at if at >= 0 else self._safe(held, start)
                if state is _State.PREAMBLE:
                    self.overhead += stop - start
                elif stop > start:
                    yield held[start:stop]
                if at < 0:
                    self._held = held[stop:]
                    return
                if state is _State.DATA:
                    yield End.PART
                start = at + len(self._delimiter)
                self.overhead += len(self._delimiter)
                self._state = _State.DELIMITED
            elif state is _State.DELIMITED:
                behind = self._behind(held, start)
                if behind < 0:
                    self._held = held[start:]
                    return
                self.overhead += behind - start
                start = behind
                if self.ended:
                    yield End.FORM
            elif state is _State.HEAD:
                stop = self._head_end(held, start)
                if stop < 0:
                    self._held = held[start:]
                    return
                self.overhead += stop - start
                yield _part(held[start:stop])
                start = stop
                self._state = _State.DATA
            else:
                self.overhead += len(held) - start
                return

    def _safe(self, held: bytes, start: int) -> int:
        """Up to where there can be no beginning of a delimiter."""
        tail = max(start, len(held) - len(self._delimiter) + 1)
        at = held.find(b"\r", tail)
        while at >= 0 and not self._delimiter.startswith(held[at:]):
            at = held.find(b"\r", at + 1)
        return at if at >= 0 else len(held)

    def _behind(self, held: bytes, start: int) -> int:
        """Where the line of a delimiter ends; -1 if more has to come. Settles what follows."""
        if held.startswith(b"--", start):
            self._state = _State.EPILOGUE
            return start + 2
        if held[start:] == b"-":
            return -1
        at = held.find(_LINE, start, start + _MAX_PADDING)
        stop = at if at >= 0 else start + _MAX_PADDING
        padding = held[start:stop]
        if at < 0:
            padding = padding.removesuffix(b"\r")
        if padding.strip(b" \t") or (at < 0 and len(held) >= stop):
            raise FormError("something stands behind a boundary")
        if at < 0:
            return -1
        self._state = _State.HEAD
        return at + len(_LINE)

    @staticmethod
    def _head_end(held: bytes, start: int) -> int:
        """Where the head of a part ends, -1 if more has to come."""
        at = held.find(_HEAD_END, start, start + MAX_HEAD)
        if at < 0:
            if len(held) - start >= MAX_HEAD:
                raise FormError("the head of a part is too long")
            return -1
        return at + len(_HEAD_END)


def _part(head: bytes) -> Part:
    """The part that a head begins. Raises `FormError`."""
    for line in head.split(_LINE):
        name, colon, value = line.partition(b":")
        if colon and name.strip().lower() == b"content-disposition":
            return _disposition(value.decode("utf-8", "surrogateescape"))
    raise FormError("a part has no Content-Disposition")


def _disposition(text: str) -> Part:
    if text.partition(";")[0].strip().lower() != "form-data":
        raise FormError("a part is not of a form")
    found: dict[str, str] = {}
    for match in _PARAMETER.finditer(text):
        key = match[1].lower()
        if key in found:
            raise FormError(f"a part has two values of {key}")
        found[key] = _unescaped(match[2]) if match[2] is not None else match[3]
    if "name" not in found:
        raise FormError("a part has no name")
    filename = found.get("filename")
    if "filename*" in found:
        filename = _extended(found["filename*"])
    return Part(found["name"], filename)


def _unescaped(text: str) -> str:
    text = text.replace('\\"', '"')
    if "%" in text:
        for escape, character in _ESCAPED.items():
            text = text.replace(escape, character)
    return text


def _extended(text: str) -> str:
    """A value as RFC 5987 writes it, which some clients use for names that are not ASCII."""
    charset, _, rest = text.partition("'")
    _, quote, value = rest.partition("'")
    if charset.lower() != "utf-8" or not quote:
        raise FormError("a filename is in an unknown character set")
    return unquote_to_bytes(value).decode("utf-8", "surrogateescape")
