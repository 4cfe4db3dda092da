"""Fetching ahead: what comes, in which order, and how it ends."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from aisle.cli.ahead import ahead

SECONDS = 60.0


def test_everything_comes_in_order() -> None:
    assert list(ahead(iter(range(100)))) == list(range(100))
    assert list(ahead(iter(()))) == []


def test_the_next_item_is_fetched_while_one_is_used() -> None:
    fetched = [threading.Event() for _ in range(3)]

    def source() -> Iterator[int]:
        for number, event in enumerate(fetched):
            event.set()
            yield number

    items = ahead(source())
    assert next(items) == 0
    assert fetched[1].wait(SECONDS)
    assert list(items) == [1, 2]


def test_an_error_comes_behind_what_came_before_it() -> None:
    def source() -> Iterator[int]:
        yield 1
        raise KeyError("lost")

    items = ahead(source())
    assert next(items) == 1
    with pytest.raises(KeyError, match="lost"):
        next(items)


def test_who_has_enough_waits_for_nothing() -> None:
    held = threading.Event()

    def source() -> Iterator[int]:
        yield 1
        held.wait(SECONDS)
        yield 2

    for item in ahead(source()):
        assert item == 1
        break
    held.set()
