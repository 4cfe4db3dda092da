"""The little XML that an S3 server answers with, and the one document that it is sent.

Reading is `core.xmltree`. Replies come from a server that the operator named, yet what cannot be
read is `StoreUnavailable`, not a crash.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from aisle.core.errors import StoreUnavailable
from aisle.core.xmltree import Element, XmlError, parse_tree


class Part(NamedTuple):
    """An uploaded part as CompleteMultipartUpload names it."""

    number: int
    etag: str
    crc32c: str  # base64; "" if the server was told none


def parse(document: bytes) -> Element:
    """The root of a reply. Raises `StoreUnavailable` for what is not XML."""
    try:
        return parse_tree(document)
    except XmlError as error:
        raise StoreUnavailable("the S3 server answered with XML that cannot be read") from error


def error_code(document: bytes) -> str:
    """The code of an error reply; `""` if the document is none."""
    if b"<Error" not in document:
        return ""
    try:
        root = parse(document)
    except StoreUnavailable:
        return ""
    code = root.value("Code")
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
