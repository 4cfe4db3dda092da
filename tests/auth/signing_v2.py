"""Requests signed by botocore with version 2, as the heads that a server would see."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from email.utils import formatdate

import pytest
from botocore.auth import HmacV1Auth, HmacV1QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from aisle.auth.authenticate import authenticate
from aisle.auth.credentials import Authenticated, Credential
from aisle.core.http import RequestHead
from tests.auth.signing import ALICE, head_of, lookup, now

BASE = "http://localhost:8080"
TARGET = ("demo", "key")


class HeaderSigner(HmacV1Auth):  # type: ignore[misc]  # botocore has no types
    """botocore's signer, which would always sign the time of the wall clock."""

    date = ""

    def _get_date(self) -> str:
        return self.date or formatdate(now(), usegmt=True)


def by_header(
    method: str,
    path: str,
    headers: Mapping[str, str] | None = None,
    *,
    resource: str | None = None,
    user: Credential = ALICE,
    date: str = "",
) -> RequestHead:
    """A request signed by botocore; `resource` is what it signs in place of the path."""
    request = AWSRequest(method, BASE + path, headers=dict(headers or {}), auth_path=resource)
    signer = HeaderSigner(Credentials(user.access_key, user.secret_key, user.session_token or None))
    signer.date = date
    signer.add_auth(request)
    return head_of(method, request.url, dict(request.headers.items()))


def by_query(
    method: str,
    path: str,
    headers: Mapping[str, str] | None = None,
    *,
    resource: str | None = None,
    user: Credential = ALICE,
    expires: int = 3600,
) -> RequestHead:
    """A request presigned by botocore, which moves `headers` into the query."""
    request = AWSRequest(method, BASE + path, headers=dict(headers or {}), auth_path=resource)
    credentials = Credentials(user.access_key, user.secret_key, user.session_token or None)
    HmacV1QueryAuth(credentials, expires=expires).add_auth(request)
    return head_of(method, request.url, {})


PLACES = pytest.mark.parametrize("make", [by_header, by_query])
Make = Callable[..., RequestHead]


def check(
    head: RequestHead, target: tuple[str, str] = TARGET, *, at: float | None = None
) -> Authenticated:
    return authenticate(head, lookup, now=now() if at is None else at, target=target)


def user_of(head: RequestHead, target: tuple[str, str] = TARGET) -> str:
    return check(head, target).principal.name
