"""A client that stands still is given up; one that is only slow is not."""

from __future__ import annotations

import asyncio
import contextlib

from aisle.app import stalls
from aisle.app.stalls import Waiting


def test_only_a_task_that_has_waited_for_too_long_is_ended() -> None:
    async def stuck() -> None:
        with Waiting():
            await asyncio.sleep(60)

    async def busy() -> str:
        await asyncio.sleep(0.05)
        return "done"

    async def main() -> None:
        waiting, working = asyncio.create_task(stuck()), asyncio.create_task(busy())
        await asyncio.sleep(0.02)
        assert stalls.sweep(limit=10) == 0
        assert stalls.sweep(limit=0.01) == 1
        with contextlib.suppress(asyncio.CancelledError):
            await waiting
        assert waiting.cancelled()
        assert await working == "done"
        assert stalls.sweep(limit=0) == 0

    asyncio.run(main())
