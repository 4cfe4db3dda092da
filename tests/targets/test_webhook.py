"""Webhooks: what is sent, what counts as taken, and servers that misbehave."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from collections.abc import Callable
from typing import Any

import pytest

from aisle.targets.base import Message, TargetError
from tests.servers.hook import Heard, Hook
from tests.targets.sites import known

ONE = Message(b'{"Records":[]}', b"bucket/key")


def send(hook: Hook, timeout: float = 5.0, **options: Any) -> None:
    async def go() -> None:
        target = known("webhook", {"url": hook.url, **options}, timeout)
        try:
            await target.send(ONE)
        finally:
            await target.target.close()

    asyncio.run(go())


def failure(hook: Hook, timeout: float = 5.0) -> TargetError:
    with pytest.raises(TargetError) as caught:
        send(hook, timeout)
    return caught.value


def answering(status: int) -> Callable[[Heard], int]:
    return lambda _: status


def test_a_message_is_a_post_of_json() -> None:
    with Hook() as hook:
        send(hook)
        (heard,) = hook.all
    assert heard.body == ONE.body
    assert heard.headers["content-type"] == "application/json"
    assert "authorization" not in heard.headers
    assert "x-aisle-signature" not in heard.headers


def test_a_token_goes_along_and_a_secret_signs_the_body_and_the_time() -> None:
    with Hook() as hook:
        send(hook, token="bear", secret="hush")
        (heard,) = hook.all
    assert heard.headers["authorization"] == "Bearer bear"
    moment, _, signed = heard.headers["x-aisle-signature"].partition(",")
    seconds = moment.removeprefix("t=")
    assert abs(int(seconds) - time.time()) < 60
    expected = hmac.new(b"hush", seconds.encode() + b"." + heard.body, hashlib.sha256)
    assert signed == f"v1={expected.hexdigest()}"


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_every_2xx_is_a_yes(status: int) -> None:
    with Hook(answering(status)) as hook:
        send(hook)
        assert len(hook.all) == 1


@pytest.mark.parametrize(
    ("status", "refused"),
    [(400, True), (401, True), (404, True), (410, True), (500, True),
     (408, False), (429, False), (502, False), (503, False), (504, False)],
)  # fmt: skip
def test_other_statuses_are_told_apart_and_asked_once(status: int, refused: bool) -> None:
    with Hook(answering(status)) as hook:
        error = failure(hook)
        assert (error.refused, str(status) in str(error)) == (refused, True)
        assert len(hook.all) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_no_redirect_is_followed(status: int) -> None:
    with Hook() as elsewhere, Hook(answering(status)) as hook:
        hook.headers["location"] = elsewhere.url
        assert failure(hook).refused
        assert not elsewhere.all


def test_one_that_hangs_is_given_up_in_time() -> None:
    def hang(_: Heard) -> int:
        time.sleep(10)
        return 200

    with Hook(hang) as hook:
        began = time.monotonic()
        error = failure(hook, timeout=0.3)
        assert time.monotonic() - began < 8
        assert not error.refused


def test_one_that_hangs_up_or_is_not_there_did_not_refuse_anything() -> None:
    with Hook(answering(0)) as hook:
        assert not failure(hook).refused
    assert not failure(hook).refused
