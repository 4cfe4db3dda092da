"""The audit log: who did what, on what, with what result; one JSON object a line.

With `changes` it has every request that changes something, every one that was denied, every login
and all administration of users; with `all` every request. A line is encoded where the request ends
and written by a thread of its own (`batches`), so no request waits for the disk.

A line is never dropped silently. What cannot be written (a full disk, a stuck pipe) is kept and
tried again each second, up to `KEPT_BYTES` a process; only what comes beyond that is lost, which
the log of the node tells, and the audit log itself as soon as it can be written: an entry with the
operation `lines-lost`. Requests are not refused meanwhile: on a full disk somebody has to be able
to delete.

The file is put away at `MAX_SIZE` and the oldest ones removed beyond `MAX_TOTAL`, as
`core.logfiles` does it. Nothing of a request's headers, query or body gets here: names only, and
those without tokens.
"""

from __future__ import annotations

import logging
import os
import select
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from aisle.api.base import Context
from aisle.auth.principal import ANONYMOUS
from aisle.core.errors import ConfigError
from aisle.core.logfiles import RotatingFile
from aisle.core.redaction import TOKEN_MARK, redact, redact_tokens
from aisle.node.batches import Batches
from aisle.node.convert import STANDARD_OUTPUT
from aisle.node.logs import Moments

KEPT_BYTES: Final = 8 << 20
MAX_SIZE: Final = 64 << 20
MAX_TOTAL: Final = 1 << 30
CLOSE_SECONDS: Final = 5.0
# A longer name is cut: no bucket or key can have it.
LONGEST: Final = 2048
_READS: Final = frozenset(("GET", "HEAD", "OPTIONS"))
_DENIED: Final = frozenset((401, 403))
# Of users and what is theirs: reading that is administration too.
_ADMINISTRATION: Final = (b"/v1/users", b"/v1/roles", b"/v1/clusters", b"/v1/tokens")
_log: Final = logging.getLogger("aisle.audit")


class AuditRecord(msgspec.Struct, omit_defaults=True):
    """One line. What has a default is left out where it has nothing to tell.

    `target` is what a request is about that names no bucket, its path as a rule; `error` is the
    dialect's own code, and `reason` why it was denied, which the client is not told.
    """

    time: str
    request_id: str
    remote: str
    dialect: str
    operation: str
    status: int
    user: str
    account: str
    access_key: str = ""
    arn: str = ""
    session: str = ""
    bucket: str = ""
    key: str = ""
    version: str = ""
    target: str = ""
    error: str = ""
    reason: str = ""
    bytes_in: int = 0
    bytes_out: int = 0  # -1: the reply broke off
    duration_ms: float = 0.0


class LostRecord(msgspec.Struct):
    """Stands where lines are missing."""

    time: str
    lost: int
    operation: str = "lines-lost"


_ENCODER: Final = msgspec.json.Encoder()


class AuditLog:
    """See the module."""

    def __init__(self, path: Path, *, everything: bool = False) -> None:
        """Write to the file `path`, or to standard output if it is `STANDARD_OUTPUT`."""
        self._everything = everything
        self._moments = Moments()
        self._file: RotatingFile | None = None
        write: Callable[[bytes], int] = _write_out
        if path != STANDARD_OUTPUT:
            self._file = RotatingFile(path, max_size=MAX_SIZE, max_total=MAX_TOTAL)
            write = self._append
        self._batches = Batches(
            "audit-log", write, self._lost, kept=KEPT_BYTES, retry=True, failed=_failed
        )

    @property
    def pending(self) -> int:
        """Bytes that wait to be written."""
        return self._batches.pending

    def record(
        self, ctx: Context, dialect: str, status: int, error: str, sent: int, duration: int
    ) -> None:
        """Note a finished request; `duration` is in nanoseconds. Never blocks."""
        head = ctx.head
        if not (
            self._everything
            or head.method not in _READS
            or status in _DENIED
            or head.path.startswith(_ADMINISTRATION)
        ):
            return
        who = ctx.principal or ANONYMOUS
        bucket, key = ctx.bucket, ctx.key
        entry = AuditRecord(
            self._moments.now(),
            ctx.request_id,
            head.client,
            dialect,
            ctx.operation,
            status,
            who.name,
            who.account,
            who.access_key,
            who.arn,
            who.session_name,
            _shown(bucket),
            _shown(key),
            _version(ctx) if head.query else "",
            "" if bucket else _shown(ctx.resource or head.path.decode("latin-1")),
            error,
            redact(ctx.denied) if ctx.denied else "",
            ctx.body.count,
            sent,
            duration / 1e6,
        )
        try:
            line = _ENCODER.encode(entry)
        except UnicodeEncodeError:  # a name that is not UTF-8, which a request may well ask for
            line = _ENCODER.encode(_readable(entry))
        self._batches.add(line + b"\n")

    def check(self) -> None:
        """Raise `ConfigError` if the file cannot be written: better at the start than later."""
        if self._file is None:
            return
        try:
            self._append(b"")
        except OSError as error:
            path = self._file.path
            raise ConfigError(f"audit_file: {path} cannot be written: {error.strerror}") from None

    def close(self) -> None:
        """Write what is left, waiting a few seconds at most, in a thread that may block."""
        self._batches.close(CLOSE_SECONDS)
        if left := self._batches.pending:
            _log.error("%d bytes of the audit log could not be written before the end", left)
        if self._file is not None:
            self._file.shut()

    def _append(self, data: bytes) -> int:
        assert self._file is not None
        self._file.path.parent.mkdir(mode=0o700, exist_ok=True)
        return self._file.append(data)

    def _lost(self, count: int) -> bytes:
        _log.error("%d lines of the audit log are lost: it cannot be written fast enough", count)
        return _ENCODER.encode(LostRecord(self._moments.now(), count)) + b"\n"


def _write_out(data: bytes) -> int:
    # All workers write to the same pipe, which keeps apart only what is short enough.
    end = data.rfind(b"\n", 0, select.PIPE_BUF) + 1 or data.find(b"\n") + 1
    return os.write(1, data[:end])


def _failed(error: OSError) -> None:
    _log.error("the audit log cannot be written, what it is to have is kept: %s", error)


def _shown(name: str) -> str:
    if len(name) > LONGEST:
        name = name[:LONGEST]
    return redact_tokens(name) if TOKEN_MARK in name else name


def _version(ctx: Context) -> str:
    return _shown(ctx.head.params.get("versionId", ""))


def _readable(entry: AuditRecord) -> AuditRecord:
    for name in ("bucket", "key", "version", "target", "reason"):
        text = getattr(entry, name).encode("utf-8", "backslashreplace").decode()
        setattr(entry, name, text)
    return entry
