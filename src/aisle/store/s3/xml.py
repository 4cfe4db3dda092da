"""The little XML that an S3 server answers with, and the one document that it is sent.

Expat with document types refused, into elements without attributes and namespaces. Replies come
from a server that the operator named, yet what cannot be read is `StoreUnavailable`, not a crash.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple
from xml.parsers import expat

from aisle.core.errors import StoreUnavailable


class Element:
    """One element: its name, its text, its children."""

    __slots__ = ("children", "name", "text")

    def __init__(self, name: str) -> None:
        self.name = name
        self.text = ""
        self.children: list[Element] = []

    def find(self, name: str) -> str:
        """The text of the first child of that name, `""` if there is none."""
        return next((child.text for child in self.children if child.name == name), "")

    def all(self, name: str) -> Iterator[Element]:
        return (child for child in self.children if child.name == name)


class Part(NamedTuple):
    """An uploaded part as CompleteMultipartUpload names it."""

    number: int
    etag: str
    crc32c: str  # base64; "" if the server was told none


def parse(document: bytes) -> Element:
    """The root of a reply. Raises `StoreUnavailable` for what is not XML."""
    top = Element("")
    stack = [top]

    def start(name: str, _attributes: dict[str, str]) -> None:
        element = Element(name.rpartition(":")[2])
        stack[-1].children.append(element)
        stack.append(element)

    def end(_name: str) -> None:
        stack.pop()

    def text(data: str) -> None:
        stack[-1].text += data

    def refuse(*_: object) -> None:
        raise ValueError("a document type")

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(document, True)
    except (expat.ExpatError, ValueError) as error:
        raise StoreUnavailable("the S3 server answered with XML that cannot be read") from error
    return top.children[0]


def error_code(document: bytes) -> str:
    """The code of an error reply; `""` if the document is none."""
    if b"<Error" not in document:
        return ""
    try:
        root = parse(document)
    except StoreUnavailable:
        return ""
    code = root.find("Code")
    return code if root.name == "Error" and code.isalnum() else ""


def complete_document(parts: Iterable[Part]) -> bytes:
    """The body of CompleteMultipartUpload."""
    entries = []
    for part in parts:
        etag = part.etag.replace("&", "&amp;").replace("<", "&lt;")
        crc32c = f"<ChecksumCRC32C>{part.crc32c}</ChecksumCRC32C>" if part.crc32c else ""
        entries.append(
            f"<Part><PartNumber>{part.number}</PartNumber><ETag>{etag}</ETag>{crc32c}</Part>"
        )
    xmlns = "http://s3.amazonaws.com/doc/2006-03-01/"
    text = f'<CompleteMultipartUpload xmlns="{xmlns}">{"".join(entries)}</CompleteMultipartUpload>'
    return text.encode()
