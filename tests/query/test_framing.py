"""The event stream, on literals and by botocore's own parser."""

from __future__ import annotations

import struct
import zlib

from botocore.eventstream import EventStreamBuffer

from aisle.query import framing


def test_a_message_is_prelude_headers_payload_and_two_checksums() -> None:
    headers = b"\x0b:event-type\x07\x00\x03End\x0d:message-type\x07\x00\x05event"
    prelude = struct.pack(">II", 12 + len(headers) + 4, len(headers))
    body = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers
    assert body + struct.pack(">I", zlib.crc32(body)) == framing.END


def test_botocore_reads_every_kind() -> None:
    data = (
        b"".join(framing.records(b"x" * (framing.LARGEST + 1)))
        + framing.CONTINUATION
        + framing.progress(1, 2, 3)
        + framing.stats(4, 5, 6)
        + framing.END
    )
    buffer = EventStreamBuffer()
    buffer.add_data(data)
    found = [(event.headers[":event-type"], event.payload) for event in buffer]
    assert [name for name, _ in found] == ["Records", "Records", "Cont", "Progress", "Stats", "End"]
    assert [len(payload) for _, payload in found[:2]] == [framing.LARGEST, 1]
    assert b"<BytesScanned>4</BytesScanned><BytesProcessed>5<" in found[4][1]


def test_an_error_has_its_code_in_headers() -> None:
    buffer = EventStreamBuffer()
    buffer.add_data(framing.error("CastFailed", "no number"))
    (event,) = list(buffer)
    assert event.headers == {
        ":error-code": "CastFailed",
        ":error-message": "no number",
        ":message-type": "error",
    }


def test_no_records_are_no_message() -> None:
    assert list(framing.records(b"")) == []
