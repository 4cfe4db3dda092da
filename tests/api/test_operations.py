"""The operations table against botocore's whole S3 model: every request finds its operation."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any, NamedTuple

import botocore
import pytest

from aisle.api.s3.dialect import HANDLERS
from aisle.api.s3.operations import ROUTES, Level, select
from aisle.core.http import RequestHead

MODEL = Path(botocore.__file__).parent / "data/s3/2006-03-01/service-2.json.gz"
# A route of its own host, for Object Lambda functions only: no S3 bucket is ever asked this.
ELSEWHERE = {"WriteGetObjectResponse"}
# Pairs of one route: the older one is told by the newer name, and a service has buckets of one
# kind.
TOLD_AS = {
    "GetBucketLifecycle": "GetBucketLifecycleConfiguration",
    "PutBucketLifecycle": "PutBucketLifecycleConfiguration",
    "GetBucketNotification": "GetBucketNotificationConfiguration",
    "PutBucketNotification": "PutBucketNotificationConfiguration",
    "ListDirectoryBuckets": "ListBuckets",
}


class Request(NamedTuple):
    """What a client sends for an operation, as far as routing sees it."""

    name: str
    level: Level
    head: RequestHead


def request_of(name: str, operation: dict[str, Any], shapes: dict[str, Any]) -> Request:
    """The least request of an operation: its target, its required parameters and headers."""
    path, _, query = operation["http"]["requestUri"].partition("?")
    level: Level = "object" if "{Key" in path else "bucket" if "{Bucket" in path else "service"
    shape = shapes[operation["input"]["shape"]] if "input" in operation else {"members": {}}
    headers = {}
    for member in shape.get("required", []):
        where = shape["members"][member]
        if where.get("location") == "querystring":
            query += f"&{where['locationName']}=1"
        elif where.get("location") == "header":
            headers[where["locationName"].lower()] = "1"
    path = re.sub(r"\{Bucket\}", "bucket", re.sub(r"\{Key\+\}", "key", path))
    method = operation["http"]["method"]
    return Request(
        name, level, RequestHead(method, path.encode(), query.strip("&").encode(), headers)
    )


def requests() -> list[Request]:
    model = json.loads(gzip.decompress(MODEL.read_bytes()))
    return [
        request_of(name, operation, model["shapes"])
        for name, operation in model["operations"].items()
        if name not in ELSEWHERE
    ]


REQUESTS = requests()


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: request.name)
def test_every_operation_of_the_model_is_found(request_: Request) -> None:
    _, name = select(request_.head, request_.level)
    assert name == TOLD_AS.get(request_.name, request_.name)


def test_the_table_has_every_operation_of_the_model_and_no_other() -> None:
    named = [name for row in ROUTES for name in row.names]
    assert sorted(named) == sorted(request.name for request in REQUESTS)


def test_no_two_rows_mean_the_same_request() -> None:
    places = [(row.level, row.method, row.selector) for row in ROUTES]
    assert len(places) == len(set(places))


def test_every_handler_is_of_an_operation() -> None:
    routed = {name for row in ROUTES for name in row.names}
    assert set(HANDLERS) - routed == {"PostObject"}  # which is told by more than its route


@pytest.mark.parametrize(
    "row", [row for row in ROUTES if row.selector], ids=lambda row: row.names[0]
)
def test_a_sub_resource_is_never_taken_for_the_plain_verb(row: Any) -> None:
    plain = {name for other in ROUTES if not other.selector for name in other.names}
    for method in ("GET", "HEAD", "PUT", "POST", "DELETE"):
        for query in (row.selector, f"{row.selector}=", f"x-id=1&{row.selector}=a"):
            head = RequestHead(method, b"/bucket/key", query.encode(), {})
            selector, name = select(head, row.level)
            assert selector == row.selector
            assert name not in plain


@pytest.mark.parametrize(
    ("method", "level", "query", "expected"),
    [
        ("GET", "object", "", "GetObject"),
        ("GET", "object", "versionId=1&partNumber=2&response-expires=x", "GetObject"),
        ("GET", "object", "x-id=GetObject", "GetObject"),
        ("GET", "bucket", "prefix=acl", "ListObjects"),
        ("GET", "bucket", "list-type=2&prefix=a", "ListObjectsV2"),
        ("POST", "object", "uploads=", "CreateMultipartUpload"),
        ("POST", "object", "", ""),
        ("POST", "service", "", ""),
        ("PATCH", "object", "", ""),
        ("get", "object", "", ""),
        ("HEAD", "object", "acl", ""),
        ("DELETE", "service", "", ""),
    ],
)
def test_a_request_means(method: str, level: Level, query: str, expected: str) -> None:
    head = RequestHead(method, b"/", query.encode(), {})
    assert select(head, level)[1] == expected


def test_a_copy_is_told_by_its_source() -> None:
    headers = {"x-amz-copy-source": "/b/k"}
    for query, expected in (
        (b"", "CopyObject"),
        (b"partNumber=1&uploadId=x", "UploadPartCopy"),
        (b"acl", "PutObjectAcl"),
    ):
        assert select(RequestHead("PUT", b"/b/k", query, headers), "object")[1] == expected
