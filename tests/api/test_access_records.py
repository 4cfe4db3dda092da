"""Lines of access logs, on literals."""

from __future__ import annotations

import pytest

from aisle.api.base import Context, Response
from aisle.api.s3 import accessrecords
from aisle.api.s3.accessrecords import Outcome
from aisle.auth.principal import ANONYMOUS, Principal
from aisle.core.http import RequestHead
from aisle.namespace.records import Bucket
from aisle.namespace.store import BucketRow

ROW = BucketRow(b"", b"", Bucket(b"12345678", "bkt", "ais", "", 0, "0wner", "", {}))
ALICE = Principal("alice", "1", "canon", "A", "arn:aws:iam::1:root", frozenset(), owner=True)
ANN = Principal("ann", "1", "canon", "A", "arn:aws:iam::1:user/ann", frozenset())
OUTCOME = Outcome(1_549_411_200, 200, "", 7, 70_000_000, 10_999_999)


class Body:
    count = 0

    async def read(self) -> bytes:
        return b""


def context(
    method: str = "GET",
    path: bytes = b"/bkt/k",
    query: bytes = b"",
    headers: dict[str, str] | None = None,
    *,
    who: Principal = ALICE,
    operation: str = "GetObject",
    key: str = "k",
) -> Context:
    head = RequestHead(method, path, query, headers or {}, client="192.0.2.3")
    return Context(head, Body(), "REQ1", operation, who, bucket="bkt", key=key)


def line(ctx: Context, outcome: Outcome = OUTCOME, length: int | None = 7) -> str:
    return accessrecords.line(ctx, ROW, Response(200, length=length), outcome).decode()


def test_a_line_has_the_fields_in_amazons_order() -> None:
    headers = {"host": "s3.example.com", "user-agent": "tool/1 (x)", "authorization": "AWS4-..."}
    assert line(context(headers=headers)) == (
        "0wner bkt [06/Feb/2019:00:00:00 +0000] 192.0.2.3 canon REQ1 REST.GET.OBJECT k"
        ' "GET /bkt/k HTTP/1.1" 200 - 7 7 70 10 "-" "tool/1 (x)" - YWlzbGU= SigV4 - AuthHeader'
        " s3.example.com - - - -\n"
    )


@pytest.mark.parametrize(
    ("who", "told"), [(ALICE, "canon"), (ANN, "arn:aws:iam::1:user/ann"), (ANONYMOUS, "-")]
)
def test_the_requester_is_an_account_a_user_or_nobody(who: Principal, told: str) -> None:
    assert line(context(who=who)).split(" ")[5] == told


def test_nothing_that_strangers_write_ends_a_field_or_a_line() -> None:
    evil = 'x" 200\n[06/Feb/2019] \\ \x7f'
    ctx = context(
        "GET\n",
        b'/bkt/" 200\n\xff k',
        b'a=" b',
        {"referer": evil, "user-agent": evil, "host": 'a b"c'},
        key='k" \n',
    )
    text = line(ctx)
    assert text.count("\n") == 1
    assert text.count('"') == 6
    assert '"x%22 200%0A[06/Feb/2019] %5C %7F"' in text
    assert " k%22%20%0A " in text
    assert '"GET%0A /bkt/%22%20200%0A%C3%BF%20k?a=%22%20b HTTP/1.1"' in text
    assert " a%20b%22c " in text


def test_what_signs_a_request_is_not_kept() -> None:
    token = "eyJhbGciOi.eyJzdWIi.c2lnbmF0dXJl"
    query = b"X-Amz-Credential=AKID%2Fx&X-Amz-Signature=abcdef&versionId=v&token=hush"
    text = line(context(path=f"/bkt/{token}".encode(), query=query, headers={"referer": token}))
    for secret in ("AKID", "abcdef", "hush", token):
        assert secret not in text
    assert "versionId=v" in text
    assert text.split(" ")[-10] == "v"


def test_long_fields_are_cut() -> None:
    long = "x" * 100_000
    assert len(line(context(headers={"referer": long, "user-agent": long}, key=long))) < 10_000


@pytest.mark.parametrize(
    ("method", "query", "operation", "key", "told"),
    [
        ("GET", b"", "ListObjects", "", "REST.GET.BUCKET"),
        ("GET", b"list-type=2", "ListObjectsV2", "", "REST.GET.BUCKET"),
        ("PUT", b"policy", "PutBucketPolicy", "", "REST.PUT.BUCKETPOLICY"),
        ("GET", b"logging", "GetBucketLogging", "", "REST.GET.LOGGING_STATUS"),
        ("GET", b"abac", "GetBucketAbac", "", "REST.GET.ABAC"),
        ("POST", b"delete", "DeleteObjects", "", "REST.POST.MULTI_OBJECT_DELETE"),
        ("PUT", b"tagging", "PutObjectTagging", "k", "REST.PUT.OBJECT_TAGGING"),
        ("PUT", b"partNumber=1&uploadId=u", "UploadPart", "k", "REST.PUT.PART"),
        ("POST", b"uploads", "CreateMultipartUpload", "k", "REST.POST.UPLOADS"),
        ("PUT", b"", "CopyObject", "k", "REST.COPY.OBJECT"),
        ("DELETE", b"", "DeleteObject", "k", "REST.DELETE.OBJECT"),
        ("GET", b"", "-", "k", "REST.GET.OBJECT"),
    ],
)
def test_operations_have_amazons_names(
    method: str, query: bytes, operation: str, key: str, told: str
) -> None:
    ctx = context(method, query=query, operation=operation, key=key)
    assert accessrecords.operation_of(ctx) == told


def test_sizes_are_those_of_the_object() -> None:
    part = Response(206, [(b"content-range", b"bytes 0-6/1234")], length=7)
    text = accessrecords.line(context(), ROW, part, OUTCOME._replace(status=206)).decode()
    assert " 206 - 7 1234 " in text
    put = context("PUT", headers={"content-length": "90", "x-amz-decoded-content-length": "10"})
    assert " 200 - - 10 " in line(put, OUTCOME._replace(sent=0), None)
    failed = OUTCOME._replace(status=404, error="NoSuchKey", sent=300)
    assert " 404 NoSuchKey 300 - " in line(context(), failed)
