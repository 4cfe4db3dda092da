"""What the tests of forms share: bodies as browsers write them, and policies signed by hand."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tests.harness import ACCESS_KEY, REGION, SECRET_KEY, Endpoint, Reply
from tests.wire.support import bucket_target

BOUNDARY = "----formdata-of-a-test"
Field = tuple[str, str | bytes]


def body_of(
    fields: Iterable[Field],
    data: bytes | None = b"",
    *,
    filename: str = "a.txt",
    after: Iterable[Field] = (),
) -> bytes:
    """A form with `data` as its file; `None` for a form without one."""
    parts = [_field(name, value) for name, value in fields]
    if data is not None:
        head = (
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{filename}"'
            "\r\nContent-Type: text/plain\r\n\r\n"
        )
        parts.append(head.encode("utf-8", "surrogateescape") + data + b"\r\n")
    parts += [_field(name, value) for name, value in after]
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def _field(name: str, value: str | bytes) -> bytes:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'
    return head.encode() + (value.encode() if isinstance(value, str) else value) + b"\r\n"


def send(
    node: Endpoint,
    bucket: str,
    fields: Mapping[str, str] | Sequence[Field],
    data: bytes | None = b"",
    *,
    body: bytes | Iterable[bytes] | None = None,
    headers: Mapping[str, str] | None = None,
    **form: Any,
) -> Reply:
    """Post a form to a bucket."""
    pairs = list(fields.items()) if isinstance(fields, Mapping) else list(fields)
    return node.send(
        "POST",
        bucket_target(bucket),
        headers={"Content-Type": f"multipart/form-data; boundary={BOUNDARY}", **(headers or {})},
        body=body_of(pairs, data, **form) if body is None else body,
        signed=False,
    )


def expiration(seconds: float = 600) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(time.time() + seconds))


def encoded(conditions: Sequence[Any], *, seconds: float = 600) -> str:
    document = {"expiration": expiration(seconds), "conditions": list(conditions)}
    return base64.b64encode(json.dumps(document).encode()).decode()


def signed_v4(
    conditions: Sequence[Any],
    *,
    access_key: str = ACCESS_KEY,
    secret_key: str = SECRET_KEY,
    seconds: float = 600,
    at: str | None = None,
) -> dict[str, str]:
    """The fields of a policy and its signature, version 4, written from its specification."""
    at = at or time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    scope = f"{at[:8]}/{REGION}/s3/aws4_request"
    fields = {
        "x-amz-algorithm": "AWS4-HMAC-SHA256",
        "x-amz-credential": f"{access_key}/{scope}",
        "x-amz-date": at,
    }
    policy = encoded([*conditions, *({name: value} for name, value in fields.items())],
                     seconds=seconds)  # fmt: skip
    key = f"AWS4{secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.new(key, policy.encode(), hashlib.sha256).hexdigest()
    return fields | {"policy": policy, "x-amz-signature": signature}


def signed_v2(
    conditions: Sequence[Any], *, access_key: str = ACCESS_KEY, secret_key: str = SECRET_KEY
) -> dict[str, str]:
    """The same by version 2."""
    policy = encoded(conditions)
    signature = base64.b64encode(hmac.digest(secret_key.encode(), policy.encode(), "sha1")).decode()
    return {"AWSAccessKeyId": access_key, "policy": policy, "signature": signature}
