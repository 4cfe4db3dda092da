"""What a client tells when it cannot do what it was asked. `str()` is one line for a person."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from http.client import HTTPResponse

_LIMIT: Final = 64 << 10
# Of an error of the S3 API, in XML; a parser would take longer to load than most commands to run.
_S3: Final = re.compile(rb"<(Code|Message)>([^<]*)</\1>")
_ENTITIES: Final = (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&apos;", "'"), ("&amp;", "&"))


class ClientError(Exception):
    """A request cannot be made, sent or answered; the root of what `aisle.client` raises."""


class BadChecksum(ClientError):
    """All bytes of an object came, and they do not match its checksum."""


class Refused(ClientError):
    """The node answered with an error.

    `status` is that of HTTP, `message` the node's text, `code` its own name for the kind of error
    (`ErrBckNotFound`, empty if it has none) and `headers` those of the reply.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.headers = headers or {}


class NotFound(Refused):
    """What was asked for does not exist (404)."""


class Conflict(Refused):
    """What was asked for is there already, or in the way of something else (409, 412)."""


class Denied(Refused):
    """The request was not signed, wrongly signed, or is not allowed (401, 403)."""


_BY_STATUS: Final[Mapping[int, type[Refused]]] = {
    401: Denied,
    403: Denied,
    404: NotFound,
    409: Conflict,
    412: Conflict,
}


def _of_s3(raw: str | bytes) -> Mapping[str, str]:
    """The same fields of an error that the S3 API tells, in XML."""
    if not isinstance(raw, bytes):
        return {}
    found = {name.decode(): text.decode("utf-8", "replace") for name, text in _S3.findall(raw)}
    told = {name: found.get(of, "") for name, of in (("message", "Message"), ("tcode", "Code"))}
    for entity, letter in _ENTITIES:
        told = {name: text.replace(entity, letter) for name, text in told.items()}
    return told


def refused(method: str, response: HTTPResponse) -> Refused:
    """The error that a reply tells, in AIStore's JSON or at least by its status."""
    raw = response.headers.get("hdr-error", "") if method == "HEAD" else response.read(_LIMIT)
    told: Any = None
    with suppress(ValueError, RecursionError):
        told = json.loads(raw)
    fields = told if isinstance(told, dict) else _of_s3(raw)
    message, code = fields.get("message"), fields.get("tcode")
    if not isinstance(message, str) or not message:
        message = f"the node answered {response.status} {response.reason}"
    return _BY_STATUS.get(response.status, Refused)(
        response.status,
        message,
        code=code if isinstance(code, str) else "",
        headers=dict(response.headers.items()),
    )
