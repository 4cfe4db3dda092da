"""Lines of server access logs, in Amazon's format: pure text, but for the time.

Fields stand one after the other with a space between them, `-` for one that has nothing to say.
What strangers have written stands in quotes or percent-encoded, so that no request can end its line
or a field of it; what would let a reader act as somebody else is taken out.

What a store behind an HTTP server cannot know is `-`: the TLS version and cipher, whether an ACL
was what allowed the request, the region that it came from.

Spec: user guide, "Amazon S3 server access log format".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import quote

from aisle.api.base import HOST_ID, Context, Response
from aisle.api.s3.operations import SELECTORS
from aisle.auth.principal import Principal
from aisle.core.http import RequestHead
from aisle.core.redaction import redact_query, redact_tokens
from aisle.namespace.store import BucketRow

_LIMIT: Final = 2048  # of a field that strangers write
_ODD: Final = re.compile(r"[^ !#-\[\]-~]")
# Sub-resource -> what Amazon calls it in a log, of buckets and of objects.
_OF_BUCKET: Final[Mapping[str, str]] = {
    "accelerate": "ACCELERATE",
    "acl": "ACL",
    "analytics": "ANALYTICS",
    "cors": "CORS",
    "delete": "MULTI_OBJECT_DELETE",
    "encryption": "ENCRYPTION",
    "intelligent-tiering": "INTELLIGENT_TIERING",
    "inventory": "INVENTORY",
    "lifecycle": "LIFECYCLE",
    "location": "LOCATION",
    "logging": "LOGGING_STATUS",
    "metrics": "METRICS",
    "notification": "NOTIFICATION",
    "object-lock": "OBJECT_LOCK_CONFIGURATION",
    "ownershipControls": "OWNERSHIP_CONTROLS",
    "policy": "BUCKETPOLICY",
    "policyStatus": "POLICY_STATUS",
    "publicAccessBlock": "PUBLIC_ACCESS_BLOCK",
    "replication": "REPLICATION",
    "requestPayment": "REQUEST_PAYMENT",
    "tagging": "TAGGING",
    "uploads": "UPLOADS",
    "versioning": "VERSIONING",
    "versions": "BUCKETVERSIONS",
    "website": "WEBSITE",
}
_OF_OBJECT: Final[Mapping[str, str]] = {
    "acl": "ACL",
    "attributes": "OBJECT_ATTRIBUTES",
    "legal-hold": "OBJECT_LOCK_LEGALHOLD",
    "renameObject": "OBJECT_RENAME",
    "restore": "OBJECT",
    "retention": "OBJECT_LOCK_RETENTION",
    "select": "OBJECT",
    "tagging": "OBJECT_TAGGING",
    "uploads": "UPLOADS",
}
_OPERATIONS: Final[Mapping[str, str]] = {
    "AbortMultipartUpload": "REST.DELETE.UPLOAD",
    "CompleteMultipartUpload": "REST.POST.UPLOAD",
    "CopyObject": "REST.COPY.OBJECT",
    "ListParts": "REST.GET.UPLOAD",
    "ListTagsForResource": "REST.GET.TAGGING",
    "PostObject": "REST.POST.OBJECT",
    "PreflightObject": "REST.OPTIONS.PREFLIGHT",
    "RestoreObject": "REST.POST.RESTORE",
    "SelectObjectContent": "REST.SELECT.OBJECT",
    "TagResource": "REST.POST.TAGGING",
    "UntagResource": "REST.DELETE.TAGGING",
    "UploadPart": "REST.PUT.PART",
    "UploadPartCopy": "REST.COPY.PART",
}


class Outcome(NamedTuple):
    """How a request has ended: times in nanoseconds, `sent` bytes of body."""

    second: int
    status: int
    error: str
    sent: int
    total: int
    turned: int
    http: str = "1.1"


def line(
    ctx: Context, row: BucketRow, response: Response, outcome: Outcome, *, website: bool = False
) -> bytes:
    """The line of a request in its bucket's log; of one to the bucket as a website, if it was."""
    head = ctx.head
    operation = f"WEBSITE.{_plain(head.method)}.OBJECT" if website else operation_of(ctx)
    size = _size(head, response, outcome)
    return _joined(
        row,
        ctx,
        operation=operation,
        key=ctx.key,
        version=head.params.get("versionId", ""),
        outcome=outcome,
        size=size,
    )


def line_of(
    ctx: Context, row: BucketRow, operation: str, key: str, version: str, outcome: Outcome
) -> bytes:
    """The line of something that a request did beside what it names: one key of many that it
    deletes, the source of a copy."""
    return _joined(row, ctx, operation=operation, key=key, version=version, outcome=outcome, size=0)


def _joined(
    row: BucketRow,
    ctx: Context,
    *,
    operation: str,
    key: str,
    version: str,
    outcome: Outcome,
    size: int,
) -> bytes:
    head = ctx.head
    headers = head.headers
    version_of_signature, kind = _signature(head)
    fields = (
        row.record.owner or "-",
        row.record.name,
        _moment(outcome.second),
        head.client or "-",
        _requester(ctx.principal, anonymous=ctx.anonymous),
        ctx.request_id,
        operation,
        quote(key[:_LIMIT], safe="/-_.~", errors="surrogateescape") or "-",
        f'"{_target(head, outcome.http)}"',
        str(outcome.status),
        outcome.error or "-",
        _number(outcome.sent),
        _number(size),
        str(outcome.total // 1_000_000),
        str(outcome.turned // 1_000_000),
        _quoted(headers.get("referer", "")),
        _quoted(headers.get("user-agent", "")),
        quote(version[:_LIMIT], safe="-_.~", errors="surrogateescape") or "-",
        HOST_ID.decode(),
        version_of_signature,
        "-",  # cipher suite
        kind,
        _plain(headers.get("host", "")) or "-",
        "-",  # TLS version
        "-",  # access point
        "-",  # whether an ACL was needed
        "-",  # source region
    )
    return (" ".join(fields) + "\n").encode("utf-8", "replace")


def operation_of(ctx: Context) -> str:
    """What Amazon's logs call an operation."""
    named = _OPERATIONS.get(ctx.operation)
    if named is not None:
        return named
    return f"REST.{_plain(ctx.head.method)}.{resource_type(ctx)}"


def resource_type(ctx: Context) -> str:
    """What Amazon calls the kind of thing that a request is about, in logs and errors."""
    selector = next((name for name, _ in ctx.head.pairs if name in SELECTORS), "")
    if ctx.key:
        return _OF_OBJECT.get(selector) or _shouted(selector) or "OBJECT"
    return _OF_BUCKET.get(selector) or _shouted(selector) or "BUCKET"


def _shouted(selector: str) -> str:
    return "" if selector == "list-type" else selector.upper().replace("-", "_")


@lru_cache(maxsize=8)
def _moment(second: int) -> str:
    moment = datetime.fromtimestamp(second, UTC)
    return f"[{moment.day:02}/{_MONTHS[moment.month - 1]}/{moment:%Y:%H:%M:%S +0000}]"


# Whatever the locale of the process.
_MONTHS: Final = (
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
)  # fmt: skip


def _requester(who: Principal | None, *, anonymous: bool) -> str:
    """The account's canonical id, or the ARN of a user of it."""
    if who is None or anonymous:
        return "-"
    named = who.canonical if who.owner and not who.session_name else who.arn
    return _plain(named) or "-"


def _target(head: RequestHead, http: str) -> str:
    """The request line, without what signs it."""
    path = redact_tokens(head.path.decode("latin-1"))
    query = redact_query(head.query.decode("latin-1"))
    target = f"{path}?{query}" if query else path
    return f"{_plain(head.method)} {_plain(target[:_LIMIT])} HTTP/{_plain(http)}"


def _plain(text: str) -> str:
    """Text as a field without quotes has it: no space, no quote, nothing that cannot be seen."""
    return _ODD.sub(_encoded, text[:_LIMIT]).replace(" ", "%20")


def _quoted(text: str) -> str:
    """Text of strangers in quotes."""
    if not text:
        return '"-"'
    return f'"{_ODD.sub(_encoded, redact_tokens(text[:_LIMIT]))}"'


def _encoded(match: re.Match[str]) -> str:
    return quote(match[0], safe="", errors="surrogateescape")


def _number(count: int) -> str:
    return str(count) if count > 0 else "-"


def _size(head: RequestHead, response: Response, outcome: Outcome) -> int:
    """How large the object is that a request was about, where its reply or its body tells."""
    if outcome.status >= 400:
        return 0
    if head.method == "PUT":
        text = head.headers.get("x-amz-decoded-content-length") or head.header("content-length")
        return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0
    if response.length is None:
        return 0
    if outcome.status == 206:
        for name, value in response.headers:
            if name == b"content-range":
                total = value.rpartition(b"/")[2]
                return int(total) if total.isdigit() else 0
    return response.length


def _signature(head: RequestHead) -> tuple[str, str]:
    """Version and kind of a request's signature."""
    authorization = head.headers.get("authorization", "")
    if authorization.startswith("AWS4-"):
        return "SigV4", "AuthHeader"
    if authorization.startswith("AWS "):
        return "SigV2", "AuthHeader"
    if authorization:
        return "-", "AuthHeader"
    if "X-Amz-Signature" in head.params:
        return "SigV4", "QueryString"
    return ("SigV2", "QueryString") if "Signature" in head.params else ("-", "-")
