"""Tag sets of objects and buckets, with S3's limits: from headers and documents, and into them.

Lengths are counted in UTF-16, as S3 keeps tags: a character beyond the basic plane is two. Pure
functions.

Spec: user guide, "Categorizing your objects using tags"; "Using tags with S3 general purpose
buckets".
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes

from aisle.api.s3.errors import S3Error
from aisle.api.s3.xml import MalformedXML, document, element, parse
from aisle.core.errors import InvalidArgument
from aisle.core.http import RequestHead
from aisle.core.xmltree import Element

HEADER: Final = "x-amz-tagging"
# More than 50 tags of the longest keys and values have, each character escaped.
DOCUMENT_LIMIT: Final = 256 << 10
_KEY: Final = 128
_VALUE: Final = 256
_RESERVED: Final = "aws:"
_MARKS: Final = frozenset("+-=._:/@")
_HEADER_FORM: Final = (
    "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters"
    " without tag name duplicates."
)


class Limit(NamedTuple):
    """How many tags something may have, and what is told of more."""

    most: int
    told: str


OBJECT: Final = Limit(10, "Object tags cannot be greater than 10")
BUCKET: Final = Limit(50, "Bucket tag count cannot be greater than 50")


def of_header(head: RequestHead) -> dict[str, str]:
    """The tags that a request gives the object it writes. Raises `InvalidArgument`, `S3Error`."""
    text = head.headers.get(HEADER, "")
    pairs = [pair.partition("=") for pair in text.split("&") if pair]
    if len(pairs) > OBJECT.most:
        raise S3Error("BadRequest", OBJECT.told)
    found: dict[str, str] = {}
    for name, _, value in pairs:
        key = _decoded(name)
        if not key or key in found:
            raise InvalidArgument(_HEADER_FORM, name=HEADER, value=text[:1024])
        found[key] = _decoded(value)
    return checked(found.items(), OBJECT)


def _decoded(text: str) -> str:
    try:
        return unquote_to_bytes(text.replace("+", " ").encode("latin-1")).decode()
    except ValueError:
        raise InvalidArgument(_HEADER_FORM, name=HEADER, value=text[:1024]) from None


def of_document(body: bytes, limit: Limit) -> dict[str, str]:
    """The tags of a `Tagging` document. Raises `MalformedXML`, `S3Error`."""
    tree = parse(body, "Tagging")
    if [child.name for child in tree.children] != ["TagSet"]:
        raise MalformedXML("a Tagging has one TagSet")
    return of_element(tree.children[0], limit)


def of_element(tree: Element, limit: Limit) -> dict[str, str]:
    """The tags of an element that has nothing but `Tag`s."""
    pairs = []
    for tag in tree.children:
        if tag.name != "Tag" or sorted(child.name for child in tag.children) != ["Key", "Value"]:
            raise MalformedXML("a Tag has a Key and a Value")
        if any(child.children for child in tag.children):
            raise MalformedXML("Key and Value are text")
        pairs.append((tag.value("Key"), tag.value("Value")))
    return checked(pairs, limit)


def checked(pairs: Iterable[tuple[str, str]], limit: Limit) -> dict[str, str]:
    """The tags, if they keep to the limits. Raises `S3Error`."""
    given = list(pairs)
    if len(given) > limit.most:
        raise S3Error("BadRequest", limit.told)
    found: dict[str, str] = {}
    for key, value in given:
        if not 1 <= _length(key) <= _KEY or not _is_plain(key):
            raise S3Error("InvalidTag", "The TagKey you have provided is invalid", TagKey=key)
        if _length(value) > _VALUE or not _is_plain(value):
            raise S3Error(
                "InvalidTag",
                "The TagValue you have provided is invalid",
                TagKey=key,
                TagValue=value,
            )
        if key.lower().startswith(_RESERVED):
            raise S3Error(
                "InvalidTag", "System tags cannot be added/updated by requester", TagKey=key
            )
        if key in found:
            raise S3Error(
                "InvalidTag", "Cannot provide multiple Tags with the same key", TagKey=key
            )
        found[key] = value
    return found


def _length(text: str) -> int:
    return len(text) + sum(character > "\uffff" for character in text)


def _is_plain(text: str) -> bool:
    """Letters, numbers and space of any script, and a few marks."""
    return all(
        character in _MARKS or unicodedata.category(character)[0] in "LNZ" for character in text
    )


def render(tags: Mapping[str, str]) -> bytes:
    """The document that tells tags."""
    items = "".join(
        f"<Tag>{element('Key', key)}{element('Value', value)}</Tag>" for key, value in tags.items()
    )
    return document("Tagging", f"<TagSet>{items}</TagSet>")
