"""S3's event stream: messages of headers and a payload, each with two checksums.

A message is its length, the length of its headers and the CRC32 of these eight bytes; then headers,
each a name and a string, the payload, and the CRC32 of all before.

Spec: API reference, SelectObjectContent response, "Event stream message".
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Final

_PRELUDE: Final = struct.Struct(">II")
_CRC: Final = struct.Struct(">I")
_STRING: Final = 7
LARGEST: Final = 1 << 20  # bytes of records in a message


def message(headers: tuple[tuple[str, str], ...], payload: bytes = b"") -> bytes:
    """One message."""
    packed = b"".join(_header(name, value) for name, value in headers)
    prelude = _PRELUDE.pack(len(packed) + len(payload) + 16, len(packed))
    begun = prelude + _CRC.pack(zlib.crc32(prelude)) + packed + payload
    return begun + _CRC.pack(zlib.crc32(begun))


def _header(name: str, value: str) -> bytes:
    label, text = name.encode(), value.encode()
    return struct.pack(">B", len(label)) + label + struct.pack(">BH", _STRING, len(text)) + text


def _event(kind: str, content: str = "", payload: bytes = b"") -> bytes:
    headers = [(":event-type", kind)]
    if content:
        headers.append((":content-type", content))
    return message((*headers, (":message-type", "event")), payload)


def records(data: bytes) -> Iterator[bytes]:
    """Records, in as many messages as they need."""
    for start in range(0, len(data), LARGEST):
        yield _event("Records", "application/octet-stream", data[start : start + LARGEST])


CONTINUATION: Final = _event("Cont")
END: Final = _event("End")


def _counts(kind: str, scanned: int, processed: int, returned: int) -> bytes:
    text = (
        f'<?xml version="1.0" encoding="UTF-8"?><{kind}><BytesScanned>{scanned}</BytesScanned>'
        f"<BytesProcessed>{processed}</BytesProcessed>"
        f"<BytesReturned>{returned}</BytesReturned></{kind}>"
    )
    return _event(kind, "text/xml", text.encode())


def progress(scanned: int, processed: int, returned: int) -> bytes:
    return _counts("Progress", scanned, processed, returned)


def stats(scanned: int, processed: int, returned: int) -> bytes:
    return _counts("Stats", scanned, processed, returned)


def error(code: str, text: str) -> bytes:
    """What ends a stream early."""
    return message(
        ((":error-code", code), (":error-message", text[:1000]), (":message-type", "error"))
    )
