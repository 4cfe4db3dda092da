"""Logs: one format for everything the process says, and a cheap access log.

Text for terminals or one JSON object a line; both go to standard error. Credentials never reach
a line: `redact` covers signatures, credentials and tokens in queries and headers, whoever logged
them. The access log is formatted where the request ends and written in batches by a thread of its
own, so that a slow terminal or pipe never holds a request up; when its reader stands still, lines
are dropped and counted rather than kept without bound.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from aisle.core.logfiles import LogFiles

_HIDDEN: Final = "[redacted]"
# The name, then its separator, then the value up to what ends it in a query, a header or JSON.
_SECRET_FIELD: Final = re.compile(
    r"(?i)(?<![A-Za-z0-9-])(X-Amz-Signature|X-Amz-Credential|X-Amz-Security-Token|Signature"
    r"|Credential|AWSAccessKeyId|access_token|id_token|token|password"
    r"|secret[_-]?(?:access[_-]?)?key)"
    r"([\"']?\s*[=:]\s*[\"']?|%3D)([^&\s,\"';]+)"
)
_SECRET_HEADER: Final = re.compile(
    r"(?i)\b(Authorization|Cookie)([\"']?\s*[=:]\s*b?[\"']?)([^\"'\r\n]+)"
)
_BEARER: Final = re.compile(r"(?i)\b(Bearer|AWS)(\s+)([A-Za-z0-9._~+/=:-]{8,})")


def redact(text: str) -> str:
    """`text` without values that would let its reader act as someone else."""
    for pattern in (_SECRET_HEADER, _BEARER, _SECRET_FIELD):
        text = pattern.sub(rf"\1\2{_HIDDEN}", text)
    return text


def show_query(query: bytes) -> str:
    """A query as the access log shows it: without what signs it, and redacted.

    Most presigned requests have nothing else, and are spared the search for secrets.
    """
    text = query.decode("latin-1")
    if "X-Amz-" in text:
        text = "&".join([part for part in text.split("&") if not part.startswith("X-Amz-")])
    return redact(text) if text else ""


def configure(level: str, form: str) -> None:
    """Send every logger's records of `level` and above to standard error, as text or json."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # The HTTP server tells of workers that come and go; the supervisor does that itself.
    logging.getLogger("_granian").setLevel(logging.DEBUG if level == "debug" else logging.WARNING)


def keep(directory: Path) -> LogFiles:
    """Send what is logged to the node's log files as well, always as text."""
    files = LogFiles(directory)
    files.setFormatter(TextFormatter())
    logging.getLogger().addHandler(files)
    return files


class TextFormatter(logging.Formatter):
    """`2026-01-31T12:00:00.000Z INFO aisle.node: message [request id]`."""

    def format(self, record: logging.LogRecord) -> str:
        message = self._message(record)
        request = getattr(record, "request_id", "")
        suffix = f" [{request}]" if request else ""
        moment = timestamp(record.created)
        return redact(f"{moment} {record.levelname} {record.name}: {message}{suffix}")

    def _message(self, record: logging.LogRecord) -> str:
        message = record.getMessage()
        if record.exc_info:
            message += "\n" + self.formatException(record.exc_info)
        return message


class JsonFormatter(TextFormatter):
    """One JSON object a line: time, level, logger, message, and request_id where known."""

    def format(self, record: logging.LogRecord) -> str:
        fields = {
            "time": timestamp(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redact(self._message(record)),
        }
        request = getattr(record, "request_id", "")
        if request:
            fields["request_id"] = request
        return msgspec.json.encode(fields).decode()


def timestamp(seconds: float) -> str:
    """UTC in RFC 3339 with milliseconds."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"


class AccessRecord(msgspec.Struct):
    """One line of the access log in JSON."""

    time: str
    request_id: str
    remote: str
    method: str
    path: str
    status: int
    operation: str
    bytes_in: int
    bytes_out: int
    duration_ms: float
    query: str
    identity: str
    level: str = "info"
    logger: str = "aisle.access"


_ENCODER: Final = msgspec.json.Encoder()


class AccessLog:
    """One line a finished request; see the module for when it is written."""

    FLUSH_SECONDS: Final = 0.2
    FLUSH_BYTES: Final = 64 << 10
    KEPT_BYTES: Final = 1 << 20

    def __init__(self, form: str, fd: int = 2) -> None:
        """Write lines of `form` (text or json) to the file descriptor `fd`."""
        self._json = form == "json"
        self._fd = fd
        self._lines: list[str] = []
        self._size = 0
        self._dropped = 0
        self._second = (0, "")
        self._closed = False
        self._some = threading.Event()
        self._full = threading.Event()
        self._thread = threading.Thread(target=self._run, name="access-log", daemon=True)
        self._thread.start()

    def record(
        self,
        request_id: str,
        remote: str,
        method: str,
        path: bytes,
        query: bytes,
        operation: str,
        status: int,
        bytes_in: int,
        bytes_out: int,
        duration_ns: int,
        identity: str,
    ) -> None:
        """Note one request; `path` and `query` as they were on the wire. Never blocks."""
        if self._size > self.KEPT_BYTES:
            self._dropped += 1
            return
        shown_query = show_query(query) if query else ""
        shown_path = path.decode("latin-1")
        moment = self._now()
        if self._json:
            line = _ENCODER.encode(
                AccessRecord(
                    moment,
                    request_id,
                    remote,
                    method,
                    shown_path,
                    status,
                    operation,
                    bytes_in,
                    bytes_out,
                    duration_ns / 1e6,
                    shown_query,
                    identity,
                )
            ).decode()
        else:
            target = f"{shown_path}?{shown_query}" if shown_query else shown_path
            line = (
                f"{moment} {status} {method} {target} {operation or '-'} {bytes_in} {bytes_out}"
                f" {duration_ns / 1e6:.1f}ms {remote or '-'} {identity or '-'} [{request_id}]"
            )
            if not (line.isascii() and line.isprintable()):
                # What a client sends must not be able to forge a line or drive a terminal.
                line = line.encode("unicode_escape").decode("ascii")
        self._lines.append(line)
        self._size += len(line) + 1
        if not self._some.is_set():
            self._some.set()
        if self._size > self.FLUSH_BYTES and not self._full.is_set():
            self._full.set()

    @property
    def pending(self) -> int:
        """Bytes that wait to be written."""
        return self._size

    def close(self) -> None:
        """Write what is left, waiting a second at most. Call it from a thread that may block."""
        self._closed = True
        self._some.set()
        self._full.set()
        self._thread.join(1.0)

    def _now(self) -> str:
        # Formatting a date costs more than the rest of the line: once a second is enough.
        nanoseconds = time.time_ns()
        second, rest = divmod(nanoseconds, 1_000_000_000)
        if second != self._second[0]:
            self._second = (second, timestamp(second)[:-5])
        return f"{self._second[1]}.{rest // 1_000_000:03}Z"

    def _run(self) -> None:
        while not self._closed or self._lines:
            self._some.wait()
            if not self._closed:
                self._full.wait(self.FLUSH_SECONDS)
            self._some.clear()
            self._full.clear()
            lines, self._lines = self._lines, []
            self._size = 0
            dropped, self._dropped = self._dropped, 0
            if dropped:
                logging.getLogger("aisle.access").warning(
                    "%d lines of the access log were dropped: its reader is too slow", dropped
                )
            try:
                self._write("".join(f"{line}\n" for line in lines).encode())
            except OSError:
                return  # the reader has gone: nobody is left to tell

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._fd, view) :]
