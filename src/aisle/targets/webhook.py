"""`Webhook`: each message is a POST of JSON to an address.

* A reply of 2xx means that it was taken. No redirect is followed: the address is the operator's,
  and a secret must not go elsewhere.
* With a `secret` the body is signed: `x-aisle-signature: t=SECONDS,v1=HEX`, where HEX is the
  HMAC-SHA256 of `SECONDS.BODY` in UTF-8. With a `token` it goes along as a bearer token.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Mapping
from typing import Final

from aisle.outgoing.persist import Limits
from aisle.outgoing.request import Refusal, Reply, Request, TransportError, whole
from aisle.outgoing.transport import Transport
from aisle.targets.base import Message, Spec, TargetError

_LIMITS: Final = Limits(attempts=1, whole=64 << 10)
# These say of the server, or of a proxy before it, that it cannot now, and not of the message.
_LATER: Final = frozenset({408, 425, 429, 502, 503, 504})


def signature(secret: str, body: bytes, seconds: int) -> str:
    """The value of `x-aisle-signature`."""
    signed = hmac.new(secret.encode(), b"%d." % seconds + body, hashlib.sha256).hexdigest()
    return f"t={seconds},v1={signed}"


class Webhook:
    """See the module and `Target`."""

    def __init__(self, spec: Spec) -> None:
        options: Mapping[str, str] = spec.options
        self._url = options["url"]
        self._token = options.get("token", "")
        self._secret = options.get("secret", "")
        self._seconds = spec.timeout
        self._transport = Transport(_LIMITS)

    async def send(self, message: Message) -> None:
        headers = {
            "content-type": "application/json",
            "accept": "*/*",
            "accept-encoding": "identity",
            "user-agent": "aisle",
        }
        if self._token:
            headers["authorization"] = f"Bearer {self._token}"
        if self._secret:
            headers["x-aisle-signature"] = signature(self._secret, message.body, int(time.time()))
        request = Request("POST", self._url, headers, whole(message.body))
        try:
            await self._transport.call(request, _judge, seconds=self._seconds)
        except TransportError as error:
            raise TargetError(str(error)) from None

    async def close(self) -> None:
        await self._transport.close()


def _judge(reply: Reply) -> Refusal | None:
    if 200 <= reply.status < 300:
        return None
    refused = reply.status not in _LATER
    return Refusal(TargetError(f"it answers with status {reply.status}", refused=refused))
