"""Handlers of versions: Get/PutBucketVersioning, ListObjectVersions.

Spec: API reference of the three; user guide, "Retaining multiple versions of objects".
"""

from __future__ import annotations

from itertools import repeat
from typing import Final

from aisle.api.base import Context, Response, Service
from aisle.api.s3 import headers as h
from aisle.api.s3 import restores
from aisle.api.s3.common import XML, integer, open_bucket
from aisle.api.s3.errors import S3Error
from aisle.api.s3.incoming import read_document
from aisle.api.s3.lists import MAX_KEYS, Encode, common_prefixes, data, encoding, leaf, text
from aisle.api.s3.owners import owners
from aisle.api.s3.xml import MalformedXML, document, element, leaves, parse
from aisle.core.dates import iso_date
from aisle.core.errors import InvalidArgument
from aisle.namespace import buckets, documents
from aisle.namespace.listing import Page
from aisle.namespace.records import VERSION, Versioned, decode, decoder, escape_key
from aisle.namespace.store import BucketRow
from aisle.namespace.versions import listing
from aisle.namespace.versions.ids import CURRENT, ID, PLACE, shown
from aisle.store.base import Row

_DOCUMENT_LIMIT: Final = 64 << 10


async def get_bucket_versioning(svc: Service, ctx: Context) -> Response:
    row = await open_bucket(svc, ctx)
    status = row.record.versions
    parts = [element("Status", status)] if status else []
    if documents.MFA_DELETE in (await documents.of(svc.store, row)).raw:
        parts.append(element("MfaDelete", "Disabled"))
    return Response(200, XML, document("VersioningConfiguration", *parts))


async def put_bucket_versioning(svc: Service, ctx: Context) -> Response:
    row = await open_bucket(svc, ctx)
    body = await read_document(ctx.head, ctx.known_payload, ctx.body, _DOCUMENT_LIMIT)
    given = leaves(parse(body, "VersioningConfiguration"))
    mfa_delete = given.get("MfaDelete", "").strip()
    if mfa_delete == "Enabled" or ctx.head.header("x-amz-mfa"):
        raise S3Error(
            "NotImplemented", "MFA delete needs a device that this store does not know of."
        )
    status = given.get("Status", "").strip()
    if status not in ("Enabled", "Suspended"):
        raise S3Error(
            "IllegalVersioningConfigurationException",
            "The Status of versioning must be Enabled or Suspended.",
        )
    if mfa_delete not in ("", "Disabled"):
        raise MalformedXML("MfaDelete is Enabled or Disabled")
    row = await buckets.set_versioning(svc.store, row, suspended=status == "Suspended")
    if mfa_delete:  # which is told from now on, as of a bucket that was configured with it
        await documents.change(svc.store, row, {documents.MFA_DELETE: mfa_delete.encode()})
    return Response(200)


async def list_object_versions(svc: Service, ctx: Context) -> Response:
    params = ctx.head.params
    bucket = await open_bucket(svc, ctx)
    kind, encode = encoding(params)
    limit = min(integer(params.get("max-keys", ""), "max-keys", MAX_KEYS), MAX_KEYS)
    prefix, delimiter = params.get("prefix", ""), params.get("delimiter", "")
    key_marker, version_marker = params.get("key-marker", ""), params.get("version-id-marker", "")
    if version_marker and not key_marker:
        raise InvalidArgument(
            "A version-id marker cannot be specified without a key marker.",
            name="version-id-marker",
            value=version_marker,
        )
    page = await listing.list_versions(
        svc.store,
        bucket,
        prefix=data(prefix),
        delimiter=data(delimiter),
        marker=listing.Marker(data(key_marker), version_marker),
        limit=limit,
    )
    parts = [
        element("Name", bucket.record.name),
        leaf("Prefix", prefix, encode),
        leaf("KeyMarker", key_marker, encode),
        element("VersionIdMarker", version_marker),
        element("MaxKeys", limit),
    ]
    if delimiter:
        parts.append(leaf("Delimiter", delimiter, encode))
    if kind:
        parts.append(element("EncodingType", kind))
    parts.append(element("IsTruncated", "true" if page.truncated else "false"))
    if page.truncated and page.last_is_prefix:
        parts.append(leaf("NextKeyMarker", text(page.last), encode))
    elif page.truncated and page.rows:
        last = decode(Versioned, page.rows[-1][1])
        parts.append(leaf("NextKeyMarker", text(listing.key_of(page.last)), encode))
        parts.append(element("NextVersionIdMarker", shown(last.version)))
    parts.append(await _versions(svc, ctx, bucket, page, data(key_marker), encode))
    parts.append(common_prefixes(page.prefixes, encode, 0))
    return Response(200, XML, document("ListVersionsResult", *parts))


async def _versions(
    svc: Service, ctx: Context, bucket: BucketRow, page: Page, before: bytes, encode: Encode
) -> str:
    """The Version and DeleteMarker elements of a page that begins behind the key `before`."""
    read = decoder(Versioned)
    rows = [read(raw[1:]) if raw[0] == VERSION else decode(Versioned, raw) for _, raw in page.rows]
    whose = await owners(svc, ctx, {row.owner or bucket.record.owner for row in rows})
    keys = _keys(page.rows, encode)
    restored = restores.listed(ctx.head, page.rows, svc.store.now()) or repeat("", len(rows))
    items = []
    second, date = -1, ""
    scope = bucket.record.id + escape_key(before) if before else b""
    for (place, _), row, key, status in zip(page.rows, rows, keys, restored, strict=True):
        # A key without a current object has a delete marker as its newest version.
        is_first, scope = place[:-PLACE] != scope, place[:-PLACE]
        latest = "true" if place[-PLACE:] == CURRENT or (row.marker and is_first) else "false"
        if row.mtime // h.SECOND != second:
            second = row.mtime // h.SECOND
            date = iso_date(second)
        head = (
            f"<Key>{key}</Key><VersionId>{row.version or 'null'}</VersionId>"
            f"<IsLatest>{latest}</IsLatest>"
            f"<LastModified>{date}</LastModified>{whose[row.owner or bucket.record.owner]}"
        )
        if row.marker:
            items.append(f"<DeleteMarker>{head}</DeleteMarker>")
            continue
        checksum = ""
        if row.checksums:
            checksum = "".join(
                [f"<ChecksumAlgorithm>{name}</ChecksumAlgorithm>" for name in row.checksums]
            )
            checksum += f"<ChecksumType>{row.checksum_type}</ChecksumType>"
        items.append(
            f"<Version>{head}<ETag>&quot;{row.etag}&quot;</ETag>{checksum}<Size>{row.size}</Size>"
            f"<StorageClass>{row.storage_class}</StorageClass>{status}</Version>"
        )
    return "".join(items)


def _keys(rows: list[Row], encode: Encode) -> list[str]:
    """How the key of each row is told. One look at all of them is cheaper than one at each."""
    joined = b"".join([place[ID:-PLACE] for place, _ in rows])  # each with its terminator
    if b"\0\xff" in joined:  # a NUL in a key, or what looks like one
        keys = [text(listing.key_of(place)) for place, _ in rows]
    else:
        keys = text(joined).split("\0")[:-1]
    whole = "".join(keys)
    return keys if encode(whole) == whole else [encode(key) for key in keys]
