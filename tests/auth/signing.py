"""Requests signed by botocore, as the heads that a server would see."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from urllib.parse import urlsplit

from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from aisle.auth.authenticate import authenticate
from aisle.auth.credentials import Credential
from aisle.auth.principal import Principal
from aisle.core.http import RequestHead


def someone(name: str) -> Principal:
    """A user of whom only the name matters."""
    return Principal(name, "", "", name, "", frozenset())


ALICE = Credential(
    "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", someone("alice")
)
TEMPORARY = Credential(
    "ASIATEMPORARY", "another secret", someone("bob"), session_token="token/with+signs="
)
USERS = {user.access_key: user for user in (ALICE, TEMPORARY)}
lookup = USERS.get
URL = "http://localhost:8080/demo/key"


def now() -> float:
    return datetime.datetime.now(datetime.UTC).timestamp()


def user_of(head: RequestHead) -> str:
    """Who the house takes the sender of `head` for."""
    return authenticate(head, lookup, now=now()).principal.name


def head_of(method: str, url: str, headers: Mapping[str, str]) -> RequestHead:
    """The head a server sees of a request to `url`."""
    target = urlsplit(url)
    fields = {"host": target.netloc}
    fields.update({name.lower(): value for name, value in headers.items()})
    # A client may send no path at all where it means "/".
    path = target.path.encode("latin-1") or b"/"
    return RequestHead(method, path, target.query.encode("latin-1"), fields)


def by_header(
    method: str,
    url: str,
    headers: Mapping[str, str] | None = None,
    *,
    body: bytes = b"",
    user: Credential = ALICE,
    region: str = "us-east-1",
) -> RequestHead:
    """A request with an Authorization header made by botocore."""
    request = AWSRequest(method, url, headers=dict(headers or {}), data=body)
    S3SigV4Auth(_credentials(user), "s3", region).add_auth(request)
    return head_of(method, request.url, dict(request.headers.items()))


def by_query(
    method: str,
    url: str,
    headers: Mapping[str, str] | None = None,
    *,
    user: Credential = ALICE,
    expires: int = 3600,
    region: str = "us-east-1",
) -> RequestHead:
    """A presigned request made by botocore."""
    request = AWSRequest(method, url, headers=dict(headers or {}))
    S3SigV4QueryAuth(_credentials(user), "s3", region, expires=expires).add_auth(request)
    return head_of(method, request.url, dict(request.headers.items()))


def changed(
    head: RequestHead,
    *,
    method: str | None = None,
    path: bytes | None = None,
    query: bytes | None = None,
    headers: dict[str, str] | None = None,
    repeated: frozenset[str] | None = None,
) -> RequestHead:
    """`head` with other parts."""
    return RequestHead(
        head.method if method is None else method,
        head.path if path is None else path,
        head.query if query is None else query,
        head.headers if headers is None else headers,
        head.repeated if repeated is None else repeated,
    )


def with_headers(head: RequestHead, **headers: str | None) -> RequestHead:
    """`head` with fields set, or removed where `None`; `_` in a name stands for `-`."""
    fields = dict(head.headers)
    for name, value in headers.items():
        key = name.replace("_", "-")
        if value is None:
            del fields[key]
        else:
            fields[key] = value
    return changed(head, headers=fields)


def _credentials(user: Credential) -> Credentials:
    return Credentials(user.access_key, user.secret_key, user.session_token or None)
