"""What the stream of a query says while there is nothing to say: how far it is, or that it goes on.

The query is a real one, over an object without an end.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest
from botocore.eventstream import EventStreamBuffer

from aisle.api.s3 import selecting
from aisle.core.xmltree import parse_tree
from aisle.query.runner import Queries
from tests.query.test_sandbox import endless, order

COUNTS = ("BytesScanned", "BytesProcessed", "BytesReturned")


async def told(*, progress: bool, count: int, of: str) -> list[tuple[str, bytes]]:
    """The first messages of an answer, until there are so many of a type."""
    run = await Queries().start(order("SELECT COUNT(*) FROM S3Object"), endless())
    buffer, found = EventStreamBuffer(), list[tuple[str, bytes]]()
    stream = selecting._stream(run, await selecting._first(run), progress=progress)
    async with aclosing(stream):
        async for message in stream:
            buffer.add_data(message)
            found += [(event.headers[":event-type"], event.payload) for event in buffer]
            if [name for name, _ in found].count(of) >= count:
                break
    return found


def test_how_far_it_is_is_told_to_who_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selecting, "FIRST_SECONDS", 0.1)
    found = asyncio.run(told(progress=True, count=2, of="Progress"))
    assert found[0][0] == "Cont"
    assert {name for name, _ in found} == {"Cont", "Progress"}
    trees = [parse_tree(payload) for kind, payload in found if kind == "Progress"]
    counts = [[int(tree.value(name)) for name in COUNTS] for tree in trees]
    assert counts[0][0] > 0
    assert counts == sorted(counts)
    assert all(scanned == processed for scanned, processed, _ in counts)


def test_others_hear_that_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selecting, "FIRST_SECONDS", 0.1)
    assert asyncio.run(told(progress=False, count=3, of="Cont")) == [("Cont", b"")] * 3
