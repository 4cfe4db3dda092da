"""Logs: what they look like, what they hide, and that nobody waits for them."""

import json
import logging
import os
import subprocess
import sys
import time
from datetime import UTC, datetime

import pytest

from aisle.core.redaction import redact
from aisle.node.logs import AccessLog, JsonFormatter, TextFormatter

SECRETS = [
    "GET /b/k?X-Amz-Signature=SECRET0123 HTTP/1.1",
    "x-amz-credential=SECRET0123%2F20260101%2Fus-east-1%2Fs3%2Faws4_request&x=1",
    "X-Amz-Security-Token: SECRET0123",
    "Authorization: AWS4-HMAC-SHA256 Credential=SECRET0123/20260101, Signature=SECRET0123",
    "headers: {'authorization': 'AWS admin:SECRET0123'}",
    'sent "Authorization": "Bearer SECRET0123.abc.def"',
    "token is Bearer SECRET0123.abc.def",
    "?token=SECRET0123",
    "root_secret_key='SECRET0123'",
    '{"password": "SECRET0123"}',
]


@pytest.mark.parametrize("text", SECRETS)
def test_credentials_are_hidden_wherever_they_stand(text: str) -> None:
    assert "SECRET0123" not in redact(text)
    assert "[redacted]" in redact(text)


def test_other_text_is_left_alone() -> None:
    text = "GET /demo/a%20b?list-type=2&prefix=signature/&continuation-token2=x 200"
    assert redact(text) == text


CLIENTS = """
import logging
from aisle.node import logs
logs.configure("debug", "text")
for name in ("aiokafka.conn", "aiormq.connection", "aio_pika.connection", "nats.aio.client"):
    logging.getLogger(name).debug("sends %r", b"\\0user\\0SECRET0123")
    logging.getLogger(name).warning("%s goes on", name)
logging.getLogger("aisle.node").debug("ours")
"""


def test_what_clients_of_brokers_send_is_not_logged_at_any_level() -> None:
    """A password in a handshake has no name beside it by which it could be hidden."""
    done = subprocess.run([sys.executable, "-c", CLIENTS], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "SECRET0123" not in done.stderr
    assert done.stderr.count("goes on") == 4
    assert "ours" in done.stderr


def make_record(message: str, error: bool = False) -> logging.LogRecord:
    info = None
    if error:
        try:
            raise ValueError("X-Amz-Signature=SECRET0123")
        except ValueError:
            info = sys.exc_info()
    record = logging.LogRecord("aisle.x", logging.INFO, "f", 1, message, (), info)
    record.request_id = "R1"
    return record


def test_json_lines_carry_every_field_and_no_secret() -> None:
    line = json.loads(JsonFormatter().format(make_record("token=SECRET0123", error=True)))
    moment = datetime.fromisoformat(line.pop("time"))
    assert abs((datetime.now(UTC) - moment).total_seconds()) < 5
    assert line.pop("message").startswith("token=[redacted]\nTraceback")
    assert line == {"level": "info", "logger": "aisle.x", "request_id": "R1"}


def test_text_lines_carry_every_field_and_no_secret() -> None:
    line = TextFormatter().format(make_record("hello", error=True))
    assert "INFO aisle.x: hello" in line
    assert line.endswith("[R1]")
    assert "SECRET0123" not in line


def note(log: AccessLog, path: bytes = b"/demo/k", query: bytes = b"") -> None:
    log.record("R1", "10.0.0.1", "GET", path, query, "GetObject", 200, 0, 4096, 1_500_000, "admin")


def drain(fd: int) -> str:
    os.set_blocking(fd, False)
    data = b""
    while True:
        try:
            piece = os.read(fd, 65536)
        except BlockingIOError:
            break
        if not piece:
            break
        data += piece
    return data.decode()


def test_access_lines_are_written_within_a_moment_and_at_close() -> None:
    reader, writer = os.pipe()
    log = AccessLog("text", writer)
    note(log, query=b"prefix=a&X-Amz-Signature=abcdef&x-amz-credential=abcdef")
    time.sleep(0.5)
    line = drain(reader)
    assert line.endswith(
        "Z 200 GET /demo/k?prefix=a&x-amz-credential=[redacted] GetObject 0 4096 1.5ms 10.0.0.1"
        " admin [R1]\n"
    )
    note(log)
    log.close()
    assert drain(reader).count("\n") == 1
    os.close(reader)
    os.close(writer)


def test_access_lines_in_json_are_one_object_each() -> None:
    reader, writer = os.pipe()
    log = AccessLog("json", writer)
    note(log, path=b'/demo/"\xff')
    note(log)
    log.close()
    first, second = [json.loads(line) for line in drain(reader).splitlines()]
    assert first["path"] == '/demo/"ÿ'
    assert second.pop("time").endswith("Z")
    assert second == {
        "request_id": "R1", "remote": "10.0.0.1", "method": "GET", "path": "/demo/k",
        "status": 200, "operation": "GetObject", "bytes_in": 0, "bytes_out": 4096,
        "duration_ms": 1.5, "query": "", "identity": "admin", "level": "info",
        "logger": "aisle.access",
    }  # fmt: skip
    os.close(reader)
    os.close(writer)


def test_a_client_cannot_forge_a_line() -> None:
    reader, writer = os.pipe()
    log = AccessLog("text", writer)
    note(log, path=b"/a\n2026 200 GET /forged \x1b[31m")
    log.close()
    text = drain(reader)
    assert text.count("\n") == 1
    assert "\x1b" not in text
    os.close(reader)
    os.close(writer)


def test_a_reader_that_stands_still_costs_neither_time_nor_memory() -> None:
    reader, writer = os.pipe()
    log = AccessLog("text", writer)
    begin = time.monotonic()
    for _ in range(40_000):  # 4 MiB and more, into a pipe of 64 KiB that nobody reads
        note(log)
    assert time.monotonic() - begin < 30
    assert log.pending <= AccessLog.KEPT_BYTES + 1024
    os.close(reader)  # the writing thread gets EPIPE and ends
    log.close()
    os.close(writer)
