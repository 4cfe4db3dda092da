"""A client that stands still is given up; one that is only slow is not."""

from __future__ import annotations

import asyncio

import pytest

from aisle.app import stalls
from aisle.app.stalls import Waiting
from aisle.core.errors import RequestTimeout


def test_only_a_task_that_has_waited_for_too_long_is_ended() -> None:
    async def stuck(limit: float) -> None:
        with Waiting(limit):
            await asyncio.sleep(60)

    async def busy() -> str:
        await asyncio.sleep(0.05)
        return "done"

    async def main() -> None:
        patient, hasty = asyncio.create_task(stuck(50)), asyncio.create_task(stuck(0.01))
        working = asyncio.create_task(busy())
        await asyncio.sleep(0.02)
        assert stalls.sweep() == 1
        assert stalls.sweep() == 0  # it has been told already
        with pytest.raises(RequestTimeout, match=r"sent nothing of its body for 0\.01 seconds"):
            await hasty
        assert not patient.done()
        patient.cancel()
        with pytest.raises(asyncio.CancelledError):
            await patient
        assert await working == "done"
        assert stalls.sweep() == 0

    asyncio.run(main())


def test_whoever_ends_a_task_otherwise_ends_it() -> None:
    """A task that is cancelled by somebody else while its wait has expired stays cancelled."""

    async def stuck() -> None:
        with Waiting(0, reads=False):
            await asyncio.sleep(60)

    async def main() -> None:
        task = asyncio.create_task(stuck())
        await asyncio.sleep(0)
        assert stalls.sweep() == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
