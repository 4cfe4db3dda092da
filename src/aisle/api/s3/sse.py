"""Headers of encryption: from requests into wishes and keys, and from records into replies.

Clients' own keys (SSE-C) come with every request that needs them: 32 bytes in base64, with their
MD5. They must not travel in the clear, so over plain HTTP they are refused but from this machine
(setting `encryption.customer_keys_over_http`). They are kept nowhere.

Spec: user guide, "Using server-side encryption with customer-provided keys", "... with KMS keys";
API reference of PutObject.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import ipaddress
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from aisle.api.base import Context, Headers, Service
from aisle.api.s3.errors import S3Error
from aisle.core.errors import (
    CustomerKeyNeeded,
    CustomerKeyUnused,
    CustomerKeyWrong,
    InvalidArgument,
)
from aisle.core.http import RequestHead
from aisle.core.names import BucketName
from aisle.namespace.records import Bucket, Sealed, Upload
from aisle.namespace.sealing.frames import KEY
from aisle.namespace.sealing.ring import key_name, name_of
from aisle.namespace.sealing.wishes import AES256, CUSTOMER, DSSE, KMS, MODES, Wish

HEADER: Final = "x-amz-server-side-encryption"
_KEY_ID: Final = f"{HEADER}-aws-kms-key-id"
_CONTEXT: Final = f"{HEADER}-context"
_BUCKET_KEY: Final = f"{HEADER}-bucket-key-enabled"
_CUSTOMERS: Final = f"{HEADER}-customer-"
_WRITERS: Final = (HEADER, _KEY_ID, _CONTEXT, _BUCKET_KEY)
_ANY: Final = frozenset(
    {*_WRITERS, *(f"{_CUSTOMERS}{name}" for name in ("algorithm", "key", "key-md5"))}
)
SOURCE: Final = "x-amz-copy-source-server-side-encryption-customer-"
_WORDS: Final = {"true": True, "false": False}
_CONTEXT_LIMIT: Final = 8192
SETTING: Final = "encryption.customer_keys_over_http"
# The account of ARNs of keys: the ring belongs to none.
_ACCOUNT: Final = "000000000000"
_OTHER: Final = "The provided encryption parameters did not match the ones used originally."


def _wrong(name: str, message: str, value: str = "") -> InvalidArgument:
    return InvalidArgument(message, name=name, value=value)


def given(head: RequestHead) -> bool:
    """Whether a request says how its object is to be encrypted."""
    return any(name.startswith(HEADER) for name in head.headers)


def wish(head: RequestHead) -> Wish | None:
    """How the object that a request writes is to be encrypted; `None` if it does not say."""
    headers = head.headers
    if not given(head):
        return None
    customer = customer_key(head)
    mode = headers.get(HEADER)
    if mode is not None and mode not in MODES:
        raise _wrong(HEADER, "The encryption method specified is not supported", mode)
    if customer:
        for name in _WRITERS:
            if name in headers:
                raise _wrong(
                    name,
                    "Server Side Encryption with Customer provided key is incompatible with the"
                    " encryption method specified",
                    headers[name],
                )
        return Wish(customer=customer)
    if mode not in (KMS, DSSE):
        for name in (_KEY_ID, _CONTEXT):
            if name in headers:
                raise _wrong(
                    name,
                    "Server Side Encryption with AWS KMS managed key requires HTTP header"
                    f" {HEADER} : {KMS}",
                    headers[name],
                )
    bucket_key = None
    if _BUCKET_KEY in headers:
        bucket_key = _WORDS.get(headers[_BUCKET_KEY].strip().lower())
        if bucket_key is None:
            raise _wrong(_BUCKET_KEY, "The header must be true or false", headers[_BUCKET_KEY])
    key = headers.get(_KEY_ID, "")
    if _KEY_ID in headers and not key.strip():
        raise _wrong(_KEY_ID, "The key id must not be empty")
    name = key_name(key.strip()) if mode in (KMS, DSSE) else ""
    return Wish(mode or "", name, _context(headers.get(_CONTEXT)), bucket_key)


def asked(head: RequestHead, behind: BucketName | None) -> tuple[Wish | None, dict[str, str]]:
    """The wish, if the object is encrypted here; else the headers for the bucket `behind`."""
    wanted = wish(head)
    if wanted is None or behind is None:
        return wanted, {}
    return None, {name: head.headers[name] for name in _WRITERS if name in head.headers}


def _context(text: str | None) -> str:
    """The encryption context in one form: JSON of a map from strings to strings."""
    if text is None:
        return ""
    problem = _wrong(
        _CONTEXT,
        f"The header '{_CONTEXT}' shall be Base64-encoded UTF-8 string holding JSON which"
        " represents a string-string map",
        text,
    )
    if len(text) > _CONTEXT_LIMIT:
        raise problem
    try:
        found = json.loads(base64.b64decode(text.strip(), validate=True).decode())
    except (binascii.Error, ValueError, RecursionError):
        raise problem from None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise problem
    try:
        shown = json.dumps(found, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        shown.encode()
    except UnicodeEncodeError:
        raise problem from None
    return shown


def customer_key(head: RequestHead, prefix: str = _CUSTOMERS) -> bytes:
    """The key that a client sends, `b""` if it sends none. Raises what is wrong with it."""
    headers = head.headers
    names = [f"{prefix}{name}" for name in ("algorithm", "key", "key-md5")]
    algorithm, text, digest = (headers.get(name) for name in names)
    if algorithm is None and text is None and digest is None:
        return b""
    said = "Requests specifying Server Side Encryption with Customer provided keys must provide"
    if algorithm is None:
        raise _wrong(names[0], f"{said} a valid encryption algorithm.")
    if algorithm != AES256:
        raise S3Error(
            "InvalidEncryptionAlgorithmError", ArgumentName=names[0], ArgumentValue=algorithm
        )
    if text is None:
        raise _wrong(names[1], f"{said} an appropriate secret key.")
    if digest is None:
        raise _wrong(names[2], f"{said} the client calculated MD5 of the secret key.")
    key = _base64(text)
    if len(key) != KEY:
        # Nothing of the key is told.
        raise _wrong(names[1], "The secret key was invalid for the specified algorithm.")
    if not hmac.compare_digest(_md5(key), _base64(digest)):
        raise _wrong(
            names[2],
            "The calculated MD5 hash of the key did not match the hash that was provided.",
        )
    return key


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _md5(key: bytes) -> bytes:
    return hashlib.md5(key, usedforsecurity=False).digest()


def reading(head: RequestHead) -> bytes:
    """The key that a read sends. Raises for headers that only writes may have."""
    if _ANY.isdisjoint(head.headers):
        return b""
    for name in _WRITERS:
        if name in head.headers:
            raise _wrong(name, f"{name} header is not supported for this operation.")
    return customer_key(head)


def ending(head: RequestHead, upload: Upload) -> bytes:
    """The key that the end of an upload sends. What was said of encryption when the upload began
    may be said again: minio-go does so everywhere but at Amazon's, which refuses it. Raises for
    anything else than how the upload is sealed."""
    again = wish(head) if any(name in head.headers for name in _WRITERS) else None
    if again is None:
        return customer_key(head)
    sealed, remote = upload.sealed, upload.remote_encryption
    if remote:
        same = all(head.headers[n] == remote.get(n) for n in _WRITERS if n in head.headers)
    else:
        same = sealed is not None and (
            again.mode in ("", sealed.mode)
            and again.key in ("", name_of(sealed.key))
            and again.context in ("", sealed.context)
            and (again.bucket_key in (None, sealed.bucket_key) or sealed.mode != KMS)
        )
    if not same:
        raise S3Error("InvalidRequest", _OTHER)
    return b""


async def admit(svc: Service, ctx: Context, bucket: Bucket | None = None) -> None:
    """Raise for a client's key that came in the clear; and, with the bucket that is written to,
    for what cannot be honoured in a remote one."""
    head = ctx.head
    names = [n for n in head.headers if n.startswith((HEADER, SOURCE))]
    if not names:
        return
    if bucket is not None and bucket.behind is not None:
        # S3 acts on what it is asked for; keys of clients never leave the cluster.
        for name in names:
            if bucket.behind.provider != "aws" or name not in _WRITERS:
                raise S3Error("NotImplemented", Header=name)
    if head.scheme == "https" or not any(n.startswith((_CUSTOMERS, SOURCE)) for n in names):
        return
    allowed = await svc.store.text(SETTING)
    if allowed == "always" or (allowed == "loopback" and _is_loopback(head.client)):
        return
    raise S3Error(
        "InvalidRequest",
        "Requests specifying Server Side Encryption with Customer provided keys must be made over"
        " a secure connection.",
    )


def _is_loopback(client: str) -> bool:
    try:
        return ipaddress.ip_address(client).is_loopback
    except ValueError:
        return False


@contextmanager
def of_upload() -> Iterator[None]:
    """Tell what is wrong with the key of a part as S3 tells it of parts."""
    try:
        yield
    except CustomerKeyNeeded:
        raise S3Error(
            "InvalidRequest",
            "The multipart upload initiate requested encryption. Subsequent part requests must"
            " include the appropriate encryption parameters.",
        ) from None
    except CustomerKeyUnused:
        raise S3Error(
            "InvalidRequest",
            "The multipart upload initiate did not request encryption with a customer provided"
            " key. Please resend the request without sending encryption parameters.",
        ) from None
    except CustomerKeyWrong:
        raise S3Error("InvalidRequest", _OTHER) from None


def told(
    svc: Service, sealed: Sealed | None, customer: bytes = b"", *, context: bool = False
) -> Headers:
    """How a reply tells the encryption of an object; with its `context` where it was written."""
    if sealed is None:
        return []
    if sealed.mode == CUSTOMER:
        if not customer:
            return []
        digest = base64.b64encode(_md5(customer))
        return [
            (f"{_CUSTOMERS}algorithm".encode(), AES256.encode()),
            (f"{_CUSTOMERS}key-md5".encode(), digest),
        ]
    headers = [(HEADER.encode(), sealed.mode.encode())]
    if sealed.mode == AES256:
        return headers
    headers.append((_KEY_ID.encode(), arn(svc, name_of(sealed.key)).encode()))
    if sealed.bucket_key:
        headers.append((_BUCKET_KEY.encode(), b"true"))
    if context and sealed.context:
        headers.append((_CONTEXT.encode(), base64.b64encode(sealed.context.encode())))
    return headers


def told_of_remote(encryption: Mapping[str, str]) -> Headers:
    """The same of what a remote bucket is asked for."""
    return [(name.encode(), value.encode()) for name, value in encryption.items()]


def arn(svc: Service, name: str) -> str:
    """A key of the ring as Amazon names keys."""
    return f"arn:aws:kms:{svc.region}:{_ACCOUNT}:key/{name}"
