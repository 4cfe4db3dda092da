"""What `ais scrub --versions` needs of the S3 API: the noncurrent versions of a bucket, and their
bytes held to a checksum that S3 tells of them.
"""

from __future__ import annotations

import base64
import http.client
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Final, NamedTuple
from urllib.parse import quote, unquote

from aisle.cli.failure import Failure
from aisle.cli.uri import Uri
from aisle.client import Client
from aisle.client.bodies import Watch, checked
from aisle.client.errors import BadChecksum
from aisle.core import checksums
from aisle.core.xmltree import Element, XmlError, parse_tree

_MD5: Final = re.compile('"([0-9a-f]{32})"').fullmatch


class Version(NamedTuple):
    """A noncurrent version or a delete marker."""

    key: str
    id: str
    size: int
    marker: bool

    @property
    def name(self) -> str:
        return f"{self.key}?versionId={self.id}"


def has_versions(uri: Uri) -> bool:
    """Whether the S3 API has a bucket that may keep versions here."""
    return uri.provider == "ais" and not uri.namespace


def behind(client: Client, uri: Uri) -> Iterator[Version]:
    """All that is behind the current objects below a prefix, page by page; delete markers too,
    whether they are the newest or not."""
    query = {"versions": "", "prefix": uri.key, "encoding-type": "url"}
    while True:
        root = _read(client.act("GET", f"/s3/{quote(uri.bucket)}", query).body)
        for kind in ("Version", "DeleteMarker"):
            for one in root.all(kind):
                marker = kind == "DeleteMarker"
                if marker or one.value("IsLatest") != "true":
                    size = int(one.value("Size") or 0)
                    yield Version(unquote(one.value("Key")), one.value("VersionId"), size, marker)
        if root.value("IsTruncated") != "true":
            return
        query = {
            **query,
            "key-marker": unquote(root.value("NextKeyMarker")),
            "version-id-marker": root.value("NextVersionIdMarker"),
        }


def _read(body: bytes) -> Element:
    try:
        return parse_tree(body)
    except XmlError as error:
        raise Failure(f"the answer cannot be read: {error}") from None


def opened(
    client: Client, uri: Uri, version: Version
) -> AbstractContextManager[http.client.HTTPResponse]:
    """The bytes of a version, to be read inside of `with`."""
    path = f"/s3/{quote(uri.bucket)}/{quote(version.key)}"
    headers = {"x-amz-checksum-mode": "ENABLED"}
    return client.download(path, {"versionId": version.id}, headers)


def check(response: http.client.HTTPResponse, name: str, watch: Watch) -> bool:
    """Read a version to its end; false if it has no checksum to be held to. Raises `BadChecksum`,
    and `ClientError` where it ends too soon."""
    expected = _expected(response)
    hashers = {algorithm: checksums.ALGORITHMS[algorithm].new() for algorithm in expected}
    for data in checked(response, name, partial=False, verify=False):
        for hasher in hashers.values():
            hasher.update(data)
        watch(len(data))
    for algorithm, hasher in hashers.items():
        if hasher.digest() != expected[algorithm]:
            raise BadChecksum(f"{name}: the bytes that came are not those of the version")
    return bool(expected)


def _expected(response: http.client.HTTPResponse) -> dict[str, bytes]:
    """Digests of the whole: S3's checksums, else the MD5 that the ETag is, unless it was encrypted
    in a way that makes it another."""
    told = response.headers
    found: dict[str, bytes] = {}
    if told.get("x-amz-checksum-type") == checksums.FULL_OBJECT:
        for algorithm in checksums.ALGORITHMS:
            value = told.get(f"x-amz-checksum-{algorithm.lower()}")
            if value:
                found[algorithm] = base64.b64decode(value)
    etag = _MD5(told.get("ETag", ""))
    if not found and etag and told.get("x-amz-server-side-encryption") in (None, "AES256"):
        found["MD5"] = bytes.fromhex(etag[1])
    return found
