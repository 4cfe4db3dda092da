"""`outgoing.transport`: what is tried again, how often, and after which pauses."""

from __future__ import annotations

import email.utils
import math
import time
from asyncio import StreamReader, StreamWriter
from collections.abc import Mapping

import pytest

from aisle.outgoing.persist import Limits, _pause
from aisle.outgoing.request import (
    Refusal,
    Reply,
    Request,
    retry_after,
)
from aisle.outgoing.transport import Transport
from tests.outgoing.calling import Refused, getting, judge, using
from tests.outgoing.server import reply, serving


def test_what_passes_is_tried_again() -> None:
    found, server = getting(reply(503), reply(503), reply(200, b"ok"))
    assert isinstance(found, Reply)
    assert found.body == b"ok"
    assert not found.doubtful
    assert len(server.seen) == 3


def test_attempts_have_an_end() -> None:
    found, server = getting(reply(503, b"busy"))
    assert str(found) == "503 busy False"
    assert len(server.seen) == 5
    found, server = getting(reply(503, b"busy"), attempts=1)
    assert len(server.seen) == 1


def test_what_does_not_pass_is_not_tried_again() -> None:
    found, server = getting(reply(404, b"gone"))
    assert str(found) == "404 gone False"
    assert len(server.seen) == 1


def test_a_lost_connection_is_made_again() -> None:
    async def lose(reader: StreamReader, writer: StreamWriter) -> None:
        writer.transport.abort()

    found, _ = getting(lose, lose, reply(200, b"ok"))
    assert isinstance(found, Reply)
    assert found.body == b"ok"
    assert found.doubtful


def test_the_time_that_a_server_asks_for_is_kept() -> None:
    started = time.monotonic()
    found, _ = getting(reply(503, retry_after="1"), reply(200))
    assert isinstance(found, Reply)
    assert time.monotonic() - started >= 1


def test_who_is_asked_for_too_much_patience_has_none() -> None:
    found, server = getting(reply(503, retry_after="3600"))
    assert isinstance(found, Refused)
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0), ("17", 17), ("9" * 40, 10**9), ("", None), ("soon", None), ("-1", None),
        ("1.5", None), ("²", None), ("Sun, 22 Nov 2026 10:00:30 GMT", 30),
        ("Sun, 22 Nov 2026 09:00:00 GMT", 0), ("Sun, 99 Nov 2026 09:00:00 GMT", None),
    ],
)  # fmt: skip
def test_retry_after_is_a_number_or_a_date(text: str, seconds: float | None) -> None:
    headers = {"retry-after": text, "date": "Sun, 22 Nov 2026 10:00:00 GMT"}
    assert retry_after(headers) == seconds


def test_pauses_grow_and_differ() -> None:
    limits = Limits(backoff=1.0, pause=8.0)
    for number, longest in ((1, 1.0), (2, 2.0), (3, 4.0), (4, 8.0), (9, 8.0)):
        pauses = {_pause(number, limits, None) for _ in range(50)}
        assert len(pauses) > 1
        assert all(longest / 2 <= pause <= longest for pause in pauses)
    assert _pause(1, limits, 3.0) == 3.0
    assert _pause(1, limits, 3600.0) == 8.0


def test_repetitions_are_paid_for_and_successes_earn() -> None:
    async def work(transport: Transport) -> None:
        async with serving(*[reply(503)] * 12, reply(200)) as server:
            for _ in range(10):
                with pytest.raises(Refused):
                    await transport.call(Request("GET", server.url), judge)
            assert len(server.seen) == 12  # two repetitions were to be had for 10
            for _ in range(5):
                await transport.call(Request("GET", server.url), judge)
            server.replies = [reply(503)]
            server.seen.clear()
            with pytest.raises(Refused):
                await transport.call(Request("GET", server.url), judge)
            assert len(server.seen) == 2

    using(work, Limits(backoff=0.001, budget=10))


def test_a_clock_that_differs_is_corrected() -> None:
    async def work(transport: Transport) -> None:
        times: list[float] = []

        async def sign(request: Request, now: float) -> Mapping[str, str]:
            times.append(now)
            return request.headers

        ahead = email.utils.formatdate(time.time() + 7200, usegmt=True)

        def skewed(found: Reply) -> Refusal | None:
            refusal = judge(found)
            return refusal._replace(passing=True) if refusal is not None else None

        async with serving(reply(403, date=ahead), reply(200)) as server:
            await transport.call(Request("GET", server.url), skewed, sign=sign)
            assert abs(times[1] - times[0] - 7200) < 60
            assert abs(transport.clock(server.url) - time.time() - 7200) < 60
            assert abs(transport.clock("http://127.0.0.2/") - time.time()) < 60

    using(work)


def test_a_budget_may_be_without_end() -> None:
    found, server = getting(
        *[reply(503)] * 30, reply(200), limits=Limits(attempts=40, backoff=0.0, budget=math.inf)
    )
    assert isinstance(found, Reply)
    assert len(server.seen) == 31
