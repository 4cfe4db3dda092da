"""Handler of RestoreObject, and how reads and listings tell of it.

Objects of archive classes are stored like all others and can always be read. Restoring one is done
at once: the reply, and the object from then on until the days are over, say so as Amazon's do, so
that programs which wait for it go on. Other classes cannot be restored.

Spec: API reference of RestoreObject; user guide, "Restoring an archived object".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from aisle.api.base import Context, Headers, Response, Service
from aisle.api.s3.common import open_bucket, version_of
from aisle.api.s3.errors import S3Error
from aisle.api.s3.incoming import read_document
from aisle.api.s3.xml import MalformedXML, element, leaves, parse
from aisle.core.dates import http_date, iso_date
from aisle.core.errors import InvalidArgument
from aisle.core.http import RequestHead
from aisle.core.names import encode_key
from aisle.core.xmltree import Element
from aisle.namespace import edits, events
from aisle.namespace.records import Object, decode
from aisle.store.base import Row

OPTIONAL: Final = "x-amz-optional-object-attributes"
ARCHIVES: Final = frozenset({"GLACIER", "DEEP_ARCHIVE"})
TIERS: Final = {"GLACIER": ("Standard", "Bulk", "Expedited"), "DEEP_ARCHIVE": ("Standard", "Bulk")}
SECOND: Final = 1_000_000_000
DAY: Final = 86_400
MAX_DAYS: Final = 0x7FFFFFFF
_FOREVER: Final = 253_402_214_400  # 9999-12-31: no date is later
_DOCUMENT_LIMIT: Final = 64 << 10
_PARAMETERS: Final = "GlacierJobParameters"
_KNOWN: Final = frozenset({"Days", _PARAMETERS, "Tier", "Description"})
_OF_SELECT: Final = frozenset({"Type", "SelectParameters", "OutputLocation"})


async def restore_object(svc: Service, ctx: Context) -> Response:
    row = await open_bucket(svc, ctx)
    version = version_of(ctx)
    body = await read_document(ctx.head, ctx.known_payload, ctx.body, _DOCUMENT_LIMIT)
    tree = parse(body, "RestoreRequest")
    days, tier = _asked(tree)
    now = svc.store.now()
    before = 0

    def restored(old: Object) -> Object:
        nonlocal before
        _check_class(old, tier)
        before = old.restored
        return msgspec.structs.replace(old, restored=until(now, days))

    await edits.change(
        svc.store,
        row,
        encode_key(ctx.key),
        restored,
        version=version,
        event=events.RESTORED,
        before=events.RESTORING,
    )
    return Response(200 if before > now else 202)


def _asked(tree: Element) -> tuple[int, str]:
    """Days and tier of a request. Raises what is wrong with it."""
    given = leaves(tree, beside=_OF_SELECT | {_PARAMETERS})
    names = given.keys()
    if names & _OF_SELECT:
        raise S3Error(
            "NotImplemented", "Results of a restore are not stored here: use SelectObjectContent."
        )
    if not names <= _KNOWN:
        raise MalformedXML("the RestoreRequest has other elements")
    text = given.get("Days", "").strip()
    if not text:
        raise MalformedXML("Days is missing")
    if not (text.isascii() and text.isdigit() and 0 < int(text[:20]) <= MAX_DAYS):
        raise InvalidArgument(
            "Restore Days must be a positive integer", name="Days", value=text[:64]
        )
    parameters = tree.first(_PARAMETERS)
    tier = given.get("Tier", "").strip()
    if parameters is not None:
        tier = leaves(parameters).get("Tier", "").strip()
        if not tier:
            raise MalformedXML("Tier is missing")
    if tier and tier not in TIERS["GLACIER"]:
        raise MalformedXML("there is no such Tier")
    return int(text), tier


def _check_class(record: Object, tier: str) -> None:
    if record.storage_class not in ARCHIVES:
        raise S3Error(
            "InvalidObjectState",
            "Restore is not allowed for the object's current storage class",
            StorageClass=record.storage_class,
        )
    if tier and tier not in TIERS[record.storage_class]:
        raise S3Error(
            "InvalidArgument", f"{tier} retrievals are not available for {record.storage_class}"
        )


def until(now: int, days: int) -> int:
    """When a restored copy expires: so many days from now, at the next midnight (ns)."""
    whole = -(-(now // SECOND + days * DAY) // DAY) * DAY
    return min(whole, _FOREVER) * SECOND


def is_restored(record: Object, now: int) -> bool:
    return record.restored > now and record.storage_class in ARCHIVES


def told(record: Object, now: int) -> Headers:
    """The header by which reads tell that an object is restored."""
    if not is_restored(record, now):
        return []
    expiry = http_date(record.restored // SECOND).decode()
    value = f'ongoing-request="false", expiry-date="{expiry}"'
    return [(b"x-amz-restore", value.encode())]


def listed(head: RequestHead, rows: Sequence[Row], now: int) -> list[str] | None:
    """The element by which a listing tells of each row whether it is restored, `None` for a request
    that does not ask for it."""
    wanted = head.header(OPTIONAL)
    if not wanted:
        return None
    if any(name.strip() != "RestoreStatus" for name in wanted.split(",")):
        raise InvalidArgument("Invalid attribute name specified", name=OPTIONAL, value=wanted[:64])
    return [_status(decode(Object, raw), now) for _, raw in rows]


def _status(record: Object, now: int) -> str:
    if not is_restored(record, now):
        return ""
    expiry = element("RestoreExpiryDate", iso_date(record.restored // SECOND))
    in_progress = element("IsRestoreInProgress", "false")
    return f"<RestoreStatus>{in_progress}{expiry}</RestoreStatus>"
