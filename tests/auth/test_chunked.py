"""The aws-chunked decoder: every split of a valid body decodes alike, every damage is noticed."""

from __future__ import annotations

import base64
import hashlib
import io
import zlib
from itertools import pairwise

import pytest
from botocore.httpchecksum import AwsChunkedWrapper, Crc32Checksum
from hypothesis import given
from hypothesis import strategies as st

from aisle.auth.chunked import ChunkedDecoder, ChunkSigner
from aisle.core.errors import AisleError, IncompleteBody, InvalidRequest, SignatureMismatch

SIGNER = ChunkSigner("AKID", b"k" * 32, "20130524T000000Z", "20130524/r/s3/aws4_request", "f" * 64)
CRC = "x-amz-checksum-crc32"
KINDS = ["signed", "signed, trailer", "unsigned, trailer"]


def encode(data: bytes, kind: str, sizes: list[int], ending: bytes = b"\r\n") -> bytes:
    """A valid body of `kind`, its chunks of `sizes` bytes (and the rest)."""
    signed, trailer = kind.startswith("signed"), kind.endswith("trailer")
    chunks = []
    for size in sizes:
        chunks.append(data[:size])
        data = data[size:]
    chunks = [chunk for chunk in [*chunks, data] if chunk]
    previous = SIGNER.seed
    body = b""
    for chunk in [*chunks, b""]:
        body += b"%x" % len(chunk)
        if signed:
            previous = SIGNER.chunk(previous, hashlib.sha256(chunk).hexdigest())
            body += b";chunk-signature=" + previous.encode()
        body += b"\r\n"
        if chunk:
            body += chunk + b"\r\n"
    if trailer:
        crc = zlib.crc32(b"".join(chunks)).to_bytes(4, "big")
        line = CRC.encode() + b":" + base64.b64encode(crc)
        body += line + ending
        if signed:
            proof = SIGNER.trailer(previous, hashlib.sha256(line + b"\n").hexdigest())
            body += b"x-amz-trailer-signature:" + proof.encode() + b"\r\n"
    return body + b"\r\n"


def decoder(kind: str, length: int | None = None, *, checked: bool = True) -> ChunkedDecoder:
    trailer = kind.endswith("trailer")
    return ChunkedDecoder(
        decoded_length=length,
        signer=SIGNER if kind.startswith("signed") and checked else None,
        trailer=trailer,
        announced_trailers=[CRC] if trailer else [],
    )


def decode(decoding: ChunkedDecoder, *parts: bytes) -> bytes:
    pieces = [piece for part in parts for piece in decoding.feed(part)]
    decoding.finish()
    return b"".join(pieces)


BODIES = st.tuples(
    st.binary(max_size=300), st.sampled_from(KINDS), st.lists(st.integers(0, 50), max_size=6)
)


@given(BODIES, st.lists(st.integers(0, 1000), max_size=12), st.booleans())
def test_any_split_of_a_valid_body_decodes_alike(
    body: tuple[bytes, str, list[int]], cuts: list[int], checked: bool
) -> None:
    data, kind, sizes = body
    encoded = encode(data, kind, sizes)
    edges = [0, *sorted(cut % (len(encoded) + 1) for cut in cuts), len(encoded)]
    parts = [encoded[left:right] for left, right in pairwise(edges)]
    decoding = decoder(kind, len(data), checked=checked)
    assert decode(decoding, *parts) == data
    assert (CRC in decoding.trailers) == kind.endswith("trailer")


@given(BODIES, st.integers(0, 10**6))
def test_any_truncation_is_noticed(body: tuple[bytes, str, list[int]], cut: int) -> None:
    data, kind, sizes = body
    encoded = encode(data, kind, sizes)
    with pytest.raises(AisleError):
        decode(decoder(kind, len(data)), encoded[: cut % len(encoded)])


@given(BODIES, st.integers(0, 10**6), st.integers(1, 255))
def test_any_corrupted_byte_of_a_signed_body_is_noticed(
    body: tuple[bytes, str, list[int]], at: int, flip: int
) -> None:
    data, kind, sizes = body
    encoded = bytearray(encode(data, kind, sizes))
    encoded[at % len(encoded)] ^= flip
    decoding = decoder(kind, len(data))
    try:
        decoded = decode(decoding, bytes(encoded))
    except AisleError:
        return
    # What may pass: another spelling of a hex size or trailer name, white space around a
    # trailer's value, and, where nothing is signed, data (which the trailer's value then refutes).
    signed = kind.startswith("signed")
    crc = base64.b64encode(zlib.crc32(decoded).to_bytes(4, "big")).decode()
    assert decoded == data or (not signed and decoding.trailers[CRC] != crc)


@given(BODIES, st.binary(min_size=1, max_size=20))
def test_data_after_the_end_is_noticed(body: tuple[bytes, str, list[int]], more: bytes) -> None:
    data, kind, sizes = body
    decoding = decoder(kind, len(data))
    decode(decoding, encode(data, kind, sizes))
    with pytest.raises(IncompleteBody):
        decoding.feed(more)
    with pytest.raises(IncompleteBody):
        decoding.finish()


@given(st.binary(max_size=200), st.sampled_from(KINDS), st.booleans())
def test_arbitrary_bytes_neither_loop_nor_crash(data: bytes, kind: str, checked: bool) -> None:
    with pytest.raises(AisleError):
        decode(decoder(kind, checked=checked), data)


@given(st.binary(max_size=3000), st.integers(1, 2000))
def test_body_of_botocore_is_decoded(data: bytes, size: int) -> None:
    wrapper = AwsChunkedWrapper(
        io.BytesIO(data), checksum_cls=Crc32Checksum, checksum_name=CRC, chunk_size=size
    )
    decoding = decoder("unsigned, trailer", len(data))
    assert decode(decoding, wrapper.read()) == data
    crc = zlib.crc32(data).to_bytes(4, "big")
    assert decoding.trailers == {CRC: base64.b64encode(crc).decode()}


@pytest.mark.parametrize("kind", ["signed, trailer", "unsigned, trailer"])
@pytest.mark.parametrize("checked", [True, False])
def test_trailer_lines_of_minio_go_are_understood(kind: str, checked: bool) -> None:
    encoded = encode(b"data", kind, [2], ending=b"\n\r\n")
    assert decode(decoder(kind, 4, checked=checked), encoded) == b"data"
    with pytest.raises(IncompleteBody):
        decode(decoder(kind, 4, checked=checked), encoded[:-2])


def test_a_piece_that_is_the_whole_input_is_not_copied() -> None:
    decoding = decoder("unsigned", 100)
    assert decoding.feed(b"64\r\n") == []
    data = bytes(50)
    assert decoding.feed(data)[0] is data


def test_chunk_of_another_request_does_not_fit() -> None:
    other = ChunkSigner("AKID", SIGNER.key, SIGNER.timestamp, SIGNER.scope, "0" * 64)
    decoding = ChunkedDecoder(decoded_length=4, signer=other, trailer=False)
    with pytest.raises(SignatureMismatch):
        decode(decoding, encode(b"data", "signed", []))


def test_chunks_cannot_be_left_out_or_reordered() -> None:
    whole = encode(b"aabbcc", "signed", [2, 2])
    end = whole.index(b"\r\n", whole.index(b"aa") + 2) + 2
    first, rest = whole[:end], whole[end:]
    middle, last = rest[: len(first)], rest[len(first) :]
    for body in (first + last, middle + first + last, first + first + middle + last):
        with pytest.raises(AisleError):
            decode(decoder("signed"), body)


def test_signed_body_must_have_its_signatures() -> None:
    for kind in ("signed", "signed, trailer"):
        with pytest.raises(InvalidRequest):
            decode(decoder(kind, 4), encode(b"data", kind.replace("signed", "unsigned"), []))
    without = encode(b"data", "signed, trailer", []).partition(b"x-amz-trailer-signature")[0]
    with pytest.raises(InvalidRequest):
        decode(decoder("signed, trailer", 4), without + b"\r\n")


def test_damaged_trailer_or_trailer_signature_is_noticed() -> None:
    encoded = encode(b"data", "signed, trailer", [])
    for name in (b"crc32:", b"trailer-signature:"):
        at = encoded.index(name) + len(name)
        changed = encoded[:at] + (b"A" if encoded[at : at + 1] != b"A" else b"B")
        with pytest.raises(SignatureMismatch):
            decode(decoder("signed, trailer", 4), changed + encoded[at + 1 :])


@pytest.mark.parametrize(
    "trailers",
    [
        b"",
        b"x-amz-checksum-crc32c:AAAAAA==\r\n",
        b"x-amz-checksum-crc32:AAAAAA==\r\nx-amz-checksum-crc32:AAAAAA==\r\n",
        b"x-amz-checksum-crc32:AAAAAA==\r\nx-amz-meta-a:b\r\n",
        b"x-amz-checksum-crc32 AAAAAA==\r\n",
        b": AAAAAA==\r\n",
        b"x-amz-checksum-crc32:" + b"A" * 8192 + b"\r\n",
        b"\nx-amz-checksum-crc32:AAAAAA==\r\n",
    ],
)
def test_unexpected_missing_or_malformed_trailer_is_refused(trailers: bytes) -> None:
    with pytest.raises(InvalidRequest):
        decode(decoder("unsigned, trailer", 0), b"0\r\n" + trailers + b"\r\n")


def test_trailers_without_any_announced_are_refused() -> None:
    with pytest.raises(InvalidRequest):
        decode(decoder("unsigned", 0), b"0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n")


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"g",
        b"-1",
        b"+1",
        b" 1",
        b"0x1",
        b"1_0",
        b"1 ",
        b"\xd9\xa3",
        b"1" * 17,
        b"f" * 10_000,
        b";chunk-signature=" + b"0" * 64,
        b"1;" + b"x" * 2000,
    ],
)
def test_malformed_chunk_size_is_refused(line: bytes) -> None:
    with pytest.raises(InvalidRequest):
        decode(decoder("unsigned"), line + b"\r\na\r\n0\r\n\r\n")


@pytest.mark.parametrize("size", [b"5", b"ffffffffffffffff"])
def test_chunk_larger_than_the_announced_length_is_refused_before_its_data(size: bytes) -> None:
    with pytest.raises(IncompleteBody):
        decoder("unsigned", 4).feed(size + b"\r\n")


def test_fewer_bytes_than_announced_are_refused() -> None:
    with pytest.raises(IncompleteBody):
        decode(decoder("signed", 5), encode(b"data", "signed", []))


def test_chunk_longer_than_its_size_is_refused() -> None:
    with pytest.raises(InvalidRequest):
        decode(decoder("unsigned"), b"1\r\nab\r\n0\r\n\r\n")


def test_line_feeds_alone_do_not_end_a_chunk_header() -> None:
    with pytest.raises(InvalidRequest):
        decode(decoder("unsigned"), b"1\na\n0\n\n")


def test_cve_2026_49017_endless_header_is_refused_within_a_bound() -> None:
    decoding = decoder("unsigned")
    for _ in range(1023):
        assert decoding.feed(b"0") == []
    with pytest.raises(InvalidRequest):
        decoding.feed(b"0")


def test_a_failed_decoder_stays_failed() -> None:
    decoding = decoder("unsigned", 4)
    with pytest.raises(InvalidRequest):
        decoding.feed(b"x\r\n")
    with pytest.raises(IncompleteBody):
        decoding.feed(b"4\r\ndata\r\n0\r\n\r\n")
    with pytest.raises(IncompleteBody):
        decoding.finish()
