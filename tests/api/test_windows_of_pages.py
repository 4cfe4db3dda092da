"""What windows on buckets that are not S3's cannot keep of a page is refused, not passed over."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from aisle.api.base import Context
from aisle.api.s3 import forwarding
from aisle.api.s3.errors import S3Error
from aisle.core.http import RequestHead
from aisle.namespace.records import Bucket
from aisle.namespace.store import BucketRow

REDIRECT = {"x-amz-website-redirect-location": "/there"}


def answer(operation: str, provider: str, headers: dict[str, str]) -> object:
    """What is answered for a window before its handler is asked."""
    head = RequestHead("PUT", b"/b/k", b"", headers)
    ctx = Context(head, cast("Any", None), "id", operation=operation)
    record = Bucket(b"id", "b", provider, "", 0, "owner", "", {})
    return asyncio.run(forwarding.answer(cast("Any", None), ctx, BucketRow(b"b", b"", record)))


@pytest.mark.parametrize("provider", ["gcp", "az", "ht"])
@pytest.mark.parametrize("operation", ["PutObject", "CopyObject", "CreateMultipartUpload"])
def test_a_redirect_is_refused_where_it_would_be_lost(operation: str, provider: str) -> None:
    with pytest.raises(S3Error) as caught:
        answer(operation, provider, REDIRECT)
    assert caught.value.code == "NotImplemented"
    assert answer(operation, provider, {}) is None


def test_a_window_on_s3_passes_a_redirect_on() -> None:
    assert answer("PutObject", "aws", REDIRECT) is None
    assert answer("PostObject", "aws", REDIRECT) is None
