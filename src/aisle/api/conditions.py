"""The circumstances of a request, by the condition keys that policies ask for.

Nothing is read or computed before a policy asks: most requests meet no condition at all. A key that
the request says nothing about is `None`, which is what Amazon calls an absent key; those that say
who asks are answered by `aisle.auth.access`, from the principal. What is in the body, and what the
native API says otherwise than in headers, is in `Context.facts`: handlers leave it there, or
`Context.learn` does once it is asked for. An object's tags count for the actions that have such
keys, a bucket's (`aws:ResourceTag`) where attribute-based access is enabled for it.

Spec: "AWS global condition context keys" (IAM user guide); "Actions, resources, and condition keys
for Amazon S3" (service authorization reference).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final
from urllib.parse import unquote_to_bytes

from aisle.api.base import Context, Service
from aisle.auth import sigv2, sigv4
from aisle.auth.dates import parse_timestamp, to_timestamp
from aisle.auth.payload import HASH_HEADER, HASH_PARAM
from aisle.auth.policy.actions import has_key
from aisle.core.errors import AuthError, InvalidRequest
from aisle.core.http import RequestHead, decode_component

# More than an object can have; who sends more gets an error later, or nothing.
_TAGS: Final = 50
_LONGEST: Final = 4096
_LISTINGS: Final = frozenset(
    {"ListObjects", "ListObjectsV2", "ListObjectVersions", "ListMultipartUploads"}
)
# Whether a request makes an object, or only prepares one: what rules on `If-None-Match` ask for.
_CREATES: Final[Mapping[str, str]] = {
    "PutObject": "true",
    "PostObject": "true",
    "CopyObject": "true",
    "CompleteMultipartUpload": "true",
    "CreateMultipartUpload": "false",
    "UploadPart": "false",
    "UploadPartCopy": "false",
}
_COPIES: Final = frozenset({"CopyObject", "UploadPartCopy"})
_OF_UPLOADS: Final = frozenset({"UploadPart", "UploadPartCopy", "CompleteMultipartUpload"})
# What a new object is to be like, which only the request that begins an upload says.
_OF_NEW: Final = frozenset({
    "x-amz-acl", "x-amz-grant-full-control", "x-amz-grant-read", "x-amz-grant-read-acp",
    "x-amz-grant-write", "x-amz-grant-write-acp", "x-amz-object-lock-legal-hold",
    "x-amz-object-lock-mode", "x-amz-object-lock-retain-until-date",
    "x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-customer-algorithm", "x-amz-storage-class", "x-amz-tagging",
    "x-amz-website-redirect-location",
})  # fmt: skip

# What is in the body of some requests, and the headers by which others say the same.
_IN_BODIES: Final = ("s3:requestobjecttag", "s3:object-lock-", "aws:requesttag/", "aws:tagkeys")
_OF_BODIES: Final = ("x-amz-tagging", "x-amz-object-lock-")
_BY_BODY: Final = frozenset(
    {"PutObjectTagging", "PutObjectRetention", "PutObjectLegalHold", "PutObjectLockConfiguration"}
)


class AccountNeeded(Exception):
    """A policy asks for the account that owns the bucket, which has to be read first."""


class UploadNeeded(Exception):
    """A policy asks for what was said when an upload was begun, which has to be read first."""


class BodyNeeded(Exception):
    """A policy asks for what is in the body of the request, which has to be read first."""


class TagsNeeded(Exception):
    """A policy asks for the tags of what is there, which have to be read first."""

    def __init__(self, *, bucket: bool) -> None:
        super().__init__()
        self.bucket = bucket  # those of the bucket, not of the object


class RequestConditions:
    """The `Conditions` of one request that asks for `action`: see `aisle.auth.access`."""

    __slots__ = ("account", "action", "bucket_tags", "ctx", "svc", "tags", "upload")

    def __init__(self, svc: Service, ctx: Context, action: str = "") -> None:
        self.svc = svc
        self.ctx = ctx
        self.action = action.lower()
        self.tags: Mapping[str, str] | None = None  # of the object, once they were asked for
        self.bucket_tags: Mapping[str, str] | None = None  # likewise
        self.account: str | None = None  # of the bucket's owner, once it was asked for
        self.upload: Mapping[str, str] | None = None  # what its beginning said, likewise

    @property
    def now(self) -> float:
        """Seconds since 1970."""
        return self.svc.store.now() / 1e9

    def get(self, key: str) -> tuple[str, ...] | None:
        """The values of a condition key, in lower case. Raises what is needed for it first, and
        `InvalidRequest` for a value that would take long to compare with what policies say."""
        found = self._values(key)
        if found is not None and any(len(value) > _LONGEST for value in found):
            raise InvalidRequest(f"the value of {key} has more than {_LONGEST} characters")
        return found

    def _values(self, key: str) -> tuple[str, ...] | None:
        if self.ctx.learn is not None and key.startswith(_IN_BODIES):
            raise BodyNeeded
        known = self.ctx.facts.get(key)
        if known is not None:
            return known
        if key.startswith(_TAGS_THERE):
            value = self._there(key)
            return None if value is None else (value,)
        read = _KEYS.get(key)
        if read is not None:
            value = read(self)
            return None if value is None else (value,)
        header = _HEADERS.get(key)
        if header is not None:
            value = self.header(header)
            return None if value is None else (value,)
        if key == "s3:requestobjecttagkeys":
            return tuple(_tags(self)) or None
        if key.startswith(_TAG):
            value = _named(_tags(self), key)
            return None if value is None else (value,)
        return None

    def _there(self, key: str) -> str | None:
        """A tag that the object, or the bucket, has by now."""
        if key.startswith(_EXISTING):
            if not has_key(self.action, key):
                return None
            if self.tags is None:
                raise TagsNeeded(bucket=False)
            return _named(self.tags, key)
        if self.bucket_tags is None:
            raise TagsNeeded(bucket=True)
        return _named(self.bucket_tags, key)

    @property
    def version(self) -> str:
        """The version of the object that is asked for."""
        named = self.ctx.facts.get("s3:versionid")
        if named is not None:
            return named[0]
        # The version of a copy's source is no parameter, and its target has none.
        copies = self.ctx.operation in _COPIES
        return "" if copies else self.ctx.head.params.get("versionId", "")

    def header(self, name: str) -> str | None:
        """A header; of what an upload in parts is to become, the request that began it told, and
        those of a new object say nothing where the body does."""
        if self.ctx.operation in _BY_BODY and name.startswith(_OF_BODIES):
            return None
        if name not in _OF_NEW or self.ctx.operation not in _OF_UPLOADS:
            return self.ctx.head.headers.get(name)
        if self.upload is None:
            raise UploadNeeded
        return self.upload.get(name)


def told_of_new(head: RequestHead) -> dict[str, str]:
    """The headers by which the beginning of an upload tells what policies ask of its parts."""
    told = {name: head.headers[name] for name in _OF_NEW if name in head.headers}
    return {name: value for name, value in told.items() if len(value) <= _LONGEST}


_TAG: Final = "s3:requestobjecttag/"
_EXISTING: Final = "s3:existingobjecttag/"
_TAGS_THERE: Final = (_EXISTING, "aws:resourcetag/", "s3:buckettag/")
_HEADERS: Final[Mapping[str, str]] = {
    "aws:useragent": "user-agent",
    "aws:referer": "referer",
    **{
        f"s3:{name}": name
        for name in (
            "if-match",
            "if-none-match",
            "x-amz-acl",
            "x-amz-grant-full-control",
            "x-amz-grant-read",
            "x-amz-grant-read-acp",
            "x-amz-grant-write",
            "x-amz-grant-write-acp",
            "x-amz-metadata-directive",
            "x-amz-object-ownership",
            "x-amz-server-side-encryption",
            "x-amz-server-side-encryption-aws-kms-key-id",
            "x-amz-server-side-encryption-customer-algorithm",
            "x-amz-storage-class",
            "x-amz-website-redirect-location",
        )
    },
    "s3:object-lock-mode": "x-amz-object-lock-mode",
    "s3:object-lock-legal-hold": "x-amz-object-lock-legal-hold",
    "s3:object-lock-retain-until-date": "x-amz-object-lock-retain-until-date",
}


def _tags(request: RequestConditions) -> dict[str, str]:
    """The tags that a write gives its object, written as a query string."""
    text = request.header("x-amz-tagging") or ""
    tags: dict[str, str] = {}
    for pair in text.split("&", _TAGS)[:_TAGS]:
        name, _, value = pair.partition("=")
        if name:
            tags[_unquoted(name)] = _unquoted(value)
    return tags


def _unquoted(text: str) -> str:
    """A part of a query string as it is when the bytes on the wire are UTF-8."""
    raw = text.replace("+", " ").encode("latin-1", "replace")
    return unquote_to_bytes(raw).decode("utf-8", "replace")


def _named(tags: Mapping[str, str], key: str) -> str | None:
    """The value of the tag that a condition key names, whatever the case."""
    name = key.partition("/")[2]
    return {tag.lower(): text for tag, text in tags.items()}.get(name)


def _remaining(request: RequestConditions) -> str | None:
    """For how many days what is written is to be retained."""
    text = request.header("x-amz-object-lock-retain-until-date")
    try:
        until = None if not text else datetime.fromisoformat(text[:64].strip())
    except ValueError:
        return None
    if until is None:
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return str(math.ceil((until.timestamp() - request.now) / 86_400))


# --- where and how --------------------------------------------------------------------------


def _resource_account(request: RequestConditions) -> str | None:
    if request.account is None:
        raise AccountNeeded
    return request.account or None


def _secure(request: RequestConditions) -> str:
    return "true" if request.ctx.head.scheme == "https" else "false"


def _source(request: RequestConditions) -> str | None:
    return request.ctx.head.client or None


def _current(request: RequestConditions) -> str:
    return datetime.fromtimestamp(int(request.now), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _epoch(request: RequestConditions) -> str:
    return str(int(request.now))


def _auth_type(request: RequestConditions) -> str | None:
    if request.ctx.anonymous:
        return None
    if "s3:authtype" in request.ctx.facts:
        return request.ctx.facts["s3:authtype"][0]
    return "REST-HEADER" if "authorization" in request.ctx.head.headers else "REST-QUERY-STRING"


def _signature_version(request: RequestConditions) -> str | None:
    head = request.ctx.head
    if request.ctx.anonymous:
        return None
    authorization = head.headers.get("authorization")
    if authorization is None:
        return "AWS" if not sigv2.MARKS.isdisjoint(head.params) else "AWS4-HMAC-SHA256"
    if sigv2.is_mine(authorization):
        return "AWS"
    return "AWS4-HMAC-SHA256" if authorization.startswith("AWS4-") else None


def _signature_age(request: RequestConditions) -> str | None:
    """Milliseconds since a version 4 signature was made."""
    head = request.ctx.head
    if request.ctx.anonymous:
        return None
    if not sigv4.MARKS.isdisjoint(head.params):
        date = head.params.get("X-Amz-Date", "")
    elif "x-amz-date" in head.headers:
        date = head.headers["x-amz-date"]
    else:
        date = head.headers.get("date", "")
    try:
        made = parse_timestamp(to_timestamp(date))
    except AuthError:
        return None
    return None if made is None else str(max(0, int((request.now - made) * 1000)))


def _content_sha256(request: RequestConditions) -> str | None:
    head = request.ctx.head
    return head.headers.get(HASH_HEADER) or head.params.get(HASH_PARAM)


# --- what -----------------------------------------------------------------------------------


def _listing(parameter: str) -> Callable[[RequestConditions], str | None]:
    """A parameter of listings, which means nothing on other requests."""

    def read(request: RequestConditions) -> str | None:
        ctx = request.ctx
        return ctx.head.params.get(parameter) if ctx.operation in _LISTINGS else None

    return read


def _copy_source(request: RequestConditions) -> str | None:
    """BUCKET/KEY, whichever way the request writes it: who denies one of them means all."""
    text = request.ctx.head.headers.get("x-amz-copy-source")
    if text is None:
        return None
    written = text.partition("?versionId=")[0].removeprefix("/")
    path = decode_component(written, plus=True)
    return path if "/" in written else path.removeprefix("/")


def _version(request: RequestConditions) -> str | None:
    return request.ctx.head.params.get("versionId")


def _creates(request: RequestConditions) -> str | None:
    return _CREATES.get(request.ctx.operation)


_KEYS: Final[Mapping[str, Callable[[RequestConditions], str | None]]] = {
    "aws:currenttime": _current,
    "aws:epochtime": _epoch,
    "aws:securetransport": _secure,
    "aws:sourceip": _source,
    "aws:viaawsservice": lambda request: "false",
    "aws:requestedregion": lambda request: request.svc.region,
    "aws:resourceaccount": _resource_account,
    "s3:resourceaccount": _resource_account,
    "s3:authtype": _auth_type,
    "s3:signatureversion": _signature_version,
    "s3:signatureage": _signature_age,
    "s3:x-amz-content-sha256": _content_sha256,
    "s3:x-amz-copy-source": _copy_source,
    "s3:prefix": _listing("prefix"),
    "s3:delimiter": _listing("delimiter"),
    "s3:max-keys": _listing("max-keys"),
    "s3:versionid": _version,
    "s3:objectcreationoperation": _creates,
    "s3:object-lock-remaining-retention-days": _remaining,
}
