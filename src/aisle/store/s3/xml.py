"""XML of an S3 server's replies. Reading is `core.xmltree`.

Replies come from a server that the operator named, yet what cannot be read is `StoreUnavailable`,
not a crash.
"""

from __future__ import annotations

from aisle.core.errors import StoreUnavailable
from aisle.core.xmltree import Element, XmlError, parse_tree


def parse(document: bytes) -> Element:
    """The root of a reply. Raises `StoreUnavailable` for what is not XML."""
    try:
        return parse_tree(document)
    except XmlError as error:
        raise StoreUnavailable("the S3 server answered with XML that cannot be read") from error
