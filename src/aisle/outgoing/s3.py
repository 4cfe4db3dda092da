"""The documents of S3 that its clients have in common: errors, and what completes an upload.

Replies are a stranger's: what cannot be read is an error without a code.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from aisle.core.xmltree import XmlError, parse_tree

_CODE: Final = re.compile(r"[A-Za-z0-9.]{1,64}")  # goes into logs and replies


class Part(NamedTuple):
    """An uploaded part as CompleteMultipartUpload names it."""

    number: int
    etag: str
    crc32c: str  # base64; "" if the server was told none


class ErrorDocument(NamedTuple):
    """What a reply says went wrong; `code` is `""` if it is no error's."""

    code: str
    region: str  # that the bucket is in, where the reply names one


def read_error(document: bytes) -> ErrorDocument:
    if b"<Error" not in document:
        return ErrorDocument("", "")
    try:
        root = parse_tree(document)
    except XmlError:
        return ErrorDocument("", "")
    code = root.value("Code")
    if root.name != "Error" or _CODE.fullmatch(code) is None:
        return ErrorDocument("", "")
    return ErrorDocument(code, root.value("Region"))


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
