"""XML of the S3 dialect: reading what clients send, writing what they get.

Reading uses the standard library's expat with DTDs and entities refused, into a small tree without
namespaces. Writing is text: `escape` is the only thing between a value and the document. A
character that XML 1.0 cannot carry becomes U+FFFD, so that one odd key does not spoil a whole
listing (Amazon writes a reference that parsers refuse); clients that may meet such keys ask for
`encoding-type=url`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import quote
from xml.parsers import expat

from aisle.core.errors import AisleError

XMLNS: Final = "http://s3.amazonaws.com/doc/2006-03-01/"
DECLARATION: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'
MAX_DEPTH: Final = 16

_UNSAFE: Final = re.compile(r"[^ !#$%()*+,\-./0-9:;=?@A-Z\[\\\]^_`a-z{|}~\x80-\ud7ff]")
_NAMED: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;"}
_URL_UNSAFE: Final = re.compile(r"[^0-9A-Za-z_.~/-]")


class MalformedXML(AisleError):
    """The document is not well-formed, not what the operation expects, or not safe to read."""


class Element:
    """A node: local name, text, children."""

    __slots__ = ("children", "name", "text")

    def __init__(self, name: str) -> None:
        self.name = name
        self.text = ""
        self.children: list[Element] = []

    def all(self, name: str) -> Iterator[Element]:
        return (child for child in self.children if child.name == name)

    def first(self, name: str) -> Element | None:
        return next(self.all(name), None)

    def value(self, name: str, default: str = "") -> str:
        """The text of the first child called `name`."""
        child = self.first(name)
        return default if child is None else child.text


def parse(document: bytes, root: str) -> Element:
    """The tree of a document whose root is called `root`. Raises `MalformedXML`."""
    top = Element("")
    stack = [top]

    def start(name: str, _attributes: dict[str, str]) -> None:
        if len(stack) > MAX_DEPTH:
            raise MalformedXML("the document is nested too deeply")
        element = Element(name.rpartition(":")[2])
        stack[-1].children.append(element)
        stack.append(element)

    def end(_name: str) -> None:
        stack.pop()

    def text(data: str) -> None:
        stack[-1].text += data

    def refuse(*_: object) -> None:
        raise MalformedXML("a document type is not allowed")

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(document, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise MalformedXML(f"the document is not well-formed: {error}") from None
    if len(top.children) != 1 or top.children[0].name != root:
        raise MalformedXML(f"the document is not a {root}")
    return top.children[0]


def escape(text: str) -> str:
    """`text` as it may stand in an element."""
    if _UNSAFE.search(text) is None:
        return text
    return _UNSAFE.sub(_replace, text)


def _replace(match: re.Match[str]) -> str:
    character = match[0]
    named = _NAMED.get(character)
    if named is not None:
        return named
    code = ord(character)
    if code in (0x9, 0xA, 0xD, 0x7F):
        return f"&#x{code:X};"
    if code < 0x20 or 0xD800 <= code < 0xE000 or code in (0xFFFE, 0xFFFF):
        return "\ufffd"
    return character


def url_encode(text: str) -> str:
    """`text` as `encoding-type=url` shows it."""
    if _URL_UNSAFE.search(text) is None:
        return text
    return quote(text, safe="/-_.~", errors="surrogateescape")


def element(name: str, value: object) -> str:
    """A leaf; the value is escaped."""
    return f"<{name}>{escape(str(value))}</{name}>"


def document(root: str, *parts: str) -> bytes:
    """A reply whose root carries S3's namespace."""
    body = "".join(parts)
    return f'{DECLARATION}<{root} xmlns="{XMLNS}">{body}</{root}>'.encode()
