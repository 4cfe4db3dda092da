"""How one client of the load speaks to the cluster, and what it makes of trouble.

`Doors.call` sends one signed request through one of several doors (a gateway, or the proxy) and
returns its reply, or `None` after it has written down what went wrong. Only replies that say
something certain are returned; `Trouble` keeps the rest for the test to judge.
"""

from __future__ import annotations

import http.client
import time
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Literal, NamedTuple

from tests.harness import Reply, sign

TIMEOUT = 45.0
IDLE = 5.0  # a server may close a connection that has been idle for longer, also just now
# unavailable: a gateway's 503 that says when to come back; proxy: HAProxy has no gateway to ask, or
# lost it; refused: nobody listens; lost: the connection died under the request; cut: it died amid
# the reply, whose status was out. Anything else that is no answer is wrong.
TroubleKind = Literal["unavailable", "proxy", "refused", "lost", "cut", "wrong"]
_ANSWERS = frozenset({200, 204, 206, 404, 409, 412})
_CLEAN = frozenset({"ServiceUnavailable", "SlowDown"})


class Door(NamedTuple):
    """A way in."""

    name: str
    address: str
    port: int

    @property
    def host(self) -> str:
        return f"{self.address}:{self.port}"


class Trouble(NamedTuple):
    """A request without an answer."""

    kind: TroubleKind
    door: str
    start: float
    end: float
    detail: str


class Doors:
    """Kept-alive connections to every door. For one thread."""

    def __init__(self, doors: Sequence[Door], troubles: list[Trouble]) -> None:
        self._doors = {door.name: door for door in doors}
        self._troubles = troubles
        self._open: dict[str, http.client.HTTPConnection] = {}
        self._used: dict[str, float] = {}
        self.sent = False  # whether the last request may have reached anybody

    @property
    def names(self) -> list[str]:
        return list(self._doors)

    def close(self) -> None:
        for connection in self._open.values():
            connection.close()
        self._open.clear()

    def call(
        self,
        name: str,
        method: str,
        target: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Reply | None:
        """One request through the door `name`."""
        door = self._doors[name]
        start, self.sent = time.monotonic(), True
        try:
            reply = self._exchange(door, method, target, body, headers or {})
        except ConnectionRefusedError as error:
            self.sent = False
            self._note("refused", name, start, f"{method} {target} {error!r}")
            return None
        except http.client.IncompleteRead as error:
            self._note("cut", name, start, f"{method} {target} {error!r}")
            return None
        except (OSError, http.client.HTTPException) as error:
            self._note("lost", name, start, f"{method} {target} {error!r}")
            return None
        kind = judge(reply)
        if kind is None:
            return reply
        self._note(kind, name, start, f"{method} {target} {reply.status} {reply.body[:600]!r}")
        return None

    def wrong(self, name: str, start: float, detail: str) -> None:
        """An answer that cannot be true."""
        self._note("wrong", name, start, detail)

    def _note(self, kind: TroubleKind, name: str, start: float, detail: str) -> None:
        if kind in ("refused", "lost", "cut"):
            connection = self._open.pop(name, None)
            if connection is not None:
                connection.close()
        self._troubles.append(Trouble(kind, name, start, time.monotonic(), detail))

    def _exchange(
        self, door: Door, method: str, target: str, body: bytes, headers: Mapping[str, str]
    ) -> Reply:
        connection = self._open.get(door.name)
        if connection is not None and time.monotonic() - self._used[door.name] > IDLE:
            self._open.pop(door.name).close()
            connection = None
        if connection is None:
            connection = http.client.HTTPConnection(door.address, door.port, timeout=TIMEOUT)
            connection.connect()
            self._open[door.name] = connection
        self._used[door.name] = time.monotonic()
        fields = sign(method, target, host=door.host, headers=headers).headers
        if method in ("PUT", "POST"):
            fields["Content-Length"] = str(len(body))
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for field, value in fields.items():
            connection.putheader(field, value)
        # Who refuses a large body may close before all of it is sent: the answer is there already.
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.endheaders(body or None)
        response = connection.getresponse()
        content = response.read()
        if response.will_close:
            self._open.pop(door.name).close()
        told = {field.lower(): value for field, value in response.getheaders()}
        return Reply(response.status, told, content)


def judge(reply: Reply) -> TroubleKind | None:
    """What is amiss with a reply, or `None` if it is an answer."""
    if "x-amz-request-id" not in reply.headers:
        return "proxy" if reply.status in (502, 503, 504) else "wrong"
    if reply.status in _ANSWERS:
        return None
    try:
        code = reply.code
    except ET.ParseError:
        return "wrong"
    clean = reply.status == 503 and code in _CLEAN and "retry-after" in reply.headers
    return "unavailable" if clean else "wrong"
