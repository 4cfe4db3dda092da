"""How much of the index a node keeps in memory, as its options say."""

import asyncio
from pathlib import Path

import pytest

from aisle.node.engines import open_index
from aisle.node.options import load
from aisle.store.base import Put
from aisle.store.epoch import Epoch
from aisle.store.sqlite import SqliteIndex, shares


@pytest.mark.parametrize(
    ("arguments", "kept"),
    [
        ([], True),
        (["--row-cache", "0"], False),
        (["--row-cache", "1KiB", "--workers", "1"], True),
        (["--row-cache", "1KiB", "--workers", "100"], False),  # too little for each
    ],
)
def test_rows_are_kept_as_far_as_the_memory_for_them_goes(
    tmp_path: Path, arguments: list[str], kept: bool
) -> None:
    async def main() -> None:
        options = load(["--data", str(tmp_path), *arguments], {})
        index = await open_index(options, Epoch())
        await index.commit(Put("body", b"k", b"read"))
        assert await index.get("body", b"k") == b"read"
        # Whoever does not tell the others of what it writes shows what they still know.
        stranger = SqliteIndex.open(tmp_path / "index.db")
        await stranger.commit(Put("body", b"k", b"new"))
        await stranger.close()
        assert (await index.get("body", b"k") == b"read") == kept
        await index.close()

    asyncio.run(main())


def test_objects_and_bodies_share_what_there_is() -> None:
    assert shares(0) == {}
    given = shares(64 << 20)
    assert given.keys() == {"object", "body"}
    assert sum(given.values()) == 64 << 20
