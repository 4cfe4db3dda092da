"""What another cluster's refusals mean: status and AIStore's JSON, as `RemoteError`s.

The JSON is a reply's body, or of a HEAD reply the header `Hdr-Error`. Its text is another's: it is
told on shortened, on one line and without anything that looks like a secret.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from aisle.core.errors import (
    PreconditionFailed,
    RemoteBucketNotFound,
    RemoteDenied,
    RemoteError,
    RemoteObjectNotFound,
    RemoteRefused,
    RemoteThrottled,
    RemoteUnavailable,
)
from aisle.core.redaction import redact
from aisle.outgoing.request import Refusal, Reply, retry_after

REDIRECTS: Final = frozenset({301, 302, 307, 308})
_BUCKET_CODES: Final = frozenset(
    {"ErrBucketNotFound", "ErrRemoteBucketNotFound", "ErrBckNotFound", "ErrRemoteBckNotFound",
     "ErrClusterNotAttached", "ErrRemoteBckOffline"}
)  # fmt: skip
_BUCKET_TEXT: Final = re.compile(r"\bbucket \"?[a-z]{2,5}://")
_LONGEST: Final = 300
_LASTING: Final = frozenset({501, 505, 507, 508})


class Judgement:
    """A judge of replies about the remote bucket `name`; `key` is the object they are about, and
    `condition` the header of a write's condition."""

    __slots__ = ("_condition", "_key", "_name", "_of_object")

    def __init__(self, name: str, key: str | None = None, condition: str = "") -> None:
        self._name = name
        self._condition = condition
        self._key = key or ""
        self._of_object = key is not None

    def __call__(self, reply: Reply) -> Refusal | None:
        status = reply.status
        if status < 300 or status in REDIRECTS:
            return None
        code, message = _said(reply)
        if status == 412 and self._condition:
            return Refusal(PreconditionFailed(self._condition))
        if status == 429:
            wait = retry_after(reply.headers) or 1.0
            error = RemoteThrottled(self._name, "too many requests", code=code, retry_after=wait)
            return Refusal(error, passing=True)
        told = f": {message}" if message else ""
        if status >= 500 and status not in _LASTING:
            text = f"the cluster answered with status {status}{told}"
            return Refusal(
                RemoteUnavailable(self._name, text, code=code), passing=True, done=status != 503
            )
        return Refusal(self._lasting(status, code, message, told))

    def _lasting(self, status: int, code: str, message: str, told: str) -> RemoteError:
        if status in (401, 403):
            return RemoteDenied(self._name, f"the cluster denied it{told}", code=code)
        if status == 404:
            of_bucket = code in _BUCKET_CODES or _BUCKET_TEXT.search(message)
            if of_bucket or not self._of_object:
                return RemoteBucketNotFound(self._name, "there is no such bucket", code=code)
            return RemoteObjectNotFound(self._name, f'there is no object "{self._key}"', code=code)
        return RemoteRefused(
            self._name, f"the cluster refused it with status {status}{told}",
            status=status, code=code,
        )  # fmt: skip


def _said(reply: Reply) -> tuple[str, str]:
    """The code and the text of an error, as far as there are any."""
    raw = reply.body or reply.headers.get("hdr-error", "").encode("latin-1", "replace")
    try:
        found: Any = json.loads(raw) if raw.lstrip()[:1] == b"{" else {}
    except (ValueError, RecursionError):
        found = {}
    if not isinstance(found, dict):
        found = {}
    code, message = found.get("tcode") or "", found.get("message") or ""
    code = code if isinstance(code, str) and code.isalnum() and len(code) <= 64 else ""
    return code, _harmless(message) if isinstance(message, str) else ""


def _harmless(text: str) -> str:
    shown = "".join(char if char.isprintable() else " " for char in text[: 4 * _LONGEST])
    shown = redact(" ".join(shown.split()))
    return shown if len(shown) <= _LONGEST else shown[:_LONGEST] + "..."
