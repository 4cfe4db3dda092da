"""The two phases in which AIStore's SDK sends a body over HTTPS.

It first sends the head alone, with the length of a body that does not follow and `Connection:
close`, to be told where to send the body: AIStore's gateways always redirect to a target. Old
releases (1.15.2 for one, not 1.20.0) send an empty body instead, on a connection that stays. Here
the place is the same, so the reply sends the client to this very address with a parameter added, by
which the request that has the body is known. Without that the SDK would take the reply to the first
request for the end of it, and the body would be lost.

Who signs requests does not do this, and could not: the signature is of the address.
"""

from __future__ import annotations

from typing import Final

from aisle.api.base import Context, Response
from aisle.core.http import RequestHead

# How every release of the SDK says what it is.
_AGENT: Final = "ais/python"
# What AIStore adds to an address that it redirects to: the id of the gateway that did so.
MARKER: Final = "pid"


def redirect(ctx: Context, node: str) -> Response | None:
    """Where to send the body, if a request is the first of two; its body is not read."""
    head = ctx.head
    if head.scheme != "https" or head.method != "PUT" or MARKER in head.params:
        return None
    if not (_announced(head) or _empty(head)) or _signed(head):
        return None
    marker = f"{MARKER}=p{node}"
    query = f"{head.query.decode('latin-1')}&{marker}" if head.query else marker
    address = f"{head.path.decode('latin-1')}?{query}"
    host = head.header("host")
    location = f"{head.scheme}://{host}{address}" if host else address
    return Response(307, [(b"location", location.encode("latin-1"))], waits=False)


def _announced(head: RequestHead) -> bool:
    return "close" in head.header("connection").lower()


def _empty(head: RequestHead) -> bool:
    """Whether an old SDK sends nothing, perhaps to send a body when it is told where."""
    nothing = head.header("content-length") == "0"
    return nothing and head.header("user-agent").startswith(_AGENT)


def _signed(head: RequestHead) -> bool:
    scheme = head.header("authorization")[:3]
    return scheme == "AWS" or "X-Amz-Signature" in head.params or "Signature" in head.params
