"""The examples that AWS publishes with their signatures, and what s3cmd put on the wire.

Source: "Signature Calculations for the Authorization Header", "... Query Parameters", "...
Transferring Payload in Multiple Chunks" and "... Including Trailing Headers", S3 API reference.
"""

from __future__ import annotations

import calendar

import pytest

from aisle.auth.authenticate import authenticate
from aisle.auth.chunked import ChunkedDecoder
from aisle.auth.credentials import Credential
from aisle.auth.payload import PayloadKind
from aisle.core.errors import SignatureMismatch
from aisle.core.http import RequestHead
from aisle.core.sigv4 import EMPTY_SHA256, sign
from tests.auth.signing import ALICE, changed, lookup, someone

NOW = calendar.timegm((2013, 5, 24, 0, 0, 0))
SCOPE = "AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request"


def example(
    method: str, path: bytes, query: bytes, headers: dict[str, str], signed: str, proof: str
) -> RequestHead:
    fields = {
        "host": "examplebucket.s3.amazonaws.com",
        "x-amz-content-sha256": EMPTY_SHA256,
        "x-amz-date": "20130524T000000Z",
        "authorization": f"AWS4-HMAC-SHA256 Credential={SCOPE},"
        f"SignedHeaders={signed},Signature={proof}",
        **headers,
    }
    return RequestHead(method, path, query, fields)


EXAMPLES = {
    "get object": example(
        "GET",
        b"/test.txt",
        b"",
        {"range": "bytes=0-9"},
        "host;range;x-amz-content-sha256;x-amz-date",
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
    ),
    "put object": example(
        "PUT",
        b"/test$file.text",
        b"",
        {
            "date": "Fri, 24 May 2013 00:00:00 GMT",
            "x-amz-storage-class": "REDUCED_REDUNDANCY",
            "x-amz-content-sha256": (
                "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"
            ),
        },
        "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
    ),
    "get bucket lifecycle": example(
        "GET",
        b"/",
        b"lifecycle",
        {},
        "host;x-amz-content-sha256;x-amz-date",
        "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
    ),
    "list objects": example(
        "GET",
        b"/",
        b"max-keys=2&prefix=J",
        {},
        "host;x-amz-content-sha256;x-amz-date",
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
    ),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_published_header_example_is_accepted(name: str) -> None:
    result = authenticate(EXAMPLES[name], lookup, now=NOW)
    assert result.principal.name == "alice"
    assert result.payload.kind is PayloadKind.DIGEST


def test_published_presigned_example_is_accepted() -> None:
    query = (
        b"X-Amz-Algorithm=AWS4-HMAC-SHA256"
        b"&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
        b"&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
        b"&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    )
    head = RequestHead("GET", b"/test.txt", query, {"host": "examplebucket.s3.amazonaws.com"})
    result = authenticate(head, lookup, now=NOW + 86400)
    assert result.payload.kind is PayloadKind.UNSIGNED


def chunk(data: bytes, signature: str) -> bytes:
    return b"%x;chunk-signature=%s\r\n%s\r\n" % (len(data), signature.encode(), data)


def test_published_chunked_example_is_accepted() -> None:
    head = example(
        "PUT",
        b"/examplebucket/chunkObject.txt",
        b"",
        {
            "host": "s3.amazonaws.com",
            "x-amz-storage-class": "REDUCED_REDUNDANCY",
            "x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
            "content-encoding": "aws-chunked",
            "x-amz-decoded-content-length": "66560",
            "content-length": "66824",
        },
        "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;"
        "x-amz-decoded-content-length;x-amz-storage-class",
        "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
    )
    payload = authenticate(head, lookup, now=NOW).payload
    assert payload.kind is PayloadKind.CHUNKED
    assert payload.signer
    body = (
        chunk(b"a" * 65536, "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648")
        + chunk(b"a" * 1024, "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497")
        + chunk(b"", "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9")
    )
    assert len(body) == 66824
    decoder = ChunkedDecoder(decoded_length=66560, signer=payload.signer, trailer=payload.trailer)
    assert b"".join(decoder.feed(body)) == b"a" * 66560
    decoder.finish()


@pytest.mark.parametrize("ending", [b"\r\n", b"\n\r\n"], ids=["CRLF", "LF CRLF, as published"])
def test_published_trailer_example_is_accepted(ending: bytes) -> None:
    head = example(
        "PUT",
        b"/examplebucket/chunkObject.txt",
        b"",
        {
            "host": "s3.amazonaws.com",
            "x-amz-storage-class": "REDUCED_REDUNDANCY",
            "x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
            "content-encoding": "aws-chunked",
            "x-amz-decoded-content-length": "66560",
            "x-amz-trailer": "x-amz-checksum-crc32c",
        },
        "content-encoding;host;x-amz-content-sha256;x-amz-date;"
        "x-amz-decoded-content-length;x-amz-storage-class;x-amz-trailer",
        "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
    )
    payload = authenticate(head, lookup, now=NOW).payload
    assert payload.trailer
    body = (
        chunk(b"a" * 65536, "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2")
        + chunk(b"a" * 1024, "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7")
        + b"0;chunk-signature=2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992\r\n"
        + b"x-amz-checksum-crc32c:sOO8/Q=="
        + ending
        + b"x-amz-trailer-signature:"
        + b"d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n"
    )
    decoder = ChunkedDecoder(
        decoded_length=66560,
        signer=payload.signer,
        trailer=True,
        announced_trailers=["x-amz-checksum-crc32c"],
    )
    assert b"".join(decoder.feed(body)) == b"a" * 66560
    decoder.finish()
    assert decoder.trailers == {"x-amz-checksum-crc32c": "sOO8/Q=="}


def test_our_own_client_signs_the_published_example() -> None:
    headers = sign(
        "GET",
        "https://examplebucket.s3.amazonaws.com/test.txt",
        headers={"Range": "bytes=0-9"},
        payload_hash=EMPTY_SHA256,
        access_key=ALICE.access_key,
        secret_key=ALICE.secret_key,
        time=NOW,
    )
    assert headers["authorization"].endswith(
        "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    )


# Three uploads of s3cmd 2.4.0 (`put f.txt "s3://demo/a b+cé/x&y.txt"`), as captured.
S3CMD = Credential("AKID", "SECRETKEY", someone("carol"))
S3CMD_KEY = b"/a%20b%2Bc%C3%A9/x%26y.txt"
S3CMD_ATTRS = (
    "atime:{}/ctime:1795309067/gid:0/gname:root/md5:5d41402abc4b2a76b9719d911017c592"
    "/mode:33188/mtime:1795309067/uid:0/uname:root"
)


def s3cmd(path: bytes, time: str, atime: int, proof: str) -> RequestHead:
    return RequestHead(
        "PUT",
        path,
        b"",
        {
            "host": "localhost:18097",
            "accept-encoding": "identity",
            "authorization": "AWS4-HMAC-SHA256 Credential=AKID/20261122/us-east-1/s3/aws4_request,"
            "SignedHeaders=content-length;content-type;host;x-amz-content-sha256;x-amz-date;"
            f"x-amz-meta-s3cmd-attrs;x-amz-storage-class,Signature={proof}",
            "content-length": "5",
            "content-type": "text/plain",
            "x-amz-content-sha256": (
                "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
            ),
            "x-amz-date": time,
            "x-amz-meta-s3cmd-attrs": S3CMD_ATTRS.format(atime),
            "x-amz-storage-class": "STANDARD",
        },
    )


S3CMD_REQUESTS = {
    "--host=HOST/s3 --host-bucket=HOST/s3": s3cmd(
        b"/s3/demo" + S3CMD_KEY,
        "20261122T005748Z",
        1795308199,
        "b07cf6f26d86ca21e7e8d04368ebc4c3f1aa6861d0fc46981a558ae1140e0682",
    ),
    "--host=HOST/s3 --host-bucket=HOST/s3/%(bucket)s": s3cmd(
        b"/s3/demo" + S3CMD_KEY,
        "20261122T005753Z",
        1795309068,
        "abea629df3fd09a43214bb01848e9626a45dc1c8cc47cff7cf86af420bb3f077",
    ),
    "--host=HOST --host-bucket=HOST": s3cmd(
        b"/demo" + S3CMD_KEY,
        "20261122T005801Z",
        1795309068,
        "99534f8be74c8a14ab14a2ef3cabd0a5cc175e7d97719e8fa37983b5579ac75c",
    ),
}
S3CMD_NOW = calendar.timegm((2026, 11, 22, 0, 58, 0))


@pytest.mark.parametrize("form", S3CMD_REQUESTS)
def test_s3cmd_upload_is_accepted(form: str) -> None:
    result = authenticate(S3CMD_REQUESTS[form], {"AKID": S3CMD}.get, now=S3CMD_NOW)
    assert result.principal.name == "carol"


@pytest.mark.parametrize("form", S3CMD_REQUESTS)
@pytest.mark.parametrize(
    "path",
    [
        b"/s3/other" + S3CMD_KEY,
        b"/other" + S3CMD_KEY,
        b"/s3" + S3CMD_KEY,
        b"/s3/demo/s3" + S3CMD_KEY,
        b"/s3/s3/demo" + S3CMD_KEY,
        b"/s3/demo/demo" + S3CMD_KEY,
        b"/s3/demo/" + S3CMD_KEY,
        S3CMD_KEY,
    ],
)
def test_s3cmd_signature_fits_no_other_bucket_or_key(form: str, path: bytes) -> None:
    head = changed(S3CMD_REQUESTS[form], path=path)
    with pytest.raises(SignatureMismatch):
        authenticate(head, {"AKID": S3CMD}.get, now=S3CMD_NOW)


def test_s3cmd_host_with_a_path_is_no_host_of_another_server() -> None:
    head = S3CMD_REQUESTS["--host=HOST/s3 --host-bucket=HOST/s3"]
    head = changed(head, headers={**head.headers, "host": "localhost:1"})
    with pytest.raises(SignatureMismatch):
        authenticate(head, {"AKID": S3CMD}.get, now=S3CMD_NOW)
