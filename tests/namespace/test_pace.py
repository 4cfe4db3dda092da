"""How fast a remote bucket is asked, by a clock that is set by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping

import pytest

from aisle.backend.base import Forwarded, Outgoing, RawRequest, RemoteObject
from aisle.core import settings
from aisle.core.errors import (
    InvalidArgument,
    RemoteObjectNotFound,
    RemoteThrottled,
    RemoteUnavailable,
)
from aisle.namespace.window.pace import PATIENCE, Flow, Pace, Paced, PacedForwarding, pace_of, paced
from tests.backend.memory import MemoryBackend, MemoryRemote
from tests.namespace.support import run

BUCKET = "aws://b"


class Time:
    """Seconds that pass only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


def made(
    *, tokens: int = 60, retries: int = 3, share: int = 1, **operations: int
) -> tuple[Paced, MemoryRemote, Time]:
    remote, time = MemoryRemote(), Time()
    remote.store("b", "k", b"data")
    pace = Pace(60.0, tokens, {name.upper(): count for name, count in operations.items()}, retries)
    inner = MemoryBackend(remote, "b")
    return Paced(inner, pace, lambda: share, now=time, sleep=time.sleep), remote, time


def throttled(retry_after: float = 2.0) -> RemoteThrottled:
    return RemoteThrottled(BUCKET, "slow down", retry_after=retry_after)


async def heads(backend: Paced, count: int) -> None:
    for _ in range(count):
        await backend.head("k")


def test_a_backend_without_a_limit_is_left_alone() -> None:
    inner = MemoryBackend(MemoryRemote(), "b")
    assert paced(inner, {}) is inner
    assert paced(inner, {"rate_limit.backend.max_tokens": 5}) is inner
    assert isinstance(paced(inner, {"rate_limit.backend.enabled": True}), Paced)


def test_settings_are_read_with_their_defaults() -> None:
    prefix = "rate_limit.backend."
    assert pace_of({prefix + "enabled": True}) == Pace(60.0, 1000, {}, 3)
    values = {
        "enabled": True, "interval": "2s", "max_tokens": 7, "num_retries": 0,
        "per_op_max_tokens": "GET:4,list:1",
    }  # fmt: skip
    given = {prefix + name: value for name, value in values.items()}
    assert pace_of(given) == Pace(2.0, 7, {"GET": 4, "LIST": 1}, 0)


@pytest.mark.parametrize("text", ["POST:1", "GET:x", "GET:1,GET:2", "get"])
def test_tokens_of_operations_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(InvalidArgument, match="expected"):
        settings.parse("rate_limit.backend.per_op_max_tokens", text, "bucket")


def test_a_tenth_of_the_tokens_may_be_saved_up_and_the_rest_flows_in_evenly() -> None:
    async def main() -> None:
        backend, remote, time = made(tokens=60)
        await heads(backend, 7)  # one, and the six of a tenth of a minute
        assert time.slept == []
        await heads(backend, 3)
        assert time.slept == pytest.approx([1.0, 1.0, 1.0])
        assert remote.calls["head"] == 10
        time.now += 3600
        time.slept.clear()
        await heads(backend, 8)
        assert time.slept == pytest.approx([1.0])

    run(main())


def test_a_process_takes_no_more_than_its_share() -> None:
    async def main() -> None:
        backend, _, time = made(tokens=60, share=4)
        await heads(backend, 4)
        assert time.slept == pytest.approx([2.0, 4.0])

    run(main())


def test_an_operation_with_tokens_of_its_own_takes_those() -> None:
    async def main() -> None:
        backend, _, time = made(tokens=600, get=6, list=60)
        await heads(backend, 10)
        assert time.slept == []
        await (await backend.get("k")).close()
        await (await backend.get("k")).close()
        assert time.slept == pytest.approx([4.0])
        await backend.list()
        await heads(backend, 10)
        assert time.slept == pytest.approx([4.0])

    run(main())


def test_many_at_once_are_served_in_turn_and_nobody_waits_for_too_long() -> None:
    flow = Flow(60, 60.0, lambda: 1, Time())
    waits = [flow.reserve(PATIENCE) for _ in range(50)]
    assert waits == [0.0] * 7 + [*range(1, int(PATIENCE) + 1)] + [None] * 13


def test_who_would_wait_for_too_long_hears_so_at_once() -> None:
    async def main() -> None:
        backend, remote, time = made(tokens=1)
        await backend.head("k")
        with pytest.raises(RemoteThrottled, match="the rate of HEAD requests to it is limited"):
            await backend.head("k")
        assert (remote.calls["head"], time.slept) == (1, [])

    run(main())


def test_no_tokens_are_no_requests() -> None:
    async def main() -> None:
        backend, remote, _ = made(tokens=60, delete=0)
        with pytest.raises(RemoteThrottled):
            await backend.delete("k")
        assert remote.calls["delete"] == 0

    run(main())


def test_what_is_throttled_is_tried_again_later_and_more_slowly() -> None:
    async def main() -> None:
        backend, remote, time = made(tokens=6000)
        remote.fail("head", throttled(retry_after=5.0), times=2)
        await backend.head("k")
        assert remote.calls["head"] == 3
        assert sum(time.slept) == pytest.approx(10.0)
        assert backend._all.factor == pytest.approx(1 / 4 + 1 / 32)
        await heads(backend, 40)
        assert backend._all.factor == 1.0

    run(main())


def test_num_retries_bounds_the_tries_and_the_client_hears_of_it() -> None:
    async def main() -> None:
        backend, remote, _ = made(retries=2)
        remote.fail("put", throttled(), times=9)
        with pytest.raises(RemoteThrottled, match="slow down"):
            await backend.put("k", Outgoing(0, lambda start, length: nothing()))
        assert remote.calls["put"] == 3

    run(main())


async def nothing() -> AsyncIterator[bytes]:
    for piece in list[bytes]():
        yield piece


def test_requests_that_were_throttled_together_count_once() -> None:
    async def main() -> None:
        backend, remote, _ = made(tokens=6000, retries=0)
        remote.fail("head", throttled(), times=5)
        everybody = asyncio.Barrier(5)

        async def together(method: str, key: str) -> None:
            await everybody.wait()

        remote.before = together
        await asyncio.gather(*(backend.head("k") for _ in range(5)), return_exceptions=True)
        assert backend._all.factor == 1 / 2

    run(main())


def test_who_waits_already_also_waits_for_what_the_service_asks_for() -> None:
    async def main() -> None:
        backend, _, time = made(tokens=60)
        await heads(backend, 7)
        waiting = asyncio.create_task(backend.head("k"))
        await asyncio.sleep(0)
        backend._all.throttled(20.0)
        began = time.now
        await waiting
        assert time.now - began == pytest.approx(20.0, abs=1.1)

    run(main())


def test_a_service_that_asks_for_too_long_is_not_waited_for() -> None:
    async def main() -> None:
        backend, remote, time = made()
        remote.fail("head", throttled(retry_after=PATIENCE + 1))
        with pytest.raises(RemoteThrottled):
            await backend.head("k")
        assert (remote.calls["head"], time.slept) == (1, [])

    run(main())


def test_other_errors_say_nothing_of_the_pace() -> None:
    async def main() -> None:
        backend, remote, _ = made()
        with pytest.raises(RemoteObjectNotFound):
            await backend.head("none")
        assert (remote.calls["head"], backend._all.factor) == (1, 1.0)

    run(main())


class ForwardingBackend(MemoryBackend):
    """Forwards requests too, as far as a pace in front of it has to tell of that."""

    region = "east"

    async def forward(self, request: RawRequest) -> Forwarded:
        raise RemoteUnavailable(self.name, f"{request.method} goes no further")

    def other_style(self, style: str) -> str:
        return f"{style}-other"

    def described(self, key: str, headers: Mapping[str, str]) -> RemoteObject:
        return RemoteObject(key, int(headers["content-length"]))


def test_all_of_what_forwards_goes_through() -> None:
    async def main() -> None:
        inner = ForwardingBackend(MemoryRemote(), "b")
        backend = paced(inner, {"rate_limit.backend.enabled": True})
        assert isinstance(backend, PacedForwarding)
        assert (backend.region, backend.other_style("path")) == ("east", "path-other")
        assert backend.described("k", {"content-length": "5"}).size == 5
        with pytest.raises(RemoteUnavailable):
            await backend.forward(RawRequest("GET"))

    run(main())


def test_all_of_the_port_goes_through() -> None:
    async def main() -> None:
        backend, remote, _ = made(tokens=6000)
        assert (backend.provider, backend.name, backend.lists) == ("aws", BUCKET, True)
        assert (await backend.facts()).region
        assert [entry.key for entry in (await backend.list(limit=5)).entries] == ["k"]
        await backend.give_up("k", "u")
        await backend.delete("k")
        await backend.close()
        assert set(remote.calls) == {"facts", "list", "give_up", "delete"}
        assert not isinstance(paced(backend, {"rate_limit.backend.enabled": True}), PacedForwarding)

    run(main())
