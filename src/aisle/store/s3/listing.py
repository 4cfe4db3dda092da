"""What lies in the bucket: objects, uploads that were not completed, and their parts, by pages.

An upload whose listing is a moment old may be gone; what tells so is not an error here. MinIO
lists uploads only for a prefix that is a whole key, and drops uploads of a day by itself: there
`uploads` finds none below a shorter prefix, and `abort_uploads` still works.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Final, NamedTuple

from aisle.core.errors import StoreUnavailable
from aisle.core.xmltree import Element
from aisle.store.s3.client import ATTEMPTS, S3Client, S3Refusal
from aisle.store.s3.xml import parse

PAGE: Final = "1000"

_ENDED: Final = frozenset({"NoSuchUpload", "NoSuchKey"})


class Listed(NamedTuple):
    """One object of a page."""

    key: str
    size: int
    age: float  # in seconds, by the server's clock


class Upload(NamedTuple):
    """One multipart upload of a page."""

    key: str
    id: str
    age: float  # since it began


class Progress(NamedTuple):
    """What an upload has received."""

    size: int
    age: float | None  # since the last part; `None` before the first


def _age(element: Element, name: str, now: float) -> float:
    try:
        return max(0.0, now - datetime.fromisoformat(element.value(name)).timestamp())
    except ValueError as error:
        raise StoreUnavailable("the S3 server lists a time that cannot be read") from error


def _number(element: Element, name: str) -> int:
    text = element.value(name)
    if not text.isdecimal():
        raise StoreUnavailable(f"the S3 server lists a {name} that is no number")
    return int(text)


async def objects(client: S3Client, prefix: str) -> AsyncIterator[list[Listed]]:
    """Every object below `prefix`, a page at a time."""
    token = ""
    while True:
        query = {"list-type": "2", "max-keys": PAGE, "prefix": prefix}
        if token:
            query["continuation-token"] = token
        reply = await client.call("GET", query=query)
        page = parse(reply.body)
        yield [
            Listed(e.value("Key"), _number(e, "Size"), _age(e, "LastModified", reply.date))
            for e in page.all("Contents")
        ]
        token = page.value("NextContinuationToken")
        if page.value("IsTruncated") != "true" or not token:
            return


async def uploads(
    client: S3Client, prefix: str, *, attempts: int = ATTEMPTS
) -> AsyncIterator[list[Upload]]:
    """Every upload to keys that begin with `prefix`, a page at a time."""
    after: dict[str, str] = {}
    while True:
        query = {"uploads": "", "max-uploads": PAGE, "prefix": prefix, **after}
        reply = await client.call("GET", query=query, attempts=attempts)
        page = parse(reply.body)
        yield [
            Upload(e.value("Key"), e.value("UploadId"), _age(e, "Initiated", reply.date))
            for e in page.all("Upload")
        ]
        after = {
            "key-marker": page.value("NextKeyMarker"),
            "upload-id-marker": page.value("NextUploadIdMarker"),
        }
        if page.value("IsTruncated") != "true" or not after["key-marker"]:
            return


async def progress(client: S3Client, upload: Upload) -> Progress | None:
    """What `upload` has received; `None` if it has ended."""
    size, age, marker = 0, None, ""
    while True:
        query = {"uploadId": upload.id, "max-parts": PAGE}
        if marker:
            query["part-number-marker"] = marker
        try:
            reply = await client.call("GET", upload.key, query=query)
        except S3Refusal as refusal:
            if refusal.code in _ENDED:
                return None
            raise
        page = parse(reply.body)
        for part in page.all("Part"):
            size += _number(part, "Size")
            since = _age(part, "LastModified", reply.date)
            age = since if age is None else min(age, since)
        marker = page.value("NextPartNumberMarker")
        if page.value("IsTruncated") != "true" or not marker:
            return Progress(size, age)


async def abort_uploads(client: S3Client, key: str, *, attempts: int = ATTEMPTS) -> None:
    """Give up every upload to `key`."""
    async for page in uploads(client, key, attempts=attempts):
        for upload in page:
            if upload.key == key:
                try:
                    query = {"uploadId": upload.id}
                    await client.call("DELETE", key, query=query, attempts=attempts)
                except S3Refusal as refusal:
                    if refusal.code not in _ENDED:
                        raise
