"""Uploads from HTML forms: a POST of multipart/form-data to a bucket.

`identify` reads the fields in front of the file, finds out who signed them, and holds them against
their policy; from then on the request is that of a PutObject, with headers made of the fields and
the file as its body, so that everything that a PUT can say a form can say. Nothing is stored unless
the form ended as it should, with one file of the size that its policy allows.

Fields in front of the file are limited in size; of the file only a piece is held at a time.
Fields behind it are passed over, as nobody could have acted on them.

Spec: "POST Object" (API reference); "Browser-based uploads using POST" (signature version 4).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from aisle.api.access import note_cause
from aisle.api.base import Context, RequestBody, Response, Service
from aisle.api.s3 import formdata, objects, postpolicy, tagsets
from aisle.api.s3.common import XML, open_bucket
from aisle.api.s3.errors import S3Error
from aisle.api.s3.formdata import End, FormError, FormParser, Part
from aisle.api.s3.incoming import MAX_BODY
from aisle.api.s3.operations import SELECTORS, Level
from aisle.api.s3.postpolicy import Policy
from aisle.api.s3.xml import DECLARATION, element
from aisle.auth import sigv2, sigv4
from aisle.auth.credentials import Credential, NotLoaded, check_token
from aisle.auth.payload import UNSIGNED
from aisle.auth.principal import ANONYMOUS
from aisle.core.errors import (
    ExpiredToken,
    InvalidAccessKey,
    InvalidArgument,
    InvalidRequest,
    NotSupported,
)
from aisle.core.http import RequestHead, field_value

# "The form data and boundary (excluding the file) cannot exceed 20 KB."
MAX_FIELDS: Final = 20 << 10
MAX_BEHIND: Final = 20 << 10
_MAX_COUNT: Final = 200
_FILE: Final = "file"
_FILENAME: Final = "${filename}"
_V4: Final = ("x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature")
_V2: Final = ("awsaccesskeyid", "signature")
_TOKEN: Final = "x-amz-security-token"  # noqa: S105 - the name of a field
_PROOF: Final = frozenset({*_V4, _TOKEN})
# Fields that are headers of a PutObject by the same name.
_HEADERS: Final = frozenset(
    {"cache-control", "content-disposition", "content-encoding", "content-language", "content-md5",
     "content-type", "expires"}
)  # fmt: skip
_AMZ: Final = (
    "x-amz-checksum-",
    "x-amz-meta-",
    "x-amz-object-lock-",
    "x-amz-request-payer",
    "x-amz-server-side-encryption",
    "x-amz-storage-class",
    "x-amz-website-redirect-location",
)
_META: Final = "x-amz-meta-"
_STATUSES: Final = {"200": 200, "201": 201, "204": 204}


def takes(head: RequestHead, level: Level) -> bool:
    """Whether a request is an upload from a form: a POST to a bucket and nothing of it."""
    return head.method == "POST" and level == "bucket" and SELECTORS.isdisjoint(head.params)


class Form:
    """A form as it comes in: its fields, and then its file, of which it is the `RequestBody`."""

    def __init__(self, body: RequestBody, boundary: bytes) -> None:
        self._body = body
        self._parser = FormParser(boundary)
        self._events: Iterator[formdata.Event] = iter(())
        self._in_file = False
        self._at_end = False
        self._cap = MAX_FIELDS  # of what is no file
        self.fields: dict[str, str] = {}
        self.filename = ""
        self.least, self.most = 0, MAX_BODY
        self.count = 0  # bytes of the file

    async def _next(self) -> formdata.Event | None:
        """The next event, `None` where the body has ended."""
        while True:
            try:
                event = next(self._events, None)
            except FormError as error:
                raise _malformed(str(error)) from None
            if event is not None:
                return event
            if self._parser.overhead > self._cap:
                raise self._too_much()
            piece = await self._body.read()
            if not piece:
                return None
            self._events = self._parser.feed(piece)

    def _too_much(self) -> S3Error:
        if self._cap == MAX_FIELDS:
            return S3Error("MaxPostPreDataLengthExceededError")
        return _malformed("too much stands behind the file")

    async def read_fields(self) -> None:
        """Read up to the file. Raises `S3Error`s."""
        name, pieces, size = "", list[bytes](), 0
        while True:
            event = await self._next()
            if event is None or event is End.FORM:
                if event is None and not self._parser.ended:
                    raise _malformed("the form does not end")
                raise S3Error("IncorrectNumberOfFilesInPostRequest")
            if isinstance(event, Part):
                name, pieces = event.name.lower(), []
                if name == _FILE:
                    self._in_file = True
                    self._begin(event)
                    return
                if name in self.fields and not name.startswith(_META):
                    raise InvalidArgument(
                        "POST requires exactly one value for each field.", name=name[:256]
                    )
            elif isinstance(event, bytes):
                pieces.append(event)
                size += len(event)
            else:
                self._keep(name, b"".join(pieces))
            if size + self._parser.overhead > self._cap or len(self.fields) > _MAX_COUNT:
                raise self._too_much()

    def _keep(self, name: str, value: bytes) -> None:
        try:
            text = value.decode("utf-8")
            # Metadata may be given in several fields of a name, which are one with commas.
            self.fields[name] = f"{self.fields[name]},{text}" if name in self.fields else text
        except UnicodeDecodeError:
            raise _malformed(f"the field {name[:256]} is not text in UTF-8") from None

    def _begin(self, part: Part) -> None:
        """The file begins: what its name is, is known in all fields."""
        # Some browsers send a whole path.
        self.filename = (part.filename or "").replace("\\", "/").rpartition("/")[2]
        using = [name for name, value in self.fields.items() if _FILENAME in value]
        if using and any("\ud800" <= one <= "\udfff" for one in self.filename):
            raise _malformed("the name of the file is not text in UTF-8")
        for name in using:
            self.fields[name] = self.fields[name].replace(_FILENAME, self.filename)

    async def read(self) -> bytes:
        """The next piece of the file, `b""` once the whole form was read and is as it should be.
        Raises `S3Error`s."""
        while self._in_file:
            event = await self._next()
            if event is None:
                raise _malformed("the form does not end")
            if isinstance(event, bytes):
                self.count += len(event)
                if self.count > self.most:
                    raise S3Error(
                        "EntityTooLarge", ProposedSize=self.count, MaxSizeAllowed=self.most
                    )
                return event
            self._in_file = False
            if self.count < self.least:
                raise S3Error("EntityTooSmall", ProposedSize=self.count, MinSizeAllowed=self.least)
        if not self._at_end:
            await self._read_rest()
            self._at_end = True
        return b""

    async def _read_rest(self) -> None:
        size = 0
        self._cap = self._parser.overhead + MAX_BEHIND
        while True:
            event = await self._next()
            if event is None:
                if not self._parser.ended:
                    raise _malformed("the form does not end")
                return
            if isinstance(event, Part) and event.name.lower() == _FILE:
                raise S3Error("IncorrectNumberOfFilesInPostRequest")
            if isinstance(event, bytes):
                size += len(event)
            if size + self._parser.overhead > self._cap:
                raise self._too_much()


def _malformed(why: str) -> S3Error:
    return S3Error("MalformedPOSTRequest", Reason=why)


# --- who and what ---------------------------------------------------------------------------


async def identify(svc: Service, ctx: Context) -> None:
    """Read the fields of a form; settle who sent it, and the head and the body that are acted on.
    Raises `S3Error`s and what signatures raise."""
    head = ctx.head
    ctx.operation = "PostObject"
    try:
        boundary = formdata.boundary_of(head.header("content-type"))
    except FormError:
        raise S3Error("RequestIsNotMultiPartContent") from None
    row = await open_bucket(svc, ctx)
    form = Form(ctx.body, boundary)
    await form.read_fields()
    fields = form.fields
    proven = await _prove(svc, ctx, fields)
    note_cause(ctx)
    encoded = fields.get("policy")
    if encoded is not None:
        policy = postpolicy.parse(encoded)
        _hold(policy, form, row.record.name, svc.store.now() / 1e9)
    elif proven:
        raise InvalidArgument("Bucket POST must contain a field named 'policy'.", name="policy")
    ctx.key = fields.get("key", "")
    if not ctx.key:
        raise S3Error("UserKeyMustBeSpecified", FieldName="key")
    ctx.resource = f"/{ctx.bucket}/{ctx.key}"
    ctx.payload, ctx.body = UNSIGNED, form
    ctx.head = RequestHead(
        head.method,
        head.path,
        b"",
        _carried(head) | _headers(fields),
        head.repeated,
        head.scheme,
        head.client,
    )


def _hold(policy: Policy, form: Form, bucket: str, now: float) -> None:
    policy.check({**form.fields, "bucket": bucket}, now)
    form.least = policy.least
    form.most = min(policy.most, MAX_BODY)


async def _prove(svc: Service, ctx: Context, fields: Mapping[str, str]) -> bool:
    """Settle who signed the policy; whether anybody did. Raises what signatures raise."""
    v4, v2 = (any(name in fields for name in names) for names in (_V4, _V2))
    if not svc.auth_enabled:
        ctx.principal, ctx.unsigned = svc.principals.root, not (v4 or v2)
        return False
    if v4 and v2:
        raise InvalidArgument("Only one auth mechanism allowed", name="Authorization")
    if ctx.head.header("authorization"):
        raise InvalidArgument("Only one auth mechanism allowed", name="Authorization")
    if not (v4 or v2):
        if "policy" in fields:
            raise InvalidArgument(
                "Bucket POST must contain a field named 'x-amz-signature' beside its policy.",
                name="x-amz-signature",
            )
        ctx.principal = ANONYMOUS
        return False
    for name in (*(_V4 if v4 else _V2), "policy"):
        if not fields.get(name):
            raise InvalidArgument(
                f"Bucket POST must contain a field named '{name}'. If it is specified, please"
                " check the order of the fields.",
                name=name,
            )
    if v4 and fields["x-amz-algorithm"] != "AWS4-HMAC-SHA256":
        raise NotSupported("the algorithm of a form's signature must be AWS4-HMAC-SHA256")
    if v2 and not await svc.store.setting("auth.signature_v2"):
        raise InvalidRequest(
            "The authorization mechanism you have provided is not supported. Please use"
            " AWS4-HMAC-SHA256."
        )
    credential = await _credential(svc, fields, v4=v4)
    check_token(credential, fields.get(_TOKEN, ""))
    ctx.principal = credential.principal
    ctx.facts["s3:authtype"] = ("POST",)
    ctx.facts["s3:signatureversion"] = ("AWS4-HMAC-SHA256" if v4 else "AWS",)
    svc.principals.note_used(credential.principal, svc.store.now())
    return True


async def _credential(svc: Service, fields: Mapping[str, str], *, v4: bool) -> Credential:
    """The keys that a form was signed with."""
    lookup = svc.principals.cached
    while True:
        try:
            if not v4:
                return sigv2.check_policy(
                    fields["policy"], fields["awsaccesskeyid"], fields["signature"], lookup
                )
            return sigv4.check_policy(
                fields["policy"],
                fields["x-amz-credential"],
                fields["x-amz-date"],
                fields["x-amz-signature"],
                lookup,
                svc.store.now() / 1e9,
            )
        except NotLoaded as missing:
            await svc.principals.load(missing.access_key)
        except InvalidAccessKey as unknown:
            if await svc.principals.has_ended(unknown.access_key):
                raise ExpiredToken("the temporary credentials have expired") from None
            raise


# --- as a PutObject -------------------------------------------------------------------------


def _carried(head: RequestHead) -> dict[str, str]:
    """The headers of the request itself that policies may ask for, or its reply is made by."""
    names = ("host", "origin", "referer", "user-agent", "x-amz-expected-bucket-owner")
    kept = {name: head.headers[name] for name in names if name in head.headers}
    # The length of the request is not that of the file, which nobody has told.
    return kept | {"transfer-encoding": "chunked"}


def _headers(fields: Mapping[str, str]) -> dict[str, str]:
    """The headers that a PutObject would have for the fields of a form. Raises
    `InvalidArgument`."""
    headers: dict[str, str] = {}
    for name, value in fields.items():
        if name == "acl":
            headers["x-amz-acl"] = _checked(name, value)
        elif name == "tagging":
            headers["x-amz-tagging"] = _tags(value)
        elif name.startswith(_META):
            if not (name.isascii() and name.isprintable()) or " " in name:
                raise InvalidArgument("A field name is not a header name.", name=name[:256])
            headers[name] = field_value(value).decode("ascii")
        elif name in _HEADERS or name.startswith(_AMZ):
            headers[name] = _checked(name, value)
        elif name.startswith("x-amz-") and name not in _PROOF:
            raise S3Error("NotImplemented", Header=name[:256])
    return headers


def _checked(name: str, value: str) -> str:
    """A value as a header has it: its bytes, none of which may end the header."""
    if any(ord(one) < 0x20 or ord(one) == 0x7F for one in value):
        raise InvalidArgument("A field has a control character.", name=name)
    return value.encode().decode("latin-1")


def _tags(text: str) -> str:
    """A tagging document as the header that says the same."""
    return urlencode(tagsets.of_document(text.encode(), tagsets.OBJECT), quote_via=quote)


async def post_object(svc: Service, ctx: Context) -> Response:
    """Store the file of a form that `identify` has read, and answer as its fields ask."""
    form = ctx.body
    assert isinstance(form, Form)
    stored = await objects.put_object(svc, ctx)
    etag = next(value for name, value in stored.headers if name == b"etag").decode()
    location = _location(ctx)
    target = form.fields.get("success_action_redirect") or form.fields.get("redirect", "")
    back = _back(target, ctx, etag)
    if back:
        return Response(303, [(b"location", back), *stored.headers])
    status = _STATUSES.get(form.fields.get("success_action_status", ""), 204)
    headers = [(b"location", location.encode("ascii")), *stored.headers]
    if status != 201:
        return Response(status, headers)
    body = "".join(
        (
            element("Location", location),
            element("Bucket", ctx.bucket),
            element("Key", ctx.key),
            element("ETag", etag),
        )
    )
    text = f"{DECLARATION}<PostResponse>{body}</PostResponse>"
    return Response(201, [*XML, *headers], text.encode())


def _location(ctx: Context) -> str:
    """The URL of the object that was made, by the address that the form was sent to."""
    path = ctx.head.path.decode("latin-1").rstrip("/")
    key = quote(ctx.key, safe="/-_.~", errors="surrogateescape")
    host = quote(ctx.head.header("host"), safe=":[]._-", encoding="latin-1")
    return f"{ctx.head.scheme}://{host}{quote(path, safe='/%-_.~', encoding='latin-1')}/{key}"


def _back(target: str, ctx: Context, etag: str) -> bytes:
    """Where the browser is sent back to; `b""` if that is no URL, which counts as not asked for."""
    try:
        parts = urlsplit(target)
    except ValueError:
        return b""
    if parts.scheme not in ("http", "https") or not parts.netloc:
        return b""
    told = urlencode({"bucket": ctx.bucket, "key": ctx.key, "etag": etag}, errors="surrogateescape")
    query = f"{parts.query}&{told}" if parts.query else told
    url = urlunsplit((parts.scheme, parts.netloc, parts.path, query, ""))
    return quote(url, safe="/-_.~!$&'()*+,;=:@?%[]").encode("ascii")
