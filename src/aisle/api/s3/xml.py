"""XML of the S3 dialect: reading what clients send, writing what they get.

Reading is `core.xmltree`, held to the root that an operation expects and to what the elements of
such a document are (`shapes`). Writing is text: `escape` is
the only thing between a value and the document. A character that XML 1.0 cannot carry becomes
U+FFFD, so that one odd key does not spoil a whole listing (Amazon writes a reference that parsers
refuse); clients that may meet such keys ask for `encoding-type=url`.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

from aisle.api.s3.shapes import SHAPES, Many, Shape
from aisle.core.errors import AisleError
from aisle.core.xmltree import Element, XmlError, parse_tree

XMLNS: Final = "http://s3.amazonaws.com/doc/2006-03-01/"
DECLARATION: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'

_UNSAFE: Final = re.compile(r"[^ !#$%()*+,\-./0-9:;=?@A-Z\[\\\]^_`a-z{|}~\x80-\ud7ff]")
_NAMED: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;"}
_URL_UNSAFE: Final = re.compile(r"[^0-9A-Za-z_.~/-]")


class MalformedXML(AisleError):
    """The document is not well-formed, not what the operation expects, or not safe to read."""


def parse(document: bytes, root: str) -> Element:
    """The tree of a document whose root is called `root`. Raises `MalformedXML`, also for elements
    in what is text, and for a second one of what is there once."""
    try:
        found = parse_tree(document)
    except XmlError as error:
        raise MalformedXML(str(error)) from None
    if found.name != root:
        raise MalformedXML(f"the document is not a {root}")
    _hold(found, SHAPES.get(root, {}))
    return found


def _hold(found: Element, shape: Shape) -> None:
    if shape is None:
        if found.children:
            raise MalformedXML(f"{found.name} is one text")
        return
    seen = set[str]()
    for child in found.children:
        name = child.name
        if name not in shape:
            continue
        inner = shape[name]
        if isinstance(inner, Many):
            inner = inner.of
        elif name in seen:
            raise MalformedXML(f"{found.name} has one {name}")
        else:
            seen.add(name)
        _hold(child, inner)


def leaves(tree: Element, *, beside: frozenset[str] = frozenset()) -> dict[str, str]:
    """The text of an element's children by name. Raises `MalformedXML` for one that is there twice,
    and for one that has elements itself, but for those of `beside`."""
    found: dict[str, str] = {}
    for child in tree.children:
        if child.name in found or (child.children and child.name not in beside):
            raise MalformedXML(f"{child.name} of a {tree.name} is one text")
        found[child.name] = child.text
    return found


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
