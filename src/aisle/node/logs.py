"""Logs: one format for everything the process says, and a cheap access log.

Text for terminals or one JSON object a line; both go to standard error. Credentials never reach
a line: every one goes through `aisle.core.redaction`, whoever logged it. The access log is
formatted where the request ends and written in batches by a thread of its own, so that a slow
terminal or pipe never holds a request up; when its reader stands still, lines are dropped and
counted rather than kept without bound.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from aisle.core.logfiles import LogFiles
from aisle.core.redaction import redact, redact_query, redact_tokens
from aisle.node.batches import Batches

# Clients of others that tell at `debug` what they send, passwords and all.
_TALKATIVE: Final = ("aio_pika", "aiokafka", "aiormq", "nats", "pamqp")


def configure(level: str, form: str) -> None:
    """Send every logger's records of `level` and above to standard error, as text or json."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # The HTTP server tells of workers that come and go; the supervisor does that itself.
    logging.getLogger("_granian").setLevel(logging.DEBUG if level == "debug" else logging.WARNING)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(root.level, logging.INFO))


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


_MILLISECONDS: Final = tuple(f".{number:03}Z" for number in range(1000))


class Moments:
    """The time as lines of logs have it: formatting a date costs more than the rest of a line, so
    that is done once a second."""

    def __init__(self) -> None:
        self._second = (0, "")

    def now(self) -> str:
        second, rest = divmod(time.time_ns(), 1_000_000_000)
        known = self._second
        if second != known[0]:
            known = self._second = (second, timestamp(second)[:-5])
        return known[1] + _MILLISECONDS[rest // 1_000_000]


class AccessLog:
    """One line a finished request; see the module for when it is written."""

    KEPT_BYTES: Final = 1 << 20

    def __init__(self, form: str, fd: int = 2) -> None:
        """Write lines of `form` (text or json) to the file descriptor `fd`."""
        self._json = form == "json"
        self._moments = Moments()
        self._batches = Batches(
            "access-log", lambda data: os.write(fd, data), _dropped, kept=self.KEPT_BYTES
        )

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
        shown_query = redact_query(query.decode("latin-1")) if query else ""
        shown_path = redact_tokens(path.decode("latin-1"))
        moment = self._moments.now()
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
        self._batches.add(line.encode() + b"\n")

    @property
    def pending(self) -> int:
        """Bytes that wait to be written."""
        return self._batches.pending

    def close(self) -> None:
        """Write what is left, waiting a second at most. Call it from a thread that may block."""
        self._batches.close()


def _dropped(count: int) -> bytes:
    logging.getLogger("aisle.access").warning(
        "%d lines of the access log were dropped: its reader is too slow", count
    )
    return b""
