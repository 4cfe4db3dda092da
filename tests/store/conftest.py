"""A running event loop, an engine of each kind, and small disks that can be filled."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable, Coroutine, Iterator
from contextvars import Context
from pathlib import Path
from typing import Any, Protocol, TypeVar

import pytest

from aisle.store.base import Blobs, Index
from tests.store.engines import BLOBS, INDEXES, BlobsEngine, IndexEngine

Result = TypeVar("Result")


class Run(Protocol):
    """Run a coroutine to its end, in the test's one loop."""

    def __call__(
        self, coro: Coroutine[Any, Any, Result], *, context: Context | None = None
    ) -> Result: ...


@pytest.fixture
def run() -> Iterator[Run]:
    with asyncio.Runner() as runner:
        yield runner.run


@pytest.fixture(params=INDEXES, ids=lambda engine: engine.name)
def index_engine(request: pytest.FixtureRequest) -> IndexEngine:
    engine: IndexEngine = request.param
    return engine


@pytest.fixture
def index(index_engine: IndexEngine, tmp_path: Path, run: Run) -> Iterator[Index]:
    opened = run(_open_index(index_engine, tmp_path))
    yield opened
    run(opened.close())


@pytest.fixture(params=BLOBS, ids=lambda engine: engine.name)
def blobs_engine(request: pytest.FixtureRequest) -> BlobsEngine:
    engine: BlobsEngine = request.param
    return engine


@pytest.fixture
def blobs(blobs_engine: BlobsEngine, tmp_path: Path, run: Run) -> Iterator[Blobs]:
    opened = run(_open(blobs_engine, tmp_path))
    yield opened
    run(opened.close())


async def _open_index(engine: IndexEngine, directory: Path) -> Index:
    return await engine.open(directory)


async def _open(engine: BlobsEngine, directory: Path) -> Blobs:
    return await engine.open(directory)


def command(*words: str) -> None:
    """Run a system command; the test fails, and says why, if the machine does not permit it."""
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.fail(
            f"this test needs root and a kernel that lets it mount: {' '.join(words)}: "
            f"{done.stderr.strip()}",
            pytrace=False,
        )


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """A function that mounts a tmpfs of so many MiB and returns its directory."""
    mounted: list[Path] = []

    def mount(mebibytes: int) -> Path:
        path = tmp_path / f"small{len(mounted)}"
        path.mkdir()
        command("mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", str(path))
        mounted.append(path)
        return path

    yield mount
    for path in mounted:
        command("umount", "--lazy", str(path))


@pytest.fixture
def failing_disk(tmp_path: Path) -> Iterator[Path]:
    """An ext4 that `mount -o remount,abort` makes read-only under open files, as an error does."""
    image, path = tmp_path / "image", tmp_path / "failing"
    path.mkdir()
    with image.open("wb") as file:
        file.truncate(16 << 20)
    command("mkfs.ext4", "-q", str(image))
    command("mount", "-o", "loop", str(image), str(path))
    yield path
    command("umount", "--lazy", str(path))
