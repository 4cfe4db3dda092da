"""What a query's process can do and how it ends: limits, files, sockets, clients that go away."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import duckdb
import pytest

from aisle.core.errors import TooBusy
from aisle.query import runner
from aisle.query.errors import QueryError
from aisle.query.runner import Queries, Run
from aisle.query.shapes import Input, Limits, Order, Output
from aisle.query.worker import _open

CSV = Input("CSV")


async def pieces(*given: bytes) -> AsyncIterator[bytes]:
    for piece in given:
        yield piece


async def endless() -> AsyncIterator[bytes]:
    while True:
        yield b"a,b\n" * 10_000


def order(sql: str, *, input: Input = CSV, limits: Limits | None = None) -> Order:
    return Order(sql, input, Output("CSV"), limits or Limits())


async def result(queries: Queries, wanted: Order, source: AsyncIterator[bytes]) -> bytes:
    run = await queries.start(wanted, source)
    try:
        return b"".join([frame.data async for frame in run.frames()])
    finally:
        await run.close()


def pid_of(run: Run) -> int:
    assert run._child is not None
    return run._child.pid


def is_gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def test_duckdb_reads_no_file_but_its_own_and_changes_no_setting(tmp_path: Path) -> None:
    mine = tmp_path / "mine.csv"
    mine.write_text("1,2\n")
    link = _open(duckdb, order(""), str(mine))
    assert link.execute(f"SELECT * FROM read_csv('{mine}', header = false)").fetchall() == [(1, 2)]
    for sql in (
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM read_csv('http://127.0.0.1:1/x')",
        "SELECT * FROM glob('/etc/*')",
        f"COPY (SELECT 1) TO '{tmp_path}/out.csv'",
        f"ATTACH '{tmp_path}/other.db'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "SET memory_limit = '100GB'",
        "SET lock_configuration = false",
    ):
        with pytest.raises(duckdb.Error):
            link.execute(sql).fetchall()
    assert os.listdir(tmp_path) == ["mine.csv"]


CLOSED = """
import ctypes, errno, os, socket, subprocess, sys
from aisle.query import sandbox
sandbox.limit(memory=256 << 20, seconds=5)
assert sandbox.close()
libc = ctypes.CDLL(None, use_errno=True)
def call(*numbers):
    if libc.syscall(*numbers) < 0:
        assert ctypes.get_errno() == errno.EPERM, ctypes.get_errno()
        raise OSError
for attempt in (
    lambda: socket.socket(),
    lambda: socket.socketpair(),
    lambda: os.execv("/bin/true", ["true"]),
    lambda: os.kill(os.getppid(), 0),
    lambda: os.unlink(sys.argv[1]),
    lambda: open(sys.argv[1], "w").write("x" * 10) and os.fsync(1),
    lambda: call(0x40000000 + 41, 2, 1, 0),
):
    try:
        attempt()
    except OSError:
        continue
    sys.exit(3)
try:
    bytearray(3 << 30)
except MemoryError:
    sys.exit(0)
sys.exit(4)
"""


def test_the_process_has_no_sockets_programs_or_files(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_bytes(b"")
    done = subprocess.run(
        [sys.executable, "-c", CLOSED, str(kept)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert kept.exists()


def test_a_query_that_takes_too_much_memory_ends_with_its_own_error() -> None:
    async def scenario() -> None:
        queries = Queries(Limits(memory=64 << 20))
        rows = (b"%d,%s\n" % (number, b"x" * 4000) for number in range(60_000))

        async def source() -> AsyncIterator[bytes]:
            for row in rows:
                yield row

        bomb = "SELECT " + "||".join(["_2"] * 300) + " FROM S3Object"
        with pytest.raises(QueryError) as caught:
            await result(queries, order(bomb, limits=queries.limits), source())
        assert caught.value.code in ("ExternalEvalException", "OverMaxRecordSize")

    asyncio.run(scenario())


@pytest.mark.parametrize("seconds", [2])
def test_an_endless_query_is_ended(seconds: int) -> None:
    async def scenario() -> None:
        queries = Queries(Limits(seconds=seconds))
        run = await queries.start(
            order("SELECT COUNT(*) FROM S3Object", limits=queries.limits), endless()
        )
        pid = pid_of(run)
        with pytest.raises(QueryError) as caught:
            _ = [frame async for frame in run.frames()]
        assert caught.value.code == "ExternalEvalException"
        await run.close()
        assert is_gone(pid)

    asyncio.run(scenario())


def test_who_goes_away_leaves_no_process() -> None:
    async def scenario() -> None:
        run = await Queries().start(order("SELECT * FROM S3Object"), endless())
        frames = run.frames()
        async for frame in frames:
            if frame.letter == "R":
                break
        pid = pid_of(run)
        await frames.aclose()
        await run.close()
        assert is_gone(pid)
        await run.close()

    asyncio.run(scenario())


def test_a_process_ends_with_the_one_that_started_it(tmp_path: Path) -> None:
    program = """
import asyncio, sys
sys.path.insert(0, sys.argv[1])
from tests.query.test_sandbox import endless, order, pid_of
from aisle.query.runner import Queries
async def main():
    run = await Queries().start(order("SELECT COUNT(*) FROM S3Object"), endless())
    frames = run.frames()
    await anext(frames)
    print(pid_of(run), flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""
    root = str(Path(__file__).parents[2])
    child = subprocess.Popen(
        [sys.executable, "-c", program, root], stdout=subprocess.PIPE, text=True, cwd=root
    )
    assert child.stdout is not None
    pid = int(child.stdout.readline())
    child.kill()
    child.wait()
    child.stdout.close()

    async def gone() -> None:
        async with asyncio.timeout(60):
            while not is_gone(pid):
                await asyncio.sleep(0.05)

    asyncio.run(gone())


def test_so_many_run_at_once_and_others_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "WAIT_SECONDS", 0.1)

    async def scenario() -> None:
        queries = Queries(at_once=1)
        run = await queries.start(order("SELECT COUNT(*) FROM S3Object"), endless())
        with pytest.raises(TooBusy):
            await queries.start(order("SELECT 1 FROM S3Object"), pieces(b"a\n"))
        await run.close()
        wanted = order("SELECT _1 FROM S3Object")
        assert await result(queries, wanted, pieces(b"a,b\nc,", b"d\n")) == b"a\nc\n"

    asyncio.run(scenario())


def test_who_stands_still_keeps_others_waiting_no_longer_than_a_query_may_take(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runner, "WAIT_SECONDS", 120.0)

    async def scenario() -> None:
        queries = Queries(Limits(seconds=1), at_once=1)
        sql = "SELECT * FROM S3Object"
        run = await queries.start(order(sql, limits=queries.limits), endless())
        pid = pid_of(run)
        second = Order("SELECT _1 FROM S3Object", CSV, Output("CSV"), Limits())
        assert await result(queries, second, pieces(b"a,b\n")) == b"a\n"
        assert is_gone(pid)
        with pytest.raises(QueryError) as caught:
            _ = [frame async for frame in run.frames()]
        assert caught.value.code == "ExternalEvalException"
        await run.close()

    asyncio.run(scenario())


def test_a_query_of_which_nobody_reads_what_it_found_ends_when_it_is_closed() -> None:
    """asyncio's own pipe kept its place taken for ever, once so much was found that it paused."""

    async def scenario() -> None:
        queries = Queries(at_once=1)
        run = await queries.start(order("SELECT * FROM S3Object"), endless())
        async with asyncio.timeout(60):
            while not getattr(run._pipe, "_paused"):  # noqa: B009
                await asyncio.sleep(0.01)
            await run.close()
        wanted = order("SELECT _1 FROM S3Object")
        assert await result(queries, wanted, pieces(b"a,b\n")) == b"a\n"

    asyncio.run(scenario())


def test_a_query_that_needs_no_more_of_the_object_leaves_no_complaint(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scenario() -> None:
        wanted = order("SELECT _1 FROM S3Object LIMIT 1")
        assert await result(Queries(), wanted, endless()) == b"a\n"

    asyncio.run(scenario())
    gc.collect()
    assert not caplog.records


def test_a_parquet_object_that_is_too_large_is_refused() -> None:
    async def scenario() -> None:
        queries = Queries(Limits(parquet=1000))
        wanted = order("SELECT * FROM S3Object", input=Input("Parquet"), limits=queries.limits)
        with pytest.raises(QueryError) as caught:
            await result(queries, wanted, endless())
        assert caught.value.code == "OverMaxParquetBlockSize"

    asyncio.run(scenario())
