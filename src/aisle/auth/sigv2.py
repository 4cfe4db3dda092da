"""Check the Signature Version 2 of a request: in its Authorization header or in its query.

    Authorization: AWS <access key>:<signature>
    ?AWSAccessKeyId=<access key>&Expires=<seconds since 1970>&Signature=<signature>

    signature = base64(HMAC-SHA1(secret, method LF content-md5 LF content-type LF
                                         date-or-expires LF *(x-amz-name ":" value LF) resource))
    resource  = "/" bucket "/" key ["?" the signed parameters, sorted by name, values decoded]

AWS calls it legacy, but boto3 presigns with it unless told otherwise, and `s3cmd signurl` knows
nothing else. It signs neither the body nor the host and only the parameters in `SIGNED`; what it
leaves open is closed here:

* The resource is built from the bucket and key that will be acted on, never from the path: a
  signature for one bucket cannot be used on the virtual host of another.
* A parameter that is not signed must be in `UNSIGNED`, which page and format a listing, or start
  with `x-`, which S3 ignores. Any other might change what a URL does after it was signed.
* `list-type` chooses an operation and is not signed, so no signed parameter may stand beside it.
* Values are signed decoded, so a value with `&` could be read as two parameters: it is refused
  when what follows the `&` is the name of a signed one.
* All x-amz-* headers are signed, so nobody can add one. botocore moves them, Content-Type and
  Content-MD5 of a presigned request into the query; there they count as the headers that they
  are, and `Authenticated.head` has them. They cannot hold line ends, which could forge others.

Spec: "Signing and authenticating REST requests" (signature version 2), S3 user guide;
docs/decisions/003.
"""

from __future__ import annotations

import hmac
import re
from binascii import b2a_base64
from collections.abc import Iterator
from operator import itemgetter
from typing import Final

from aisle.auth.credentials import Authenticated, Credential, Lookup, check_token
from aisle.auth.dates import check_skew, parse_timestamp, to_timestamp
from aisle.auth.hoisted import wire, with_headers
from aisle.auth.payload import anonymous_payload
from aisle.core.errors import (
    AccessDenied,
    InvalidAccessKey,
    MalformedCredentials,
    NotSupported,
    RequestExpired,
    SignatureMismatch,
)
from aisle.core.http import RequestHead

# What the specification names, and what botocore signs beyond that (`QSAOfInterest`).
SIGNED: Final = frozenset(
    {
        *("acl", "cors", "delete", "lifecycle", "location", "logging", "notification"),
        *("partNumber", "policy", "requestPayment", "restore", "tagging", "torrent", "uploadId"),
        *("uploads", "versionId", "versioning", "versions", "website"),
        *("response-cache-control", "response-content-disposition", "response-content-encoding"),
        *("response-content-language", "response-content-type", "response-expires"),
        *("accelerate", "analytics", "defaultObjectAcl", "inventory", "metrics", "object-lock"),
        *("replication", "select", "select-type", "storageClass"),
    }
)
UNSIGNED: Final = frozenset(
    {
        *("bucket-region", "continuation-token", "delimiter", "encoding-type", "fetch-owner"),
        *("key-marker", "list-type", "marker", "max-buckets", "max-keys", "max-parts"),
        *("max-uploads", "part-number-marker", "prefix", "start-after", "upload-id-marker"),
        "version-id-marker",
    }
)
_CREDENTIALS: Final = ("AWSAccessKeyId", "Expires", "Signature")
# Either of these makes a request a presigned one, so that it cannot pass as anonymous.
MARKS: Final = frozenset({"AWSAccessKeyId", "Signature"})
# Where the S3 API answers beside the root.
_MOUNT: Final = "/s3"
_SCHEME: Final = "AWS"
_TOKEN_HEADER: Final = "x-amz-security-token"  # noqa: S105 - the name of a header
# Years beyond any clock; no more digits need to be parsed.
_EXPIRES_DIGITS: Final = 18
_HOISTED: Final = re.compile(r"x-amz-[a-z0-9!#$%&'*+\-.^_`|~]+|content-md5|content-type").fullmatch


def is_mine(authorization: str) -> bool:
    return authorization.partition(" ")[0] == _SCHEME


def check_header(
    head: RequestHead, authorization: str, lookup: Lookup, now: float, target: tuple[str, str]
) -> Authenticated:
    """Check a request with an Authorization header; `target` as for `authenticate`."""
    access_key, _, proof = authorization.partition(" ")[2].rpartition(":")
    _check_text(access_key, proof, query=False)
    headers = head.headers
    date = headers.get("x-amz-date") or headers.get("date")
    if not date:
        raise AccessDenied("AWS authentication requires a valid Date or x-amz-date header")
    time = parse_timestamp(to_timestamp(date))
    if time is None:
        raise MalformedCredentials("the date of the request cannot be read")
    check_skew(time, now)
    for name in head.params:
        _check_unsigned(name)
    # Beside x-amz-date, which is signed as a header, the line of the date is empty.
    line = "" if "x-amz-date" in headers else headers.get("date", "")
    return _verify(head, _find(access_key, lookup), proof, line, target)


def check_query(
    head: RequestHead, lookup: Lookup, now: float, target: tuple[str, str]
) -> Authenticated:
    """Check a presigned request; `target` as for `authenticate`."""
    params = head.params
    names = [name for name, _ in head.pairs]
    if any(names.count(name) != 1 or not params[name] for name in _CREDENTIALS):
        raise MalformedCredentials(
            "Query-string authentication requires the Signature, Expires and AWSAccessKeyId "
            "parameters, once each",
            query=True,
        )
    access_key, expires, proof = (params[name] for name in _CREDENTIALS)
    _check_text(access_key, proof, query=True)
    if not (expires.isascii() and expires.isdigit() and len(expires) <= _EXPIRES_DIGITS):
        raise MalformedCredentials("Expires must be in seconds since 1970", query=True)
    if now > int(expires):
        raise RequestExpired("Request has expired", expiry=int(expires), now=now)
    for name, _ in head.pairs:
        if name not in _CREDENTIALS and not _is_hoisted(name):
            _check_unsigned(name)
    head = acted_on(head)
    return _verify(head, _find(access_key, lookup), proof, expires, target)


def check_policy(policy: str, access_key: str, proof: str, lookup: Lookup) -> Credential:
    """The keys that the policy of a form was signed with; what is signed is its text in base64."""
    _check_text(access_key, proof, query=False)
    found = _find(access_key, lookup)
    digest = hmac.digest(found.secret_key.encode(), policy.encode("latin-1"), "sha1")
    computed = b2a_base64(digest, newline=False)
    if not hmac.compare_digest(computed, proof.encode("ascii")):
        raise SignatureMismatch(access_key, provided=proof, string_to_sign=policy)
    return found


def _check_text(access_key: str, proof: str, *, query: bool) -> None:
    # What follows relies on plain text: it is compared, and repeated in error replies.
    text = access_key + proof
    if not (access_key and proof and text.isascii() and text.isprintable()):
        raise MalformedCredentials(
            "AWS authorization header is invalid.  Expected AwsAccessKeyId:signature"
            if not query
            else "a version 2 signature is an access key and 28 characters of base64",
            query=query,
            foreign=not query,
        )


def _find(access_key: str, lookup: Lookup) -> Credential:
    credential = lookup(access_key)
    if credential is None:
        raise InvalidAccessKey(access_key)
    return credential


# --- the parameters -------------------------------------------------------------------------


def _check_unsigned(name: str) -> None:
    """Refuse a parameter that the signature does not cover and that might mean something."""
    if name in SIGNED or name in UNSIGNED:
        return
    if name.startswith("x-") and not name.startswith("x-amz-"):
        return
    raise NotSupported(
        f"a version 2 signature does not cover the parameter {name[:64]!r}, use AWS4-HMAC-SHA256"
    )


def acted_on(head: RequestHead) -> RequestHead:
    """`head` of a presigned request with the headers in its query where they belong."""
    return with_headers(head, [(n.lower(), v) for n, v in head.pairs if _is_hoisted(n)])


def _is_hoisted(name: str) -> bool:
    return name not in _CREDENTIALS and _HOISTED(name.lower()) is not None


def canonical_parameters(head: RequestHead) -> str:
    """The signed parameters as the resource ends in them, with their `?`."""
    pairs = [pair for pair in head.pairs if pair[0] in SIGNED] if head.query else []
    if not pairs:
        return ""
    if "list-type" in head.params:
        raise NotSupported("a version 2 signature does not cover list-type beside other parameters")
    # By name only: of a repeated name the first counts, and may not change places.
    pairs.sort(key=itemgetter(0))
    parts = []
    for name, value in pairs:
        if "&" in value and any(
            piece.partition("=")[0] in SIGNED for piece in value.split("&")[1:]
        ):
            raise NotSupported(f"a version 2 signature is ambiguous over this value of {name}")
        # rclone and the Go SDK send `uploads=` and sign `uploads`.
        parts.append(f"{name}={wire(value)}" if value else name)
    return "?" + "&".join(parts)


# --- what is signed -------------------------------------------------------------------------


def canonical_headers(headers: dict[str, str]) -> str:
    """The lines of the x-amz-* headers, sorted by name."""
    names = sorted([name for name in headers if name.startswith("x-amz-")])
    return "".join([f"{name}:{headers[name].strip()}\n" for name in names])


def _resources(target: tuple[str, str]) -> Iterator[str]:
    """The ways in which clients spell `target`; none spells another one.

    boto3 and s3cmd leave the mount out of the resource, rclone signs the path that it sends. No
    bucket can be called `s3`, so a resource below the mount has one meaning. Some leave the slash
    after a bucket out.
    """
    bucket, key = target
    if bucket or key:
        yield f"/{bucket}/{key}"
        yield f"{_MOUNT}/{bucket}/{key}"
        if not key:
            yield f"/{bucket}"
            yield f"{_MOUNT}/{bucket}"
    else:
        yield from ("/", f"{_MOUNT}/", _MOUNT)


def _verify(
    head: RequestHead, credential: Credential, proof: str, date: str, target: tuple[str, str]
) -> Authenticated:
    headers = head.headers
    check_token(credential, headers.get(_TOKEN_HEADER, ""))
    # The signature covers no body; an x-amz-content-sha256 is signed as a header, so it counts.
    payload = anonymous_payload(head)
    start = (
        f"{head.method}\n{headers.get('content-md5', '').strip()}\n"
        f"{headers.get('content-type', '').strip()}\n{date.strip()}\n{canonical_headers(headers)}"
    )
    parameters = canonical_parameters(head)
    key = credential.secret_key.encode()
    first = ""
    for resource in _resources(target):
        text = f"{start}{resource}{parameters}"
        # Header values are held as Latin-1 text, so this gives back the bytes of the wire.
        digest = hmac.digest(key, text.encode("latin-1"), "sha1")
        computed = b2a_base64(digest, newline=False)
        if hmac.compare_digest(computed, proof.encode("ascii")):
            return Authenticated(credential.principal, payload, head)
        first = first or text
    raise SignatureMismatch(credential.access_key, provided=proof, string_to_sign=first)
