"""Check the Signature Version 4 of a request: in its Authorization header or in its query.

The region of the scope enters the signing key and nothing else. The service does too, and must be
the one that the request is for: what was signed for `iam` says nothing to `s3`. Services other than
S3 sign the digest of the body without naming it, so they pass what they have read (`digest`).

What is decided where S3's documentation is silent or not followed by clients:

* Every `x-amz-*` header must be signed, in presigned requests too: otherwise whoever holds a
  presigned PUT could turn it into a copy. Two are excepted because the signature covers their
  values anyway: x-amz-content-sha256 (the last line of the canonical request) and, beside an
  Authorization header, x-amz-date (in the string to sign); and x-amz-user-agent, which means
  nothing and which old JavaScript SDKs left out.
* Content-Type and Content-MD5 need not be signed: the documentation says they must, but the
  JavaScript SDKs leave Content-Type out, so S3 cannot insist on it.
* X-Amz-Expires is 1 to 604,800: a URL that lives for zero seconds is refused as malformed.
* s3cmd, given an endpoint with a path, signs that path as part of the host; see `_splits`.

Spec: "Authenticating Requests (AWS Signature Version 4)", S3 API reference; docs/decisions/003.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, NamedTuple

from aisle.auth.chunked import ChunkSigner
from aisle.auth.credentials import Authenticated, Credential, Lookup, check_token
from aisle.auth.dates import MAX_SKEW, check_skew, parse_timestamp, to_timestamp
from aisle.auth.hoisted import with_headers
from aisle.auth.payload import (
    HASH_HEADER,
    HASH_PARAM,
    Payload,
    PayloadKind,
    parse_payload,
    signs_chunks,
)
from aisle.core.checksums import BY_HEADER
from aisle.core.errors import (
    AccessDenied,
    InvalidAccessKey,
    InvalidRequest,
    MalformedCredentials,
    RequestExpired,
    SignatureMismatch,
)
from aisle.core.http import RequestHead
from aisle.core.sigv4 import (
    ALGORITHM,
    SERVICE,
    TERMINATOR,
    UNSIGNED_PAYLOAD,
    canonical_headers,
    canonical_path,
    canonical_query,
    canonical_request,
    signature,
    signing_key,
    string_to_sign,
)

MAX_EXPIRES: Final = 7 * 24 * 3600
# Where the S3 API answers beside the root.
MOUNT: Final = "/s3"

_AGENT_HEADER: Final = "x-amz-user-agent"
_TOKEN_HEADER: Final = "x-amz-security-token"  # noqa: S105 - the name of a header
_TOKEN_PARAM: Final = "X-Amz-Security-Token"  # noqa: S105 - the name of a parameter
_PARAMS: Final = (
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-SignedHeaders",
    "X-Amz-Signature",
)
# A parameter that is a header moved into the query; those of the signature itself are not.
_HOISTED: Final = ("x-amz-", "X-Amz-")
_OWN: Final = frozenset({*_PARAMS, _TOKEN_PARAM, HASH_PARAM})
# S3 signs these in the query and does not act on them. Whoever presigns does not know the body yet,
# and the JavaScript SDK puts the checksum of no body at all into every URL for an upload. A URL for
# one body alone has the checksum among its signed headers, as the SDKs document.
_SIGNED_ONLY: Final = frozenset({*BY_HEADER, "x-amz-sdk-checksum-algorithm"})
# Any one of these makes a request a presigned one, so that it cannot pass as anonymous.
MARKS: Final = frozenset({"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature"})
_REGION_LIMIT: Final = 64


# --- the two places of a signature ----------------------------------------------------------


class _Scope(NamedTuple):
    """What a request says of its signature, but for the signature: the same for all requests that
    one client signs in the same way on one day. `signed` is the list of `names` as it came."""

    access_key: str
    date: str
    region: str
    text: str
    signed: str
    names: tuple[str, ...]


class _Claim(NamedTuple):
    """What a request says of its signature, read from either place."""

    scope: _Scope
    proof: str
    query: bool


def check_header(
    head: RequestHead,
    authorization: str,
    lookup: Lookup,
    now: float,
    *,
    service: str = SERVICE,
    digest: str = "",
) -> Authenticated:
    """Check a request with an Authorization header. `digest` is the SHA-256 of its whole body, for
    a service whose clients do not tell it."""
    claim = _parse_authorization(authorization, service)
    _require_signed(head, claim.scope.names, exempt=(HASH_HEADER, _AGENT_HEADER, "x-amz-date"))
    timestamp = _header_timestamp(head)
    time = parse_timestamp(timestamp)
    if time is None:
        raise MalformedCredentials("the date of the request cannot be read")
    check_skew(time, now)
    claimed = digest or head.headers.get(HASH_HEADER)
    if not claimed:
        raise InvalidRequest("Missing required header for this request: x-amz-content-sha256")
    payload = parse_payload(claimed)
    credential = _find(claim, timestamp, lookup)
    check_token(credential, head.headers.get(_TOKEN_HEADER, ""))
    query = canonical_query(head.query)
    key = signing_key(credential.secret_key, claim.scope.date, claim.scope.region, service)
    request = _Request(head, claim, timestamp, query, claimed)
    mismatches = []
    for host, path in _splits(head):
        mismatch = request.compare(key, host, path)
        if mismatch is None:
            return request.accept(key, credential, payload)
        mismatches.append(mismatch)
    raise mismatches[0]


def check_query(
    head: RequestHead, lookup: Lookup, now: float, *, service: str = SERVICE, digest: str = ""
) -> Authenticated:
    """Check a presigned request. For `digest` see `check_header`."""
    claim = _parse_query(head, service)
    _require_signed(head, claim.scope.names, exempt=(HASH_HEADER, _AGENT_HEADER))
    params = head.params
    timestamp = params["X-Amz-Date"]
    time = parse_timestamp(timestamp)
    if time is None:
        raise MalformedCredentials("X-Amz-Date must be in the ISO8601 basic format", query=True)
    expires = params["X-Amz-Expires"]
    if not (expires.isascii() and expires.isdigit() and len(expires) <= 6):
        raise MalformedCredentials("X-Amz-Expires must be a number of seconds", query=True)
    if not 1 <= int(expires) <= MAX_EXPIRES:
        raise MalformedCredentials("X-Amz-Expires must be 1 to 604800 seconds", query=True)
    if now < time - MAX_SKEW:
        raise RequestExpired("Request is not valid yet")
    if now > time + int(expires):
        raise RequestExpired("Request has expired", expiry=time + int(expires), now=now)
    credential = _find(claim, timestamp, lookup)
    token = head.headers.get(_TOKEN_HEADER, "")
    if _TOKEN_PARAM in params:
        if token and token != params[_TOKEN_PARAM]:
            raise InvalidRequest("the request has two different session tokens")
        token = params[_TOKEN_PARAM]
    check_token(credential, token)
    claimed = digest or _presigned_hash(head)
    payload = parse_payload(claimed)
    key = signing_key(credential.secret_key, claim.scope.date, claim.scope.region, service)
    query = canonical_query(head.query, without="X-Amz-Signature")
    request = _Request(head, claim, timestamp, query, claimed)
    host = head.headers.get("host", "")
    mismatch = request.compare(key, host, canonical_path(head.path))
    if mismatch is not None:
        raise mismatch
    known = request.accept(key, credential, payload)
    return known if params.keys() <= _OWN else known._replace(head=acted_on(head))


def acted_on(head: RequestHead) -> RequestHead:
    """`head` of a presigned request with the headers in its query where they belong."""
    moved = [(n.lower(), v) for n, v in head.pairs if n[:6] in _HOISTED and n not in _OWN]
    return with_headers(head, [pair for pair in moved if pair[0] not in _SIGNED_ONLY])


def check_policy(
    policy: str, credential: str, timestamp: str, proof: str, lookup: Lookup, now: float
) -> Credential:
    """The keys that the policy of a form was signed with: what is signed is its text in base64, as
    it was sent. It is good for seven days at most, as a presigned URL is."""
    claim = _claim(credential, "", proof, False, SERVICE)
    time = parse_timestamp(timestamp)
    if time is None:
        raise MalformedCredentials("x-amz-date must be in the ISO8601 basic format")
    if now < time - MAX_SKEW:
        raise RequestExpired("Request is not valid yet")
    if now > time + MAX_EXPIRES:
        raise RequestExpired("Request has expired", expiry=time + MAX_EXPIRES, now=now)
    found = _find(claim, timestamp, lookup)
    key = signing_key(found.secret_key, claim.scope.date, claim.scope.region, SERVICE)
    if not hmac.compare_digest(signature(key, policy), claim.proof):
        raise SignatureMismatch(found.access_key, provided=claim.proof, string_to_sign=policy)
    return found


def _parse_authorization(text: str, service: str) -> _Claim:
    algorithm, _, rest = text.partition(" ")
    if algorithm != ALGORITHM:
        # The value is never repeated in a message: it may be a password or a token.
        if algorithm.startswith("AWS4-"):
            raise MalformedCredentials("the algorithm must be AWS4-HMAC-SHA256")
        raise MalformedCredentials("Unsupported Authorization Type", foreign=True)
    fields: dict[str, str] = {}
    parts = rest.split(",", 3)
    for part in parts:
        name, _, value = part.strip(" ").partition("=")
        fields[name] = value
    if len(parts) != 3 or fields.keys() != {"Credential", "SignedHeaders", "Signature"}:
        raise MalformedCredentials(
            "the Authorization header must have Credential, SignedHeaders and Signature, once each"
        )
    return _claim(
        fields["Credential"], fields["SignedHeaders"], fields["Signature"], False, service
    )


def _parse_query(head: RequestHead, service: str) -> _Claim:
    params = head.params
    for name in _PARAMS:
        if not params.get(name):
            raise MalformedCredentials(f"the query has no {name}", query=True)
    if len(params) != len(head.pairs):
        # Of a repeated name the first counts for us; nobody must be able to mean the other.
        names = [name for name, _ in head.pairs]
        for name in (*_PARAMS, _TOKEN_PARAM, HASH_PARAM):
            if names.count(name) > 1:
                raise MalformedCredentials(f"the query has {name} more than once", query=True)
    if params["X-Amz-Algorithm"] != ALGORITHM:
        raise MalformedCredentials("X-Amz-Algorithm must be AWS4-HMAC-SHA256", query=True)
    return _claim(
        params["X-Amz-Credential"],
        params["X-Amz-SignedHeaders"],
        params["X-Amz-Signature"],
        True,
        service,
    )


def _claim(credential: str, signed: str, proof: str, query: bool, service: str) -> _Claim:
    # What follows relies on plain text: it is compared, hashed, and repeated in error replies.
    if not (proof.isascii() and proof.isalnum()):
        raise MalformedCredentials("the signature has characters it cannot have", query=query)
    return _Claim(_scope(credential, signed, query, service), proof, query)


def region_of(head: RequestHead) -> str:
    """The region that a signed request names, `""` if it names none. Not to be trusted before the
    signature is."""
    text = head.headers.get("authorization", "")
    if text.startswith(ALGORITHM):
        text = text.partition("Credential=")[2].partition(",")[0]
    else:
        text = head.params.get("X-Amz-Credential", "")
    parts = text.strip().rsplit("/", 4)
    return parts[2] if len(parts) == 5 else ""


@lru_cache(maxsize=1024)
def _scope(credential: str, signed: str, query: bool, service: str) -> _Scope:
    # From the right: an access key may have a slash in it.
    parts = credential.rsplit("/", 4)
    if len(parts) != 5 or not parts[0]:
        raise MalformedCredentials(
            f"the credential must be <access key>/YYYYMMDD/<region>/{service}/aws4_request",
            query=query,
        )
    access_key, date, region, named, terminator = parts
    if named != service or terminator != TERMINATOR:
        raise MalformedCredentials(
            f"the credential must end in /{service}/aws4_request", query=query
        )
    if len(region) > _REGION_LIMIT:
        raise MalformedCredentials("the credential's region is not a name", query=query)
    text = credential + signed
    if not (text.isascii() and text.isprintable()):
        raise MalformedCredentials("the credentials have characters they cannot have", query=query)
    scope = f"{date}/{region}/{service}/{TERMINATOR}"
    return _Scope(access_key, date, region, scope, signed, tuple(signed.split(";")))


# --- what both have to satisfy --------------------------------------------------------------


def _require_signed(head: RequestHead, names: tuple[str, ...], *, exempt: tuple[str, ...]) -> None:
    if "host" not in names:
        raise AccessDenied("There were headers present in the request which were not signed: host")
    for name in head.headers:
        if name.startswith("x-amz-") and name not in names and name not in exempt:
            raise AccessDenied(
                f"There were headers present in the request which were not signed: {name}"
            )


def _find(claim: _Claim, timestamp: str, lookup: Lookup) -> Credential:
    if claim.scope.date != timestamp[:8]:
        raise MalformedCredentials(
            "the date of the credential is not the date of the request", query=claim.query
        )
    credential = lookup(claim.scope.access_key)
    if credential is None:
        raise InvalidAccessKey(claim.scope.access_key)
    return credential


def _header_timestamp(head: RequestHead) -> str:
    """The request's time in ISO 8601 basic form: from x-amz-date, else from Date."""
    timestamp = head.headers.get("x-amz-date")
    if timestamp is not None:
        return timestamp
    date = head.headers.get("date", "")
    if not date:
        raise AccessDenied("AWS authentication requires a valid Date or x-amz-date header")
    return to_timestamp(date)


def _presigned_hash(head: RequestHead) -> str:
    """The payload hash a presigned request was signed with: query, header, or unsigned."""
    in_query = head.params.get(HASH_PARAM, "")
    in_header = head.headers.get(HASH_HEADER, "")
    if in_query and in_header and in_query != in_header:
        raise InvalidRequest("X-Amz-Content-Sha256 differs between the query and the header")
    return in_query or in_header or UNSIGNED_PAYLOAD


def _splits(head: RequestHead) -> Iterator[tuple[str, str]]:
    """The ways in which a client may have split `host/path` into host and path.

    First as received. s3cmd with `--host=HOST/s3` sends `Host: HOST` and `/s3/bucket/key` but signs
    `host:HOST/s3` and `/bucket/key`; with `--host-bucket=HOST/s3/%(bucket)s` it signs
    `host:HOST/s3/bucket` and `/key`, and likewise without `/s3`. All of these spell the same host,
    bucket and key in the same order, and no host has a slash in it, so a signature over one of them
    fits no other request.
    """
    host = head.headers.get("host", "")
    path = canonical_path(head.path)
    yield host, path
    if path == MOUNT or path.startswith(MOUNT + "/"):
        host, path = host + MOUNT, path[len(MOUNT) :] or "/"
        yield host, path
    bucket, _, key = path[1:].partition("/")
    if bucket:
        yield f"{host}/{bucket}", f"/{key}"


class _Request(NamedTuple):
    """Everything a signature is computed from but the key, the host and the path."""

    head: RequestHead
    claim: _Claim
    timestamp: str
    query: str
    claimed: str

    def compare(self, key: bytes, host: str, path: str) -> SignatureMismatch | None:
        """`None` if the signature was made with `key` over this host and path."""
        scope, headers = self.claim.scope, self.head.headers
        if host != headers.get("host"):
            headers = {**headers, "host": host}
        request = canonical_request(
            self.head.method,
            path,
            self.query,
            canonical_headers(headers, scope.names),
            scope.signed,
            self.claimed,
        )
        text = string_to_sign(self.timestamp, scope.text, request)
        computed, proof = signature(key, text), self.claim.proof
        if hmac.compare_digest(computed, proof):
            return None
        return SignatureMismatch(
            scope.access_key, provided=proof, string_to_sign=text, canonical_request=request
        )

    def accept(self, key: bytes, credential: Credential, payload: Payload) -> Authenticated:
        if payload.kind is PayloadKind.CHUNKED and signs_chunks(self.claimed):
            scope, proof = self.claim.scope, self.claim.proof
            signer = ChunkSigner(scope.access_key, key, self.timestamp, scope.text, proof)
            payload = parse_payload(self.claimed, signer)
        return Authenticated(credential.principal, payload, self.head)
