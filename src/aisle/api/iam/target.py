"""Which requests are for IAM and STS: those to the service itself that S3 does not have.

A form that is posted there, or a GET that names its `Action`, as a presigned STS request does.
S3 has no POST to the service, and posts forms to buckets, as `multipart/form-data`.
"""

from __future__ import annotations

from typing import Final

from aisle.api.base import Service, virtual_bucket
from aisle.core.http import RequestHead

PATHS: Final = frozenset({b"/", b"/s3", b"/s3/"})
_FORM: Final = "application/x-www-form-urlencoded"


def takes(svc: Service, head: RequestHead) -> bool:
    """Whether a request whose path is one of `PATHS` is one of these."""
    if head.method == "POST":
        if head.header("content-type").partition(";")[0].strip().lower() != _FORM:
            return False
    elif head.method != "GET" or "Action" not in head.params:
        return False
    return virtual_bucket(head, svc.domains) is None
