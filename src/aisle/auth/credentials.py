"""Who may sign, and who has: the values that signatures are checked against and result in.

The store of users hands out a `Credential` by access key; nothing here knows where it is kept.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from aisle.auth.payload import Payload
from aisle.auth.principal import Principal
from aisle.core.errors import InvalidAccessKey, InvalidToken
from aisle.core.http import RequestHead


@dataclass(frozen=True, slots=True)
class Credential:
    """An access key of a user. A temporary one has a session token, which must come with it."""

    access_key: str
    secret_key: str = field(repr=False)
    principal: Principal
    session_token: str = field(default="", repr=False)


class NotLoaded(Exception):
    """What belongs to an access key is not at hand; it is to be read, and then asked for again."""

    def __init__(self, access_key: str) -> None:
        super().__init__(access_key)
        self.access_key = access_key


# An unknown or disabled access key is `None`. Called once a request, so it must be quick: what it
# would have to wait for it raises as `NotLoaded`, which passes through all of authentication.
Lookup = Callable[[str], Credential | None]


class Authenticated(NamedTuple):
    """Who sent the request, how its body is guarded, and the head that is to be acted on.

    `head` is the one that was given, with headers added that its sender had moved to the query.
    """

    principal: Principal
    payload: Payload
    head: RequestHead


def check_token(credential: Credential, token: str) -> None:
    """Raise unless `token` is the session token of `credential`, or both have none.

    As Amazon tells it: a temporary key without its token is no key (`InvalidAccessKey`), and a
    token that does not belong to its key is none (`InvalidToken`). Neither is a matter of rights.
    """
    expected = credential.session_token
    if not token:
        if expected:
            raise InvalidAccessKey(credential.access_key)
        return
    if not hmac.compare_digest(expected.encode(), token.encode("utf-8", "surrogateescape")):
        raise InvalidToken("The security token included in the request is invalid.")
