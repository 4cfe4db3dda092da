"""The dialect of browsers that visit a bucket as a website: pages, redirects, errors in HTML.

A bucket is addressed by its name in front of a website domain. Requests are anonymous whatever
they carry, GET or HEAD, and nothing in their query counts. What is read is read by the handler of
GetObject, so that ranges, conditions and all that is true of objects is true of pages. Text that
others have chosen stands in a page only escaped, and in a header only as a URL may have it.

Spec: "Hosting a static website using Amazon S3" (user guide).
"""

from __future__ import annotations

import html
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from aisle.api.access import authorise, count_user
from aisle.api.base import HOST_ID, Context, Headers, Response, Service, website_bucket
from aisle.api.s3 import cors, errors, objects, payment, websiterules
from aisle.api.s3 import headers as h
from aisle.api.s3.actions import NEEDS
from aisle.api.s3.common import hide, open_bucket
from aisle.api.s3.errors import S3Error, Told
from aisle.api.s3.websiterules import Target, Website
from aisle.auth.payload import UNSIGNED
from aisle.auth.principal import ANONYMOUS
from aisle.core.errors import AccessDenied, AisleError, NotModified, ObjectNotFound, VersionNotFound
from aisle.core.http import RequestHead, decode_component
from aisle.core.names import encode_key
from aisle.namespace import buckets, documents
from aisle.namespace import objects as stored
from aisle.namespace.store import BucketRow

NAME: Final = "website"
_BIT: Final = documents.BITS[documents.WEBSITE]
_GET_OBJECT: Final = NEEDS["GetObject"].actions[0]
_HTML: Final = (b"content-type", b"text/html; charset=utf-8")
_METHODS: Final = "GET, HEAD"
_LOCATION: Final = h.REDIRECT_LOCATION.encode()
_PARTIAL: Final = frozenset(
    {"range", "if-range", "if-match", "if-none-match", "if-modified-since", "if-unmodified-since"}
)
# Errors that say more of the store than of the page are told as they are, without a custom one.
_SERVERS: Final = 500


class PageError(AisleError):
    """An error for which the bucket has a page of its own, and why that cannot be shown."""

    def __init__(self, error: AisleError, page: AisleError) -> None:
        super().__init__(str(error))
        self.error = error
        self.page = page


@dataclass(frozen=True, slots=True)
class _Visit:
    """A request to a website that is there."""

    row: BucketRow
    website: Website
    target: Target


async def handle(svc: Service, ctx: Context) -> Response:
    """Answer one request. Raises `AisleError`s."""
    head = ctx.head
    ctx.bucket = website_bucket(head, svc.website_domains, svc.domains) or ""
    ctx.key = decode_component(head.path[1:].decode("latin-1"))
    ctx.resource = f"/{ctx.bucket}/{ctx.key}"
    ctx.principal = ANONYMOUS if svc.auth_enabled else svc.principals.root
    ctx.payload, ctx.unsigned = UNSIGNED, True
    count_user(svc, ctx)
    if head.method == "OPTIONS":
        ctx.operation = "PreflightObject"
        return await cors.preflight(svc, ctx)
    if "origin" in head.headers:
        await cors.note(svc, ctx)
    if head.method not in ("GET", "HEAD"):
        raise S3Error("MethodNotAllowed", Method=head.method, ResourceType="OBJECT")
    ctx.operation = "GetObject" if head.method == "GET" else "HeadObject"
    query = head.query.decode("latin-1")
    ctx.head = head = _plain(head)
    row = await open_bucket(svc, ctx, recent=True)
    if "origin" not in head.headers:
        cors.note_plain(ctx, row)
    if row.record.has & payment.PAYS:
        payment.charge(svc, ctx, row)
    website = await _website(svc, ctx, row)
    target = Target(head.scheme, head.header("host"), ctx.key, query)
    if website.everything is not None:
        return _redirected(*websiterules.location_of_all(website.everything, target))
    rule = websiterules.route(website.rules, ctx.key)
    if rule is not None:
        return _redirected(*websiterules.location(rule, target))
    visit = _Visit(row, website, target)
    try:
        return await _page(svc, ctx, visit)
    except NotModified:
        raise
    except AisleError as error:
        return await _error(svc, ctx, visit, error)


async def _website(svc: Service, ctx: Context, row: BucketRow) -> Website:
    """The configuration of a bucket. That there is none is told only if it is so by now."""
    for recent in (True, False):
        if not recent:
            row = await buckets.find(svc.store, ctx.bucket)
        if row.record.has & _BIT:
            found = await documents.of(svc.store, row, recent=recent)
            raw = found.raw.get(documents.WEBSITE)
            if raw is not None:
                return websiterules.decode(raw)
    raise S3Error("NoSuchWebsiteConfiguration", BucketName=ctx.bucket)


def _plain(head: RequestHead, *, without: frozenset[str] = frozenset()) -> RequestHead:
    """A request without its query, its credentials and all that is meant for the S3 API."""
    kept = {
        name: value
        for name, value in head.headers.items()
        if name != "authorization" and not name.startswith("x-amz-") and name not in without
    }
    return RequestHead(head.method, head.path, b"", kept, head.repeated, head.scheme, head.client)


async def _page(svc: Service, ctx: Context, visit: _Visit) -> Response:
    """What a visitor has asked for. Raises what keeps it from being shown."""
    asked = ctx.key
    directory = not asked or asked.endswith("/")
    key = asked + visit.website.index if directory else asked
    try:
        return await _object(svc, ctx, visit.row, key)
    except (ObjectNotFound, AccessDenied) as error:
        # Who may not list the bucket hears of no key that is not there: both are asked for it.
        if not directory and await _has_index(svc, ctx, visit, asked):
            return _redirected(302, websiterules.below(asked))
        if isinstance(error, AccessDenied):
            raise
        raise await hide(svc, ctx, visit.row, error, key) from None


async def _has_index(svc: Service, ctx: Context, visit: _Visit, key: str) -> bool:
    """Whether there is an index document below `key` that the visitor may see."""
    index = f"{key}/{visit.website.index}"
    try:
        await authorise(svc, ctx, _GET_OBJECT, visit.row, index)
        await stored.head(svc.store, visit.row, encode_key(index))
    except AisleError:
        return False
    return True


async def _object(svc: Service, ctx: Context, row: BucketRow, key: str) -> Response:
    """An object as its reader gets it, or the redirect that it is."""
    asked = ctx.key
    await authorise(svc, ctx, _GET_OBJECT, row, key)
    ctx.key = key
    try:
        read = objects.get_object if ctx.head.method == "GET" else objects.head_object
        response = await read(svc, ctx)
    finally:
        ctx.key = asked
    for name, value in response.headers:
        if name == _LOCATION:
            await _close(response.body)
            return _redirected(websiterules.MOVED, value.decode("latin-1"))
    return response


async def _close(body: bytes | AsyncIterator[bytes]) -> None:
    close = getattr(body, "aclose", None)
    if close is not None:
        await close()


def _redirected(status: int, location: str) -> Response:
    return Response(status, [(b"location", location.encode("latin-1"))])


# --- errors ---------------------------------------------------------------------------------


async def _error(svc: Service, ctx: Context, visit: _Visit, error: AisleError) -> Response:
    """The reply to a visit that failed: a redirect, or the bucket's own page with the status of
    the error. Raises `error` where there is neither."""
    told = errors.tell(error)
    website = visit.website
    rule = websiterules.route(website.rules, ctx.key, told.status)
    if rule is not None:
        return _redirected(*websiterules.location(rule, visit.target))
    if not website.error or told.status >= _SERVERS:
        raise error
    asked = ctx.head
    ctx.head = _plain(asked, without=_PARTIAL)
    try:
        page = await _object(svc, ctx, visit.row, website.error)
    except (ObjectNotFound, VersionNotFound) as missing:
        raise PageError(error, await hide(svc, ctx, visit.row, missing, website.error)) from None
    except AisleError as failed:
        raise PageError(error, failed) from None
    finally:
        ctx.head = asked
    page.status = told.status if page.status == 200 else page.status
    page.headers = [*page.headers, *_codes(told)]
    page.error = told.code
    return page


def tell(ctx: Context, error: AisleError) -> Response:
    """The page that tells an error. HEAD gets no body, a 304 neither."""
    if isinstance(error, NotModified):
        return Response(304, h.not_modified(error))
    page = errors.tell(error.page) if isinstance(error, PageError) else None
    error = error.error if isinstance(error, PageError) else error
    told = errors.tell(error)
    headers: Headers = [_HTML, *_codes(told)]
    if told.status == 503:
        headers.append((b"retry-after", b"%d" % errors.retry_after(error)))
    if told.code == "MethodNotAllowed":
        headers.append((b"allow", _METHODS.encode()))
    if "ActualObjectSize" in told.details:
        headers.append((b"content-range", f"bytes */{told.details['ActualObjectSize']}".encode()))
    if ctx.head.method == "HEAD":
        return Response(told.status, headers, error=told.code)
    return Response(told.status, headers, render(told, ctx.request_id, page), error=told.code)


def _codes(told: Told) -> Headers:
    return [
        (b"x-amz-error-code", told.code.encode()),
        (b"x-amz-error-message", _printable(told.message)),
    ]


def _printable(text: str) -> bytes:
    kept = "".join(one if one.isascii() and one.isprintable() else "?" for one in text)
    return kept.encode()


def render(told: Told, request_id: str, page: Told | None = None) -> bytes:
    """An error as a page; `page` is what went wrong with the bucket's own."""
    try:
        phrase = HTTPStatus(told.status).phrase
    except ValueError:
        phrase = told.code
    title = f"{told.status} {phrase}"
    facts: dict[str, object] = {
        **_facts(told),
        **told.details,
        "RequestId": request_id,
        "HostId": HOST_ID.decode(),
    }
    parts = [
        f"<html>\n<head><title>{title}</title></head>\n<body>\n<h1>{title}</h1>\n",
        _list(facts),
    ]
    if page is not None:
        parts.append(
            "<h3>An Error Occurred While Attempting to Retrieve a Custom Error Document</h3>\n"
            + _list({**_facts(page), **page.details})
        )
    parts.append("<hr/>\n</body>\n</html>\n")
    return "".join(parts).encode("utf-8", "replace")


def _facts(told: Told) -> dict[str, object]:
    return {"Code": told.code, "Message": told.message}


def _list(facts: Mapping[str, object]) -> str:
    items = "".join(
        f"<li>{name}: {html.escape(str(value))}</li>\n" for name, value in facts.items()
    )
    return f"<ul>\n{items}</ul>\n"
