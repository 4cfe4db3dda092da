"""Handlers of listings: ListObjects, ListObjectsV2, ListMultipartUploads.

The pages come from `namespace.listing`; here they become XML. The row loop is the hot path of a
page of 1,000 keys: it decodes only the leading fields of a record and formats text once.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import repeat

from aisle.api.base import Context, Response, Service
from aisle.api.s3 import headers as h
from aisle.api.s3 import inventories, restores
from aisle.api.s3.common import XML, integer, open_bucket
from aisle.api.s3.owners import initiator, owner, owners
from aisle.api.s3.xml import document, element, escape, url_encode
from aisle.core.dates import iso_date
from aisle.core.errors import InvalidArgument
from aisle.namespace import documents, listing, ownership
from aisle.namespace.listing import ID, Page, Query
from aisle.namespace.records import VERSION, Listed, Owned, decode, decoder
from aisle.namespace.store import BucketRow
from aisle.namespace.window import listing as windows
from aisle.store.base import Row

MAX_KEYS = 1000

Encode = Callable[[str], str]


def encoding(params: dict[str, str]) -> tuple[str, Encode]:
    """The encoding that a listing is asked for, and what does it."""
    kind = params.get("encoding-type", "")
    if kind not in ("", "url"):
        raise InvalidArgument(
            "Invalid Encoding Method specified in Request", name="encoding-type", value=kind
        )
    return kind, url_encode if kind else escape


def text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def data(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


async def list_objects(svc: Service, ctx: Context) -> Response:
    params = ctx.head.params
    bucket = await open_bucket(svc, ctx)
    kind, encode = encoding(params)
    asked = integer(params.get("max-keys", ""), "max-keys", MAX_KEYS)
    limit = min(asked, MAX_KEYS)
    prefix, delimiter = params.get("prefix", ""), params.get("delimiter", "")
    marker = params.get("marker", "")
    base = bucket.record.id
    skip = listing.common_prefix_of(data(marker), data(prefix), data(delimiter))
    query = Query(
        prefix=base + data(prefix),
        delimiter=data(delimiter),
        after=base + data(marker) if marker else b"",
        skip=base + skip if skip else b"",
        limit=limit,
    )
    page, _ = await _page(svc, ctx, bucket, query, begins=not marker)
    parts = [
        element("Name", bucket.record.name),
        leaf("Prefix", prefix, encode),
        leaf("Marker", marker, encode),
        element("MaxKeys", limit),
    ]
    if delimiter:
        parts.append(leaf("Delimiter", delimiter, encode))
    parts.append(element("IsTruncated", "true" if page.truncated else "false"))
    if page.truncated and (delimiter or not page.rows):
        parts.append(leaf("NextMarker", text(page.last[ID:]), encode))
    if kind:
        parts.append(element("EncodingType", kind))
    whose = await _owners(svc, ctx, bucket, page.rows)
    parts.append(_contents(page, encode, _with_restores(svc, ctx, bucket, page.rows, whose)))
    parts.append(common_prefixes(page.prefixes, encode))
    return Response(200, XML, document("ListBucketResult", *parts))


async def list_objects_v2(svc: Service, ctx: Context) -> Response:
    params = ctx.head.params
    if params["list-type"] != "2":
        raise InvalidArgument("Invalid list type", name="list-type", value=params["list-type"])
    bucket = await open_bucket(svc, ctx)
    kind, encode = encoding(params)
    limit = min(integer(params.get("max-keys", ""), "max-keys", MAX_KEYS), MAX_KEYS)
    prefix, delimiter = params.get("prefix", ""), params.get("delimiter", "")
    start_after, token = params.get("start-after", ""), params.get("continuation-token")
    base = bucket.record.id
    after, skip = (base + data(start_after) if start_after else b""), b""
    if token is not None and not windows.is_token(token):
        last, is_prefix = listing.decode_token(token)
        after, skip = (b"", base + last) if is_prefix else (base + last, b"")
    query = Query(
        prefix=base + data(prefix),
        delimiter=data(delimiter),
        after=after,
        skip=skip,
        limit=limit,
    )
    page, following = await _page(svc, ctx, bucket, query, begins=token is None, token=token or "")
    parts = [
        element("Name", bucket.record.name),
        leaf("Prefix", prefix, encode),
        element("MaxKeys", limit),
        element("KeyCount", len(page.rows) + len(page.prefixes)),
        element("IsTruncated", "true" if page.truncated else "false"),
    ]
    if delimiter:
        parts.append(leaf("Delimiter", delimiter, encode))
    if start_after:
        parts.append(leaf("StartAfter", start_after, encode))
    if token is not None:
        parts.append(element("ContinuationToken", token))
    if page.truncated:
        parts.append(element("NextContinuationToken", following))
    if kind:
        parts.append(element("EncodingType", kind))
    with_owner = params.get("fetch-owner", "").lower() == "true"
    whose = await _owners(svc, ctx, bucket, page.rows) if with_owner else ""
    parts.append(_contents(page, encode, _with_restores(svc, ctx, bucket, page.rows, whose)))
    parts.append(common_prefixes(page.prefixes, encode))
    return Response(200, XML, document("ListBucketResult", *parts))


async def _page(
    svc: Service,
    ctx: Context,
    bucket: BucketRow,
    query: Query,
    *,
    begins: bool,
    token: str = "",
) -> tuple[Page, str]:
    """A page, from wherever the objects of the bucket are listed, and the token of the next one."""
    page = await inventories.page(svc, ctx, bucket, query, begins=begins)
    if page is None and bucket.record.behind is not None:
        found = await windows.page(svc.store, bucket, query, token=token)
        return found.page, found.token
    if windows.is_token(token):
        listing.decode_token(token)  # of another bucket, and refused
    if page is None:
        page = await listing.list_objects(svc.store, query)
    return page, listing.encode_token(page.last[ID:], is_prefix=page.last_is_prefix)


def leaf(name: str, value: str, encode: Encode) -> str:
    """A leaf in the encoding that a listing was asked for."""
    return f"<{name}>{encode(value)}</{name}>"


async def _owners(
    svc: Service, ctx: Context, bucket: BucketRow, rows: list[Row]
) -> str | list[str]:
    """The Owner element of all objects of a page, or of each of them where they may have several
    owners."""
    access = (await documents.of(svc.store, bucket, recent=True)).access
    if not access.shared or access.ownership == ownership.ENFORCED:
        return await owner(svc, ctx, bucket.record.owner)
    whose = [decode(Owned, raw).owner or bucket.record.owner for _, raw in rows]
    elements = await owners(svc, ctx, whose)
    return [elements[canonical] for canonical in whose]


def _with_restores(
    svc: Service, ctx: Context, bucket: BucketRow, rows: list[Row], whose: str | list[str]
) -> str | list[str]:
    """Elements of owners, and of what is restored where a request asks for that. Of a window it is
    not known."""
    if bucket.record.behind is not None:
        return whose
    restored = restores.listed(ctx.head, rows, svc.store.now())
    if restored is None:
        return whose
    each = repeat(whose, len(rows)) if isinstance(whose, str) else whose
    return [owner_xml + status for owner_xml, status in zip(each, restored, strict=True)]


def _contents(page: Page, encode: Encode, whose: str | list[str]) -> str:
    """The Contents elements of a page: one pass, everything that can be done once done once.
    `whose` is an Owner element for all of them, or one for each, and what else is told of each."""
    rows = page.rows
    if not rows:
        return ""
    keys = [key[ID:].decode() for key, _ in rows]
    whole = "/".join(keys)
    if encode(whole) != whole:  # one look at all keys is cheaper than one at each
        keys = [encode(key) for key in keys]
    read = decoder(Listed)
    second, date = -1, ""
    items = []
    each = repeat(whose, len(rows)) if isinstance(whose, str) else whose
    for key, (_, raw), owner_xml in zip(keys, rows, each, strict=True):
        row = read(raw[1:]) if raw[0] == VERSION else decode(Listed, raw)
        if row.mtime // 1_000_000_000 != second:
            second = row.mtime // 1_000_000_000
            date = iso_date(second)
        checksum = ""
        if row.checksums:
            checksum = "".join(
                [f"<ChecksumAlgorithm>{name}</ChecksumAlgorithm>" for name in row.checksums]
            )
            checksum += f"<ChecksumType>{row.checksum_type}</ChecksumType>"
        items.append(
            f"<Contents><Key>{key}</Key><LastModified>{date}</LastModified>"
            f"<ETag>&quot;{row.etag}&quot;</ETag>{checksum}<Size>{row.size}</Size>{owner_xml}"
            f"<StorageClass>{row.storage_class}</StorageClass></Contents>"
        )
    return "".join(items)


def common_prefixes(prefixes: list[bytes], encode: Encode, base: int = ID) -> str:
    return "".join(
        f"<CommonPrefixes><Prefix>{encode(text(prefix[base:]))}</Prefix></CommonPrefixes>"
        for prefix in prefixes
    )


async def list_multipart_uploads(svc: Service, ctx: Context) -> Response:
    params = ctx.head.params
    bucket = await open_bucket(svc, ctx)
    kind, encode = encoding(params)
    limit = min(integer(params.get("max-uploads", ""), "max-uploads", MAX_KEYS), MAX_KEYS)
    prefix, delimiter = params.get("prefix", ""), params.get("delimiter", "")
    key_marker, id_marker = params.get("key-marker", ""), params.get("upload-id-marker", "")
    # S3 passes over an upload-id-marker that comes without a key-marker.
    marker_id = _upload_id(id_marker) if key_marker and id_marker else b""
    page = await listing.list_uploads(
        svc.store,
        bucket,
        prefix=data(prefix),
        delimiter=data(delimiter),
        key_marker=data(key_marker),
        id_marker=marker_id,
        limit=limit,
    )
    parts = [
        element("Bucket", bucket.record.name),
        leaf("KeyMarker", key_marker, encode),
        element("UploadIdMarker", id_marker if key_marker else ""),
        leaf("Prefix", prefix, encode),
        element("MaxUploads", limit),
        element("IsTruncated", "true" if page.truncated else "false"),
    ]
    if delimiter:
        parts.append(leaf("Delimiter", delimiter, encode))
    if kind:
        parts.append(element("EncodingType", kind))
    if page.truncated:
        last_prefix = page.prefixes[-1] if page.prefixes else b""
        last = page.uploads[-1] if page.uploads else None
        if last is not None and last.key > last_prefix:
            parts.append(leaf("NextKeyMarker", text(last.key), encode))
            parts.append(element("NextUploadIdMarker", last.record.id.hex()))
        else:
            parts.append(leaf("NextKeyMarker", text(last_prefix), encode))
            parts.append(element("NextUploadIdMarker", ""))
    elements = await owners(svc, ctx, [upload.record.owner for upload in page.uploads])
    for upload in page.uploads:
        record = upload.record
        whose = elements[record.owner]
        who = await initiator(svc, ctx, record.initiator, whose) + whose
        checksum = ""
        if record.checksum_algorithm:
            checksum = element("ChecksumAlgorithm", record.checksum_algorithm)
            checksum += element("ChecksumType", record.checksum_type)
        parts.append(
            f"<Upload><Key>{encode(text(upload.key))}</Key>"
            f"<UploadId>{record.id.hex()}</UploadId>{who}"
            f"<StorageClass>{record.storage_class}</StorageClass>"
            f"<Initiated>{iso_date(record.started // h.SECOND)}</Initiated>{checksum}</Upload>"
        )
    parts.append(common_prefixes(page.prefixes, encode, 0))
    return Response(200, XML, document("ListMultipartUploadsResult", *parts))


def _upload_id(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise InvalidArgument("Invalid uploadId marker", name="upload-id-marker", value=text) from (
            None
        )
