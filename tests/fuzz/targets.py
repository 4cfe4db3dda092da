"""THE table of what is fuzzed: readers of strangers' bytes, each with inputs to begin from.

A target takes any bytes and may end in an `AisleError` (the refusal that the sender would hear) and
in nothing else; what it accepts it holds to what must be true of anything accepted. `test_targets`
runs all of them for a moment, `make fuzz` one of them for as long as is wanted.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, NamedTuple

from aisle.api.iam.operations import OPERATIONS
from aisle.api.iam.query import check, read
from aisle.api.s3 import corsrules, postpolicy, websiterules
from aisle.api.s3.formdata import FormError, FormParser
from aisle.auth.authenticate import authenticate
from aisle.auth.chunked import ChunkedDecoder, ChunkSigner
from aisle.auth.credentials import Authenticated
from aisle.auth.policy.document import parse_bucket_policy, parse_identity_policy
from aisle.auth.tokens import Key, issue, key_id, verify
from aisle.core.errors import AisleError
from aisle.core.http import RequestHead, fold_headers, parse_query
from aisle.core.names import MAX_KEY_BYTES
from aisle.core.ranges import resolve_range
from aisle.core.templates import parse as parse_template
from aisle.core.xmltree import MAX_DEPTH, Element, XmlError, parse_tree
from aisle.namespace.listing import decode_token
from aisle.namespace.records import Inventoried, decode
from aisle.namespace.window.inventory import csvgz, manifest
from tests.auth.signing import ALICE, lookup

NOW: Final = 1369353600.0
SIGNER: Final = ChunkSigner(
    "AKID", b"k" * 32, "20130524T000000Z", "20130524/r/s3/aws4_request", "f" * 64
)


class Target(NamedTuple):
    """What is fed, and some inputs that it accepts or nearly accepts."""

    run: Callable[[bytes], None]
    seeds: Sequence[bytes]


# --- signatures -----------------------------------------------------------------------------


def head_of(data: bytes) -> RequestHead:
    """A request head from `METHOD target` and lines of `name: value`."""
    first, *lines = data.split(b"\n")
    method, _, target = first.partition(b" ")
    path, _, query = target.partition(b"?")
    fields = []
    for line in lines:
        name, _, value = line.partition(b":")
        fields.append((name.strip().lower(), value.strip()))
    headers, repeated = fold_headers(fields)
    return RequestHead(method.decode("latin-1"), path or b"/", query, headers, repeated)


def signature(data: bytes) -> None:
    """Nobody but a stranger comes out of this: no input has a signature made with the secret."""
    known = _authenticated(head_of(data))
    assert known is None or known.principal.anonymous


def _authenticated(head: RequestHead) -> Authenticated | None:
    with suppress(AisleError):
        return authenticate(head, lookup, now=NOW, target=("demo", "key"))
    return None


_SCOPE: Final = f"{ALICE.access_key}/20130524/us-east-1/s3/aws4_request".encode()
_PROOF: Final = b"0" * 64
_SIGNATURES: Final = (
    b"GET /demo/key\nhost: localhost\nx-amz-date: 20130524T000000Z\n"
    b"x-amz-content-sha256: UNSIGNED-PAYLOAD\nauthorization: AWS4-HMAC-SHA256 Credential="
    + _SCOPE
    + b", SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature="
    + _PROOF,
    b"PUT /demo/key\nhost: localhost\nx-amz-date: 20130524T000000Z\ncontent-encoding: aws-chunked\n"
    b"x-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER\nx-amz-trailer: x-a\n"
    b"x-amz-decoded-content-length: 5\nauthorization: AWS4-HMAC-SHA256 Credential="
    + _SCOPE
    + b",SignedHeaders=host,Signature="
    + _PROOF,
    b"GET /demo/key?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential="
    + _SCOPE.replace(b"/", b"%2F")
    + b"&X-Amz-Date=20130524T000000Z&X-Amz-Expires=600&X-Amz-SignedHeaders=host&X-Amz-Signature="
    + _PROOF
    + b"\nhost: localhost",
    b"GET /demo/key\nhost: localhost\ndate: Fri, 24 May 2013 00:00:00 +0000\nauthorization: AWS "
    + ALICE.access_key.encode()
    + b":frJIUN8DYpKDtOLCwo//yllqDzg=",
    b"GET /demo/key?AWSAccessKeyId="
    + ALICE.access_key.encode()
    + b"&Expires=1369353700&Signature=frJIUN8DYpKDtOLCwo%2F%2FyllqDzg%3D\nhost: localhost",
    b"GET /demo/key\nhost: localhost\nauthorization: Bearer eyJhbGciOiJub25lIn0.e30.",
)


# --- bodies ---------------------------------------------------------------------------------


def chunks(data: bytes) -> None:
    """The first byte picks the kind and how the rest is cut; never more comes out than went in."""
    if not data:
        return
    signed, trailer, size = data[0] & 1, bool(data[0] & 2), 1 + (data[0] >> 2)
    decoder = ChunkedDecoder(
        decoded_length=5 if data[0] & 4 else None,
        signer=SIGNER if signed else None,
        trailer=trailer,
        announced_trailers=["x-a"] if trailer else [],
    )
    body, out = data[1:], 0
    with suppress(AisleError):
        for start in range(0, len(body), size):
            out += sum(map(len, decoder.feed(body[start : start + size])))
            assert out <= start + size
        decoder.finish()
        assert out < len(body)


def _signed_body() -> bytes:
    first = SIGNER.chunk(SIGNER.seed, hashlib.sha256(b"hello").hexdigest())
    last = SIGNER.chunk(first, hashlib.sha256(b"").hexdigest())
    return b"5;chunk-signature=%b\r\nhello\r\n0;chunk-signature=%b\r\n\r\n" % (
        first.encode(),
        last.encode(),
    )


_CHUNKS: Final = (
    b"\xfd" + _signed_body(),
    b"\x00" + b"5\r\nhello\r\n0\r\n\r\n",
    b"\xfe" + b"5\r\nhello\r\n0\r\nx-a:1\r\n\r\n",
    b"\x00" + b"ffffffffffffffff\r\n",
)


def xml(data: bytes) -> None:
    """A tree that is no deeper than allowed, and no larger than its document."""
    with suppress(XmlError):
        root = parse_tree(data)
        assert _depth(root) <= MAX_DEPTH
        assert _size(root) <= len(data)


def _depth(element: Element) -> int:
    return 1 + max(map(_depth, element.children), default=0)


def _size(element: Element) -> int:
    return len(element.text) + sum(map(_size, element.children))


_XML: Final = (
    b"<Delete><Object><Key>a</Key><VersionId>null</VersionId></Object><Quiet>true</Quiet></Delete>",
    b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
    b'<A xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><Grantee xsi:type="Group"/></A>',
    b"<a>" * 20 + b"</a>" * 20,
    b'<?xml version="1.0" encoding="UTF-16"?><a/>',
)


# --- policies -------------------------------------------------------------------------------


def bucket_policy(data: bytes) -> None:
    with suppress(AisleError):
        text = data.decode("utf-8", "replace")
        assert parse_bucket_policy(text, "demo").source == text


def identity_policy(data: bytes) -> None:
    with suppress(AisleError):
        parse_identity_policy(data.decode("utf-8", "replace"))


_POLICIES: Final = (
    b'{"Version":"2012-10-17","Statement":[{"Sid":"a","Effect":"Allow","Principal":"*",'
    b'"Action":"s3:GetObject","Resource":"arn:aws:s3:::demo/*","Condition":{"IpAddress":'
    b'{"aws:SourceIp":["10.0.0.0/8","::1/128"]},"StringLike":{"aws:Referer":"*x*"}}}]}',
    b'{"Statement":{"Effect":"Deny","NotPrincipal":{"AWS":["123456789012"]},"NotAction":["s3:Put*"],'
    b'"NotResource":"arn:aws:s3:::demo/${aws:username}/*","Condition":{"ForAllValues:StringEquals":'
    b'{"s3:RequestObjectTagKeys":["a"]},"NumericLessThanIfExists":{"s3:max-keys":"10"},'
    b'"DateGreaterThan":{"aws:CurrentTime":"2026-01-01T00:00:00Z"},"Null":{"s3:prefix":"true"}}}}',
    b'{"Statement":' + b"[" * 100 + b"]" * 100 + b"}",
)


# --- tokens and forms -----------------------------------------------------------------------

_KEY: Final = Key("k1", "HS256", b"k" * 32)
_CLAIMS: Final = {
    "sub": "alice", "iss": "aisle", "aud": ["aisle"], "iat": NOW, "exp": NOW + 60,
    "jti": "0" * 32, "clusters": None, "buckets": None, "admin": False,
}  # fmt: skip


def jwt(data: bytes) -> None:
    """No token is good but the one that was signed with the key. (Its text may be padded.)"""
    text = data.decode("latin-1")
    with suppress(AisleError):
        assert key_id(text)
        now = int(NOW * 1e9)
        verify(text, _KEY, now=now, issuer="aisle", audiences=["aisle"])
        assert text.partition("=")[0] == _TOKENS[0].decode()


_TOKENS: Final = (
    issue(_KEY, _CLAIMS).encode(),
    issue(Key("k1", "HS256", b"another" * 5), _CLAIMS).encode(),
    b"eyJhbGciOiJub25lIiwidHlwIjoiSldUIiwia2lkIjoiazEifQ.e30.",
)


def form(data: bytes) -> None:
    """A form of IAM or STS: what is taken keeps to the rules of its parameters."""
    with suppress(AisleError):
        told = read(data)
        operation = OPERATIONS.get(told.get("Action", ""))
        if operation is not None:
            check(told, operation)


_FORMS: Final = (
    b"Action=CreateUser&Version=2010-05-08&UserName=bob&Path=%2Fteam%2F&Tags.member.1.Key=a"
    b"&Tags.member.1.Value=b",
    b"Action=AssumeRole&Version=2011-06-15&RoleArn=arn:aws:iam::123456789012:role/r"
    b"&RoleSessionName=s&DurationSeconds=900&Policy=%7B%7D",
    b"Action=ListUsers&MaxItems=99999999999999999999&Marker=%00",
)


# --- queries and the rest -------------------------------------------------------------------


def query(data: bytes) -> None:
    """What has names and values comes out of a query, and no more than went in."""
    pairs = parse_query(data)
    assert sum(len(name) + len(value) for name, value in pairs) <= len(data)


def byte_range(data: bytes) -> None:
    with suppress(AisleError):
        span = resolve_range(data.decode("latin-1"), 1000)
        assert span is None or 0 <= span.start <= span.last < 1000


def token(data: bytes) -> None:
    with suppress(AisleError):
        decode_token(data.decode("latin-1"))


def template(data: bytes) -> None:
    with suppress(AisleError):
        parse_template(data.decode("utf-8", "surrogateescape"))


# --- inventories of remote buckets ------------------------------------------------------------

_COLUMNS: Final = ("bucket", "key", "size", "lastmodifieddate", "etag", "storageclass")
_MANIFESTS: Final = (
    b'{"sourceBucket":"b","version":"2016-11-30","fileFormat":"CSV","fileSchema":"Bucket, Key",'
    b'"files":[{"key":"i/b/x.csv.gz","size":3,"MD5checksum":"900150983cd24fb0d6963f7d28e17f72"}]}',
    b"{}",
)
_INVENTORIES: Final = (
    b'"b","a%20b+c","1","2026-11-22T01:00:00.000Z","d41d8cd98f00b204e9800998ecf8427e","STANDARD"\n',
    b'b,"a\nb",,,,\n"b","""",0,,"<","x"\n',
)


def inventory_manifest(data: bytes) -> None:
    """Every file of a manifest that is read lies in its folder and has a size and an MD5."""
    files: Sequence[manifest.File] = ()
    with suppress(AisleError):
        files = manifest.parse(data, bucket="b", folder="i/b/").files
    for file in files:
        assert file.key.startswith("i/b/")
        assert 0 <= file.size <= manifest.FILE_LIMIT
        assert len(bytes.fromhex(file.md5)) == 16


def inventory_csv(data: bytes) -> None:
    """Every row that is read of a file has a key and what a listing can show as it is."""
    packed, found = io.BytesIO(gzip.compress(data, compresslevel=1)), []
    with suppress(AisleError):
        for rows in csvgz.read(packed, _COLUMNS, "b", batch=1):
            found += rows
    for key, raw in found:
        kept = decode(Inventoried, raw)
        assert 0 < len(key) <= MAX_KEY_BYTES
        assert kept.size >= 0
        assert kept.mtime >= 0
        assert not set('<>&"') & {*kept.etag, *kept.storage_class, *kept.version}


# --- browsers -------------------------------------------------------------------------------


def multipart(data: bytes) -> None:
    """The parts of a form are the same when it comes byte by byte, and so is a refusal."""
    assert _parts([data]) == _parts([data[at : at + 1] for at in range(len(data))])


def _parts(pieces: Sequence[bytes]) -> list[object] | None:
    parser = FormParser(b"b")
    found: list[object] = []
    try:
        for piece in pieces:
            for event in parser.feed(piece):
                if isinstance(event, bytes) and found and isinstance(found[-1], bytes):
                    found[-1] += event
                else:
                    found.append(event)
    except FormError:
        return None
    return found


def post_policy(data: bytes) -> None:
    """A policy that is read says for how long it counts, and of which sizes files may be."""
    with suppress(AisleError):
        policy = postpolicy.parse(base64.b64encode(data).decode())
        assert policy.least >= 0
        policy.check({"key": "k"}, NOW)


def cors(data: bytes) -> None:
    """Rules that are taken are given back as they are, and let nobody in with credentials whom they
    do not name."""
    with suppress(AisleError):
        rules = corsrules.read(data)
        assert corsrules.read(corsrules.shown(rules)) == rules
        for rule in rules:
            told = dict(corsrules.replied(rule, "https://evil.example"))
            if b"access-control-allow-credentials" in told:
                assert "https://evil.example" in rule.origins


def website(data: bytes) -> None:
    """A configuration that is taken is given back as it is, and no redirect ends its header."""
    with suppress(AisleError):
        found = websiterules.read(data)
        assert websiterules.read(websiterules.shown(found)) == found
        target = websiterules.Target("http", "host", "key\r\n")
        for rule in found.rules:
            assert websiterules.location(rule, target)[1].isprintable()


_PART: Final = (
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="a \\"b\\".txt"\r\n\r\n'
)
_MULTIPART: Final = (_PART + b"data\r\n--b--\r\n", _PART + b"\r\n--b \t\r\n", b"\r\n--b--")
_POST_POLICIES: Final = (
    b'{"expiration": "2027-01-01T00:00:00Z", "conditions": [{"bucket": "b"},'
    b' ["starts-with", "$key", "k"], ["content-length-range", 1, 5]]}',
)
_CORS: Final = (
    b"<CORSConfiguration><CORSRule><AllowedOrigin>https://*</AllowedOrigin><AllowedMethod>GET"
    b"</AllowedMethod><AllowedHeader>*</AllowedHeader><MaxAgeSeconds>5</MaxAgeSeconds></CORSRule>"
    b"</CORSConfiguration>",
)
_WEBSITES: Final = (
    b"<WebsiteConfiguration><IndexDocument><Suffix>i</Suffix></IndexDocument><RoutingRules>"
    b"<RoutingRule><Condition><KeyPrefixEquals>k</KeyPrefixEquals></Condition><Redirect><HostName>h"
    b"</HostName><ReplaceKeyWith>n</ReplaceKeyWith></Redirect></RoutingRule></RoutingRules>"
    b"</WebsiteConfiguration>",
)


TARGETS: Final = {
    "signature": Target(signature, _SIGNATURES),
    "chunks": Target(chunks, _CHUNKS),
    "xml": Target(xml, _XML),
    "bucket-policy": Target(bucket_policy, _POLICIES),
    "identity-policy": Target(identity_policy, _POLICIES),
    "jwt": Target(jwt, _TOKENS),
    "form": Target(form, _FORMS),
    "multipart": Target(multipart, _MULTIPART),
    "post-policy": Target(post_policy, _POST_POLICIES),
    "cors": Target(cors, _CORS),
    "website": Target(website, _WEBSITES),
    "query": Target(query, (b"a=b&c=%C3%A9&d&=&a=+", b"list-type=2&prefix=%ff%00", b"%&%%=%1")),
    "range": Target(byte_range, (b"bytes=0-99", b"bytes=-5", b"bytes=5-", b"bytes=0-1,3-4")),
    "token": Target(token, (b"a2Zvbw", b"cGEv", b"====")),
    "inventory-manifest": Target(inventory_manifest, _MANIFESTS),
    "inventory-csv": Target(inventory_csv, _INVENTORIES),
    "template": Target(template, (b"shard-{0..99..3}.tar", b"{a,b{1..3}}", b"{{{")),
}
