"""Bodies in `aws-chunked`: decoded exactly, or refused with nothing stored."""

from __future__ import annotations

import gzip
import re
from typing import Any

import pytest

from tests.harness import Node
from tests.wire.chunks import MODES, SIGNED, SIGNED_TRAILER, UNSIGNED_TRAILER, Upload
from tests.wire.support import (
    DIGESTS,
    begin,
    checksum,
    checksum_header,
    complete,
    etag_of,
    exists,
    expect_error,
    get,
    object_target,
    pattern,
    read,
)

# What S3 may call a body whose framing is broken, as opposed to one whose signature is.
BROKEN = (
    "IncompleteBody",
    "InvalidRequest",
    "InvalidChunkSizeError",
    "MalformedTrailerError",
    "SignatureDoesNotMatch",
    "MissingContentLength",
    "BadDigest",
    "InvalidArgument",
)


def trailers(mode: str, data: bytes, algorithm: str = "CRC32") -> dict[str, str]:
    if mode == SIGNED:
        return {}
    return {checksum_header(algorithm): checksum(algorithm, data)}


def upload(mode: str, data: bytes, **fields: Any) -> Upload:
    return Upload(mode, data, **{"trailers": trailers(mode, data), **fields})


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("length", [0, 1, 8192, 65536, 65537, 1_500_000])
@pytest.mark.parametrize("size", [8192, 65536])
def test_the_framing_is_taken_off(
    node: Node, s3: Any, bucket: str, mode: str, length: int, size: int
) -> None:
    data = pattern(length)
    reply = upload(mode, data, size=size).send(node, object_target(bucket, "k"))
    assert reply.status == 200, reply.body
    assert reply.headers["etag"] == etag_of(data)
    got = get(node, bucket, "k")
    assert got.body == data
    assert "content-encoding" not in got.headers
    assert s3.list_objects_v2(Bucket=bucket)["Contents"][0]["Size"] == length


@pytest.mark.parametrize("mode", MODES)
def test_a_body_that_looks_like_framing_is_kept_as_it_is(
    node: Node, bucket: str, mode: str
) -> None:
    data = b"5\r\nhello\r\n0\r\n\r\n" * 2000
    assert upload(mode, data, size=8192).send(node, object_target(bucket, "k")).status == 200
    assert get(node, bucket, "k").body == data


@pytest.mark.parametrize("mode", MODES)
def test_other_encodings_stay_with_the_object(node: Node, bucket: str, mode: str) -> None:
    data = gzip.compress(pattern(10_000))
    sent = upload(mode, data, encoding="aws-chunked,gzip")
    assert sent.send(node, object_target(bucket, "k")).status == 200
    got = get(node, bucket, "k")
    assert (got.headers["content-encoding"], got.body) == ("gzip", data)


@pytest.mark.parametrize("mode", MODES)
def test_the_payload_mode_alone_tells_that_the_body_is_framed(
    node: Node, bucket: str, mode: str
) -> None:
    """Some clients leave `Content-Encoding: aws-chunked` out; S3 takes it."""
    data = pattern(100_000)
    assert upload(mode, data, encoding="").send(node, object_target(bucket, "k")).status == 200
    assert get(node, bucket, "k").body == data


@pytest.mark.parametrize("mode", [SIGNED_TRAILER, UNSIGNED_TRAILER])
@pytest.mark.parametrize("algorithm", list(DIGESTS))
def test_a_right_checksum_in_the_trailer_is_kept(
    node: Node, bucket: str, mode: str, algorithm: str
) -> None:
    data = pattern(100_000)
    sent = upload(
        mode,
        data,
        trailers=trailers(mode, data, algorithm),
        headers={"x-amz-sdk-checksum-algorithm": algorithm},
    )
    reply = sent.send(node, object_target(bucket, "k"))
    assert reply.status == 200, reply.body
    header = checksum_header(algorithm)
    assert reply.headers[header] == checksum(algorithm, data)
    told = get(node, bucket, "k", x_amz_checksum_mode="ENABLED")
    assert told.headers[header] == checksum(algorithm, data)


@pytest.mark.parametrize("mode", [SIGNED_TRAILER, UNSIGNED_TRAILER])
@pytest.mark.parametrize("algorithm", list(DIGESTS))
def test_a_wrong_checksum_in_the_trailer_stores_nothing(
    node: Node, s3: Any, bucket: str, mode: str, algorithm: str
) -> None:
    sent = upload(mode, b"hello" * 5000, trailers=trailers(mode, b"other", algorithm))
    expect_error(sent.send(node, object_target(bucket, "k")), 400, "BadDigest")
    assert not exists(s3, bucket, "k")


@pytest.mark.parametrize("mode", [SIGNED_TRAILER, UNSIGNED_TRAILER])
@pytest.mark.parametrize(
    ("sent", "announced"),
    [
        ({}, "x-amz-checksum-crc32"),  # announced, not sent
        ({"x-amz-checksum-crc32": "!!!!"}, None),  # no digest
        ({"x-amz-checksum-crc32": checksum("CRC32", b"hello")}, "x-amz-checksum-sha1"),
    ],
)
def test_a_trailer_other_than_announced_stores_nothing(
    node: Node, s3: Any, bucket: str, mode: str, sent: dict[str, str], announced: str | None
) -> None:
    reply = Upload(mode, b"hello", trailers=sent, announced=announced).send(
        node, object_target(bucket, "k")
    )
    expect_error(reply, 400, ("MalformedTrailerError", "InvalidRequest"))
    assert not exists(s3, bucket, "k")


def test_a_trailer_without_a_checksum_is_no_error(node: Node, bucket: str) -> None:
    """The unsigned mode with nothing announced: some clients send it so."""
    reply = Upload(UNSIGNED_TRAILER, b"hello").send(node, object_target(bucket, "k"))
    assert reply.status == 200, reply.body
    assert get(node, bucket, "k").body == b"hello"


@pytest.mark.parametrize("mode", MODES)
def test_the_decoded_length_must_be_told(node: Node, s3: Any, bucket: str, mode: str) -> None:
    reply = upload(mode, b"hello", decoded="").send(node, object_target(bucket, "k"))
    expect_error(reply, 411, "MissingContentLength")
    assert not exists(s3, bucket, "k")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("decoded", ["4", "6", "0", "99999999", "-5", "x", "5.0"])
def test_the_decoded_length_must_be_right(
    node: Node, s3: Any, bucket: str, mode: str, decoded: str
) -> None:
    reply = upload(mode, b"hello", decoded=decoded).send(node, object_target(bucket, "k"))
    expect_error(reply, 400, BROKEN)
    assert not exists(s3, bucket, "k")


def replace_size(body: bytes, size: bytes) -> bytes:
    """The body with another size in its first chunk head."""
    return re.sub(rb"^[0-9a-f]+", size, body)


SPOILS = {
    "cut in the data": lambda body: body[:100],
    "cut in the middle": lambda body: body[: len(body) // 2],
    "cut before the last chunk": lambda body: body[: body.rindex(b"\r\n0")],
    "nothing at all": lambda body: b"",
    "only the last chunk": lambda body: body[body.rindex(b"\r\n0") + 2 :],
    "size too large": lambda body: replace_size(body, b"fffffff"),
    "size beyond 64 bits": lambda body: replace_size(body, b"f" * 40),
    "size negative": lambda body: replace_size(body, b"-5"),
    "size with a prefix": lambda body: replace_size(body, b"0x10000"),
    "size with an underscore": lambda body: replace_size(body, b"1_0000"),
    "size missing": lambda body: replace_size(body, b""),
    "size no number": lambda body: replace_size(body, b"zz"),
    "size one too small": lambda body: replace_size(body, b"ffff"),
    "size one too large": lambda body: replace_size(body, b"10001"),
    "endless head": lambda body: b"0" * 100_000 + body,
    "bytes after the end": lambda body: body + b"5\r\nworld\r\n0\r\n\r\n",
    "not framed": lambda body: b"hello world, this is the plain body" * 10,
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("spoil", SPOILS)
def test_a_broken_framing_stores_nothing(
    node: Node, s3: Any, bucket: str, mode: str, spoil: str
) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"before")
    sent = upload(mode, pattern(200_000), spoil=SPOILS[spoil])
    reply = sent.send(node, object_target(bucket, "k"))
    assert reply.status in (400, 403), (reply.status, reply.body)
    expect_error(reply, reply.status, BROKEN)
    assert read(s3, bucket, "k") == b"before"
    assert node.send("GET", "/v1/health", signed=False).status == 200


def flip_byte(body: bytes) -> bytes:
    """Change one byte of the data in the second chunk."""
    place = 65536 + 2000
    return body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]


def zero_signature(number: int) -> Any:
    """Replace the signature of chunk `number`."""

    def spoil(body: bytes) -> bytes:
        places = [match.end() for match in re.finditer(rb"chunk-signature=", body)]
        place = places[number]
        return body[:place] + b"0" * 64 + body[place + 64 :]

    return spoil


SIGNATURE_SPOILS = {
    "a byte changed": flip_byte,
    "first signature": zero_signature(0),
    "middle signature": zero_signature(1),
    "last signature": zero_signature(-1),
    "no signatures": lambda body: re.sub(rb";chunk-signature=[0-9a-f]{64}", b"", body),
}


@pytest.mark.parametrize("mode", [SIGNED, SIGNED_TRAILER])
@pytest.mark.parametrize("spoil", SIGNATURE_SPOILS)
def test_a_bad_chunk_signature_stores_nothing(
    node: Node, s3: Any, bucket: str, mode: str, spoil: str
) -> None:
    data = pattern(200_000)
    # The trailer tells no checksum here, so that it is the signature which has to be checked.
    sent = Upload(mode, data, trailers={}, spoil=SIGNATURE_SPOILS[spoil])
    reply = sent.send(node, object_target(bucket, "k"))
    if spoil == "no signatures":
        expect_error(reply, reply.status, BROKEN)
        assert reply.status in (400, 403)
    else:
        expect_error(reply, 403, "SignatureDoesNotMatch")
    assert not exists(s3, bucket, "k")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda body: re.sub(rb"trailer-signature:[0-9a-f]{4}", b"trailer-signature:0000", body),
        lambda body: re.sub(rb"x-amz-trailer-signature:[0-9a-f]{64}\r\n", b"", body),
    ],
    ids=["signature", "missing"],
)
def test_a_bad_trailer_signature_stores_nothing(
    node: Node, s3: Any, bucket: str, spoil: Any
) -> None:
    sent = upload(SIGNED_TRAILER, b"hello", spoil=spoil)
    reply = sent.send(node, object_target(bucket, "k"))
    expect_error(
        reply, reply.status, ("SignatureDoesNotMatch", "MalformedTrailerError", "InvalidRequest")
    )
    assert reply.status in (400, 403)
    assert not exists(s3, bucket, "k")


@pytest.mark.parametrize("mode", MODES)
def test_framing_does_not_excuse_a_wrong_secret(
    node: Node, s3: Any, bucket: str, mode: str
) -> None:
    """CVE-2025-31489 and its like: the unsigned mode was let in with any signature."""
    reply = upload(mode, b"hello", secret="wrong").send(node, object_target(bucket, "k"))
    expect_error(reply, 403, "SignatureDoesNotMatch")
    assert not exists(s3, bucket, "k")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("with_key", [True, False])
def test_framing_does_not_excuse_a_missing_signature(
    node: Node, s3: Any, bucket: str, mode: str, with_key: bool
) -> None:
    """CVE-2026-41145: credentials in the query, no Authorization header."""
    headers = {
        "Content-Encoding": "aws-chunked",
        "x-amz-content-sha256": mode,
        "x-amz-decoded-content-length": "5",
    }
    query = "X-Amz-Credential=AISLEROOTACCESSKEY00%2F20260101%2Fus-east-1%2Fs3%2Faws4_request"
    reply = node.send(
        "PUT",
        object_target(bucket, "k", query if with_key else ""),
        headers=headers,
        body=b"5\r\nhello\r\n0\r\n\r\n",
        signed=False,
    )
    assert reply.status in (400, 403)
    assert not exists(s3, bucket, "k")


@pytest.mark.parametrize("mode", MODES)
def test_a_part_may_be_chunked_too(node: Node, s3: Any, bucket: str, mode: str) -> None:
    multipart = begin(s3, bucket, "k")
    data = pattern(150_000)
    target = object_target(bucket, "k", f"partNumber=1&uploadId={multipart}")
    reply = upload(mode, data).send(node, target)
    assert reply.status == 200, reply.body
    complete(s3, bucket, "k", multipart, [{"PartNumber": 1, "ETag": reply.headers["etag"]}])
    assert read(s3, bucket, "k") == data


def test_an_unknown_payload_mode_is_refused(node: Node, s3: Any, bucket: str) -> None:
    for mode in ("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", "STREAMING-NONSENSE", "nonsense"):
        reply = node.send("PUT", object_target(bucket, "k"), body=b"hello", payload=mode)
        assert reply.status in (400, 501), (mode, reply.status)
        assert not exists(s3, bucket, "k")
