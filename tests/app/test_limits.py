"""Front-end rate limits: the arithmetic of tokens, on a clock that is told."""

from __future__ import annotations

import pytest

from aisle.api.limits import PREFIX, Limits, rate_of
from aisle.core import settings
from aisle.core.errors import InvalidArgument, RateLimited


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def limits(clock: Clock, share: int = 1, **values: settings.Value) -> Limits:
    told = {PREFIX + name: value for name, value in {"enabled": True, **values}.items()}
    return Limits(users=rate_of(told), share=share, now=clock)


def taken(limited: Limits, who: str = "ann", method: str = "GET") -> int:
    """How many requests are let in at this moment."""
    count = 0
    while True:
        try:
            limited.take_user(who, method)
        except RateLimited:
            return count
        count += 1


def test_a_burst_is_let_in_and_then_what_flows() -> None:
    clock = Clock()
    limited = limits(clock, interval="10s", max_tokens=20, burst_size=5)
    assert taken(limited) == 5
    with pytest.raises(RateLimited) as refused:
        limited.take_user("ann", "GET")
    assert refused.value.retry_after == pytest.approx(0.5)
    clock.seconds += 1
    assert taken(limited) == 2
    clock.seconds += 3600
    assert taken(limited) == 5


def test_users_do_not_take_from_each_other() -> None:
    limited = limits(Clock(), max_tokens=3, burst_size=3)
    assert (taken(limited, "ann"), taken(limited, "bob"), taken(limited, "ann")) == (3, 3, 0)


def test_an_operation_with_tokens_of_its_own_takes_those() -> None:
    limited = limits(Clock(), max_tokens=10, burst_size=4, per_op_max_tokens="get:2, PUT:100")
    assert (taken(limited), taken(limited, method="PUT")) == (2, 4)
    assert taken(limited, method="DELETE") == 4
    assert taken(limited, method="HEAD") == 0  # of the rest there is one bucket


def test_no_tokens_are_none() -> None:
    limited = limits(Clock(), interval="30s", max_tokens=10, per_op_max_tokens="delete:0")
    with pytest.raises(RateLimited) as refused:
        limited.take_user("ann", "DELETE")
    assert refused.value.retry_after == 30


def test_processes_share_a_limit() -> None:
    """The most that all let in at once is the burst, and at the least one each."""
    clock = Clock()
    values: dict[str, settings.Value] = {
        "interval": "10s",
        "max_tokens": 40,
        "burst_size": 12,
    }
    assert taken(limits(clock, 4, **values)) == 3
    assert taken(limits(clock, 100, **values)) == 1


def test_memory_is_bounded() -> None:
    limited = limits(Clock(), max_tokens=2)
    for number in range(30_000):
        limited.take_user(f"2001:db8::{number:x}", "GET")
    assert len(limited._left) == 20_000


def test_without_a_limit_nobody_is_counted() -> None:
    limited = Limits(users=rate_of(settings.cluster_defaults()))
    limited.take_user("ann", "GET")
    assert not limited._left


@pytest.mark.parametrize(
    "text", ["get", "get:", "get:x", "get:-1", "fetch:1", "get:1,GET:2", "get:1;put:2", "get:1:2"]
)
def test_tokens_by_operation_are_checked_when_they_are_set(text: str) -> None:
    name = PREFIX + "per_op_max_tokens"
    with pytest.raises(InvalidArgument, match=r"per_op_max_tokens: expected"):
        settings.parse(name, text, "bucket")
    assert settings.parse(name, " get:1000,put:500 ", "bucket") == "get:1000,put:500"
