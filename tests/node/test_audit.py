"""The audit log: what gets into it, that no line is lost unseen, and that it holds nobody up."""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aisle.api.base import Context
from aisle.client import Client, Keys
from aisle.core.http import RequestHead
from aisle.namespace.users.principals import root_principal
from aisle.node import audit
from aisle.node.audit import AuditLog
from aisle.node.batches import Batches
from tests.harness import ACCESS_KEY, SECRET_KEY, Node

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl"


class Body:
    count = 12

    async def read(self) -> bytes:
        return b""


def context(
    method: str = "PUT", path: bytes = b"/demo/k", query: bytes = b"", **fields: Any
) -> Context:
    made = Context(RequestHead(method, path, query, {}, client="10.0.0.1"), Body(), "R1")
    made.operation, made.principal = "PutObject", root_principal("AKROOT")
    made.bucket, made.key = "demo", "k"
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def note(log: AuditLog, ctx: Context, status: int = 200, error: str = "") -> None:
    log.record(ctx, "s3", status, error, 34, 1_500_000)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log" / "audit.jsonl"


def test_a_change_tells_who_did_what_on_what_and_what_came_of_it(path: Path) -> None:
    log = AuditLog(path)
    note(log, context(query=b"versionId=v1"))
    log.close()
    (line,) = lines(path)
    assert line.pop("time").endswith("Z")
    assert line == {
        "request_id": "R1", "remote": "10.0.0.1", "dialect": "s3", "operation": "PutObject",
        "status": 200, "user": "root", "account": "000000000000", "access_key": "AKROOT",
        "arn": "arn:aws:iam::000000000000:root", "bucket": "demo", "key": "k", "version": "v1",
        "bytes_in": 12, "bytes_out": 34, "duration_ms": 1.5,
    }  # fmt: skip
    assert path.stat().st_mode & 0o777 == 0o600


def test_reads_are_left_out_unless_all_is_asked_for(path: Path) -> None:
    log = AuditLog(path)
    note(log, context("GET"))
    note(log, context("HEAD"), 404)
    log.close()
    assert lines(path) == []
    log = AuditLog(path, everything=True)
    note(log, context("GET"))
    log.close()
    assert len(lines(path)) == 1


def test_denials_tell_their_reason_and_administration_is_never_left_out(path: Path) -> None:
    log = AuditLog(path)
    denied = context("GET", principal=None, denied="the request signature does not match")
    note(log, denied, 403, "SignatureDoesNotMatch")
    note(log, context("GET", b"/v1/users/alice", bucket="", key=""))
    log.close()
    first, second = lines(path)
    assert (first["error"], first["status"], first["user"]) == ("SignatureDoesNotMatch", 403, "")
    assert first["reason"] == "the request signature does not match"
    assert second["target"] == "/v1/users/alice"


def test_names_have_no_tokens_and_cannot_forge_a_line(path: Path) -> None:
    log = AuditLog(path)
    note(log, context("DELETE", f"/v1/tokens/{TOKEN}".encode(), bucket="", key=""))
    note(log, context(key=f"a\n{TOKEN}"))
    note(log, context(key="b\udcff", denied="Signature=0123456789"))
    note(log, context(key="c" * 5000))
    log.close()
    text = path.read_text()
    assert "eyJ" not in text
    assert "0123456789" not in text
    first, second, third, fourth = lines(path)
    assert first["target"] == "/v1/tokens/[redacted]"
    assert second["key"] == "a\n[redacted]"
    assert third["key"] == "b\\udcff"
    assert len(fourth["key"]) == audit.LONGEST


def test_a_full_file_is_put_away_and_goes_on_in_a_new_one(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "MAX_SIZE", 1000)
    for _ in range(5):
        log = AuditLog(path)
        for _ in range(3):
            note(log, context())
        log.close()
    kept = [one for one in path.parent.iterdir() if one.name != "lock"]
    assert len(kept) == 5
    assert sum(len(lines(one)) for one in kept) == 15


def test_it_may_go_to_standard_output(capfd: pytest.CaptureFixture[str]) -> None:
    log = AuditLog(Path("-"))
    for number in range(100):
        note(log, context(key=str(number) * 20))
    log.close()
    keys = [json.loads(line)["key"] for line in capfd.readouterr().out.splitlines()]
    assert keys == [str(number) * 20 for number in range(100)]


def test_what_cannot_be_written_is_kept_and_written_later(
    path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = threading.Event()
    path.parent.mkdir()
    path.mkdir()  # a directory: nothing can be written there
    monkeypatch.setattr(audit, "_failed", lambda error: failing.set())
    monkeypatch.setattr("aisle.node.batches.RETRY_SECONDS", 0.01)
    log = AuditLog(path)
    note(log, context())
    assert failing.wait(10)
    note(log, context(key="later"))
    assert log.pending
    path.rmdir()
    log.close()
    assert [line["key"] for line in lines(path)] == ["k", "later"]


def test_lines_beyond_what_is_kept_are_counted_in_the_log_and_in_their_place(
    path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = threading.Event()
    monkeypatch.setattr(audit, "KEPT_BYTES", 1000)
    monkeypatch.setattr(audit, "_failed", lambda error: failing.set())
    monkeypatch.setattr("aisle.node.batches.RETRY_SECONDS", 0.01)
    path.parent.mkdir()
    path.mkdir()
    log = AuditLog(path)
    for _ in range(50):
        note(log, context())
    assert failing.wait(10)
    assert log.pending < 2000
    path.rmdir()
    log.close()
    found = lines(path)
    (gap,) = [line for line in found if line["operation"] == "lines-lost"]
    assert gap["lost"] == 50 - (len(found) - 1)
    assert f"{gap['lost']} lines of the audit log are lost" in caplog.text


def test_what_is_left_at_the_end_is_told(
    path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.parent.mkdir()
    path.mkdir()
    log = AuditLog(path)
    note(log, context())
    log.close()
    assert "could not be written before the end" in caplog.text


def test_a_torn_line_is_written_again_as_a_whole() -> None:
    written: list[bytes] = []
    sizes = iter([5, 3, 100])

    def write(data: bytes) -> int:
        size = min(next(sizes), len(data))
        written.append(data[:size])
        return size

    batches = Batches("t", write, lambda count: b"", kept=1000, retry=True)
    batches.add(b"aaa\n")
    batches.add(b"bbb\n")
    batches.close()
    assert b"".join(written) == b"aaa\nb\nbb\nbbb\n"


def test_lines_of_many_processes_stay_whole(path: Path) -> None:
    children = []
    for worker in range(3):
        pid = os.fork()
        if not pid:
            log = AuditLog(path)
            for number in range(200):
                note(log, context(key=f"{worker}-{number}"))
            log.close()
            os._exit(0)
        children.append(pid)
    assert [os.waitpid(pid, 0)[1] for pid in children] == [0, 0, 0]
    assert len({line["key"] for line in lines(path)}) == 600


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    running = Node(tmp_path_factory.mktemp("audit") / "data", workers=1).start()
    yield running
    assert running.stop() == 0, running.log_tail()


def written(node: Node, request: str) -> dict[str, Any]:
    """The line of a request, once it is there."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for line in lines(node.data / "log" / "audit.jsonl"):
            if line["request_id"] == request:
                return line
        time.sleep(0.02)
    raise AssertionError("no such line")


def test_every_dialect_tells_who_did_what(node: Node) -> None:
    made = node.send("PUT", "/demo").headers["x-amz-request-id"]
    stored = node.send("PUT", "/demo/a%20b", body=b"hello").headers["x-amz-request-id"]
    line = written(node, made)
    assert (line["dialect"], line["operation"], line["bucket"]) == ("s3", "CreateBucket", "demo")
    line = written(node, stored)
    assert (line["operation"], line["key"], line["bytes_in"]) == ("PutObject", "a b", 5)
    assert (line["user"], line["access_key"], line["status"]) == ("root", ACCESS_KEY, 200)
    body = b'{"id": "alice"}'
    added = node.send("POST", "/v1/users", body=body).headers["x-amz-request-id"]
    line = written(node, added)
    assert (line["dialect"], line["operation"], line["key"]) == ("native", "create-user", "alice")
    login = node.send(
        "POST", "/v1/users/alice", body=b'{"password": "wrong"}', signed=False
    ).headers["x-amz-request-id"]
    line = written(node, login)
    assert (line["operation"], line["key"], line["status"]) == ("login", "alice", 401)
    assert (line["error"], line["user"]) == ("ErrInvalidCredentials", "")
    form = b"Action=DeleteUser&Version=2010-05-08&UserName=alice"
    kind = {"content-type": "application/x-www-form-urlencoded"}
    digest = hashlib.sha256(form).hexdigest()
    removed = node.send("POST", "/", body=form, headers=kind, payload=digest, service="iam")
    assert removed.status == 200, removed.body
    line = written(node, removed.headers["x-amz-request-id"])
    assert (line["dialect"], line["operation"]) == ("iam", "DeleteUser")
    assert line["target"].endswith(":user/alice")


def test_a_denial_tells_its_reason_to_the_audit_log_alone(node: Node) -> None:
    with Client(node.root, keys=Keys(ACCESS_KEY, SECRET_KEY)) as root:
        root.auth.add_user("bob")
        key = root.auth.add_key("bob")
    node.send("PUT", "/private")
    reply = node.send("GET", "/private/x", access_key=key.access_key, secret_key=key.secret_key)
    assert reply.code == "AccessDenied"
    line = written(node, reply.headers["x-amz-request-id"])
    assert (line["user"], line["access_key"], line["status"]) == ("bob", key.access_key, 403)
    assert (line["bucket"], line["key"], line["error"]) == ("private", "x", "AccessDenied")
    assert line["account"] in line["arn"]
    assert "s3:" in line["reason"]
    assert line["reason"].encode() not in reply.body
    wrong = node.send("GET", "/private/x", secret_key="wrong-secret")
    line = written(node, wrong.headers["x-amz-request-id"])
    assert (line["error"], line["user"]) == ("SignatureDoesNotMatch", "")
    assert line["reason"] == "the request signature does not match"


def test_a_node_does_not_start_without_its_audit_log(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    for path, reason in (
        ("taken", "Is a directory"),
        ("no/such/place", "No such file or directory"),
    ):
        node = Node(tmp_path / "data", workers=1, options=("--audit-file", str(tmp_path / path)))
        with pytest.raises(AssertionError, match="exit status 1"):
            node.start()
        assert f"audit_file: {tmp_path / path} cannot be written: {reason}" in node.log_tail()


def test_the_page_has_every_field() -> None:
    page = (Path(__file__).parents[2] / "docs" / "audit.md").read_text()
    fields = set(audit.AuditRecord.__struct_fields__)
    rows = page[page.index("## The fields") : page.index("## What is promised")]
    named = {name for row in re.findall(r"^\| (`.*?) \|", rows, re.MULTILINE)
             for name in re.findall(r"`(\w+)`", row)}  # fmt: skip
    assert named == fields
    (line,) = re.findall(r"^```json\n(.*)\n```$", page, re.MULTILINE)
    assert set(json.loads(line)) <= fields
