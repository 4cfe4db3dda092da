"""S3 Control, as far as it is served: the tags of a bucket that is named by its ARN.

S3 Control is a service beside S3, with a host of its own at Amazon, and clients send its requests
to whatever endpoint they are told, often that of S3. They name an account in a header that S3 does
not have, and so are never taken for requests to a bucket that is called like their path, whatever
host they are sent to: the SDKs put the account in front of it. Operations that are not served are
refused.

Unlike PutBucketTagging, TagResource adds to the tags that there are. Each has an action of its own.

Spec: S3 Control API reference, "ListTagsForResource", "TagResource", "UntagResource".
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, NamedTuple

from aisle.api.access import authorise, count_user, identify
from aisle.api.base import Context, Response, Service
from aisle.api.s3 import bodykeys, errors, regions, tagsets
from aisle.api.s3.common import XML, open_bucket
from aisle.api.s3.errors import S3Error, Told
from aisle.api.s3.incoming import read_document
from aisle.api.s3.xml import DECLARATION, MalformedXML, element, parse
from aisle.auth.access import Action
from aisle.core import permissions
from aisle.core.errors import AccessDenied, BucketNotFound
from aisle.core.http import RequestHead, decode_component
from aisle.namespace import documents
from aisle.namespace.store import BucketRow

XMLNS: Final = "http://awss3control.amazonaws.com/doc/2018-08-20/"
_ACCOUNT: Final = "x-amz-account-id"
_PATH: Final = re.compile(rb"(?:/s3)?/v20180820/(.*)", re.DOTALL)
_TAGS: Final = "tags/"
_BUCKET: Final = re.compile(r"arn:[a-z0-9-]+:s3:::([^/:*?]+)")
_MOST: Final = tagsets.BUCKET.most

_Answer = Callable[[Service, Context, BucketRow], Awaitable[Response]]


class _Served(NamedTuple):
    """An operation: its name, what it needs, and its handler, which asks for that by itself."""

    name: str
    action: Action
    answer: _Answer


def takes(head: RequestHead) -> bool:
    """Whether a request is for S3 Control and not for S3."""
    return _ACCOUNT in head.headers and _PATH.fullmatch(head.path) is not None


async def handle(svc: Service, ctx: Context) -> Response:
    """Answer one request. Raises `AisleError`s."""
    head = ctx.head
    path = _path(head)
    ctx.resource = f"/v20180820/{path}"
    await identify(svc, ctx)
    count_user(svc, ctx)
    served = _SERVED.get(head.method) if path.startswith(_TAGS) else None
    if served is None:
        raise S3Error("NotImplemented", "Of S3 Control only the tags of buckets are served.")
    ctx.operation = served.name
    named = _BUCKET.fullmatch(path[len(_TAGS) :])
    if named is None:
        raise S3Error("NotImplemented", "Buckets alone have tags by their ARN here.")
    ctx.bucket = named[1]
    try:
        row = await open_bucket(svc, ctx)
    except BucketNotFound:
        raise S3Error("NoSuchResource", ResourceArn=path[len(_TAGS) :]) from None
    await _check_account(svc, ctx, row)
    await regions.check(svc, ctx, row)
    return await served.answer(svc, ctx, row)


def wrapped(told: Told, *, resource: str, request_id: str, host_id: str) -> bytes:
    """The XML body of an error, which S3 Control has in an element more than S3."""
    error = errors.render(told, resource=resource, request_id=request_id, host_id=host_id)
    inner = error.decode().removeprefix(DECLARATION)
    parts = inner + element("RequestId", request_id) + element("HostId", host_id)
    return f'{DECLARATION}<ErrorResponse xmlns="{XMLNS}">{parts}</ErrorResponse>'.encode()


def _path(head: RequestHead) -> str:
    """What stands behind the version of the API."""
    found = _PATH.fullmatch(head.path)
    assert found is not None
    return decode_component(found[1].decode("latin-1"))


async def _check_account(svc: Service, ctx: Context, row: BucketRow) -> None:
    """Raise `AccessDenied` if the account that is named is neither that of whoever asks nor that
    of the bucket: the client means another bucket."""
    named = ctx.head.headers[_ACCOUNT]
    if not svc.auth_enabled or named == ctx.who.account:
        return
    owner = await svc.principals.account_of(row.record.owner)
    if owner is None or owner.id != named:
        ctx.denied = f"the bucket is not {named[:64]}'s"
        raise AccessDenied("the bucket has another owner")


async def _permit(svc: Service, ctx: Context, row: BucketRow) -> None:
    """Raise `AccessDenied` unless the operation is allowed. What is refused is said in full, as at
    Amazon: clients go by it to ask for the tags as S3 has them."""
    action = _SERVED[ctx.head.method].action
    try:
        await authorise(svc, ctx, action, row)
    except AccessDenied:
        raise S3Error(
            "AccessDenied",
            f"User: {ctx.who.arn or 'anonymous'} is not authorized to perform: {action.name} on"
            f' resource: "arn:aws:s3:::{row.record.name}"',
        ) from None
    if row.record.behind is not None:
        raise S3Error(
            "MethodNotAllowed",
            "The tags of a remote bucket are read and set with the operations of S3.",
            Method=ctx.head.method,
        )


async def list_tags_for_resource(svc: Service, ctx: Context, row: BucketRow) -> Response:
    await _permit(svc, ctx, row)
    tags = await documents.tags_of(svc.store, row)
    items = "".join(
        f"<Tag>{element('Key', key)}{element('Value', value)}</Tag>" for key, value in tags.items()
    )
    name = "ListTagsForResourceResult"
    body = f'{DECLARATION}<{name} xmlns="{XMLNS}"><Tags>{items}</Tags></{name}>'
    return Response(200, XML, body.encode())


async def tag_resource(svc: Service, ctx: Context, row: BucketRow) -> Response:
    body = await read_document(ctx.head, ctx.known_payload, ctx.body, tagsets.DOCUMENT_LIMIT)
    given = _of_request(body)
    ctx.facts.update(bodykeys.of_bucket_tags(given))
    await _permit(svc, ctx, row)

    def add(tags: Mapping[str, str]) -> dict[str, str]:
        return tagsets.checked({**tags, **given}.items(), tagsets.BUCKET)

    await documents.change_tags(svc.store, row, add)
    return Response(204)


async def untag_resource(svc: Service, ctx: Context, row: BucketRow) -> Response:
    keys = [value for name, value in ctx.head.pairs if name == "tagKeys"]
    if keys:
        ctx.facts["aws:tagkeys"] = tuple(keys)
    await _permit(svc, ctx, row)
    if len(keys) > _MOST:
        raise S3Error("BadRequest", tagsets.BUCKET.told)

    def remove(tags: Mapping[str, str]) -> dict[str, str]:
        return {key: value for key, value in tags.items() if key not in keys}

    await documents.change_tags(svc.store, row, remove)
    return Response(204)


def _of_request(body: bytes) -> dict[str, str]:
    """The tags of a `TagResourceRequest`. Raises `MalformedXML`, `S3Error`."""
    tree = parse(body, "TagResourceRequest")
    if [child.name for child in tree.children] != ["Tags"]:
        raise MalformedXML("a TagResourceRequest has Tags")
    return tagsets.of_element(tree.children[0], tagsets.BUCKET)


_SERVED: Final[Mapping[str, _Served]] = {
    "GET": _Served(
        "ListTagsForResource",
        Action("s3:ListTagsForResource", permissions.HEAD_BUCKET),
        list_tags_for_resource,
    ),
    "POST": _Served("TagResource", Action("s3:TagResource", permissions.PATCH), tag_resource),
    "DELETE": _Served(
        "UntagResource", Action("s3:UntagResource", permissions.PATCH), untag_resource
    ),
}
