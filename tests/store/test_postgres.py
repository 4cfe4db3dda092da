"""What `PostgresIndex` promises beyond the port: many gateways, the epoch, opening errors."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from aisle.core.errors import ConfigError, RowChanged, StoreUnavailable
from aisle.store.base import ABSENT, Change, Check, Delete, Put
from aisle.store.postgres.index import LASTING, PostgresIndex
from aisle.store.postgres.schema import VERSION
from aisle.store.rows import MAX_KEY
from tests.harness import free_port
from tests.servers.postgres import Postgres, shared
from tests.store.conftest import Run

SECONDS = 120
PASSWORD = "s/e@c?r:e#t%word"


@pytest.fixture
def server() -> Postgres:
    return shared()


@pytest.fixture
def url(server: Postgres) -> str:
    return server.create_database()


@asynccontextmanager
async def gateways(
    url: str, count: int, *, patience: float = 60
) -> AsyncIterator[list[PostgresIndex]]:
    """So many independent indexes over one database, and a deadline for what they do."""
    opened = [await PostgresIndex.open(url, patience=patience) for _ in range(count)]
    try:
        async with asyncio.timeout(SECONDS):
            yield opened
    finally:
        for index in opened:
            await index.close()


# --- many gateways --------------------------------------------------------------------------


def test_what_one_gateway_committed_the_others_read_at_once(url: str, run: Run) -> None:
    async def main() -> None:
        async with gateways(url, 2) as (ours, theirs):
            for number in range(50):
                key, value = b"%d" % (number % 5), b"%d" % number
                await ours.commit(Put("object", key, value), Put("body", key, value))
                assert await theirs.get("object", key) == value
                assert await theirs.get_many("body", [key]) == [value]
                assert (key, value) in await theirs.scan("object", limit=10)

    run(main())


def test_of_two_gateways_that_create_the_same_keys_one_wins_each(url: str, run: Run) -> None:
    async def create(index: PostgresIndex, name: bytes, key: bytes) -> bool:
        try:
            await index.commit(Check("object", key, ABSENT), Put("object", key, name))
        except RowChanged:
            return False
        return True

    async def main() -> None:
        async with gateways(url, 2) as indexes:
            keys = [b"%03d" % number for number in range(200)]
            names = [b"0", b"1", b"2", b"3"]
            won = await asyncio.gather(
                *[create(indexes[int(name) % 2], name, key) for key in keys for name in names]
            )
            for number, key in enumerate(keys):
                outcomes = won[number * len(names) : (number + 1) * len(names)]
                assert sum(outcomes) == 1
                assert await indexes[0].get("object", key) == names[outcomes.index(True)]

    run(main())


async def increment(index: PostgresIndex, table: str, key: bytes, times: int) -> None:
    """Add to a counter by compare-and-set, again and again until it went through."""
    done = 0
    while done < times:
        now = await index.get(table, key)
        try:
            await index.commit(
                Check(table, key, ABSENT if now is None else now),
                Put(table, key, b"%d" % (int(now or 0) + 1)),
            )
        except RowChanged:
            continue
        done += 1


@pytest.mark.parametrize("table", ["object", "row", "bucket"])
def test_counters_of_several_gateways_end_exact(url: str, run: Run, table: str) -> None:
    async def main() -> None:
        async with gateways(url, 3) as indexes:
            keys = [b"a", b"b", b"c"]
            await asyncio.gather(
                *[increment(index, table, key, 8) for index in indexes for key in keys * 2]
            )
            assert await indexes[0].get_many(table, keys) == [b"48"] * 3

    run(main())


def test_transfers_in_all_orders_end_and_lose_nothing(url: str, run: Run) -> None:
    """Batches that lock, replace and blindly write the same rows in opposite orders."""
    accounts = [b"%02d" % number for number in range(8)]

    async def transfer(index: PostgresIndex, rng: random.Random) -> None:
        while True:
            one, two = rng.sample(accounts, 2)
            held = await index.get_many("object", [one, two])
            values = [int(value or b"") for value in held]
            log = [
                Put("row", b"last/" + name, b"%d" % values[0]) for name in rng.sample(accounts, 8)
            ]
            try:
                await index.commit(
                    *[Check("object", n, v or b"") for n, v in zip((one, two), held, strict=True)],
                    *log,
                    Put("object", one, b"%d" % (values[0] - 1)),
                    Put("object", two, b"%d" % (values[1] + 1)),
                )
            except RowChanged:
                continue
            return

    async def main() -> None:
        async with gateways(url, 3) as indexes:
            await indexes[0].commit(*[Put("object", name, b"100") for name in accounts])
            rng = random.Random(1)
            await asyncio.gather(*[transfer(indexes[n % 3], rng) for n in range(90)])
            values = await indexes[0].get_many("object", accounts)
            assert sum(int(value or b"") for value in values) == 800

    run(main())


@pytest.mark.parametrize("tables", [("object", "row"), ("row", "row"), ("bucket", "object")])
def test_two_batches_that_check_each_others_row_do_not_both_pass(
    url: str, run: Run, tables: tuple[str, str]
) -> None:
    first, second = tables

    async def attempt(index: PostgresIndex, *changes: Change) -> bool:
        try:
            await index.commit(*changes)
        except RowChanged:
            return False
        return True

    async def main() -> None:
        async with gateways(url, 2) as (ours, theirs):
            for number in range(60):
                x, y = b"x%d" % number, b"y%d" % number
                expected: tuple[object, object] = (ABSENT, ABSENT)
                if number % 2:  # rows that are there, and both would replace the other's
                    await ours.commit(Put(first, x, b"old"), Put(second, y, b"old"))
                    expected = (b"old", b"old")
                passed = await asyncio.gather(
                    attempt(ours, Check(first, x, expected[0]), Put(second, y, b"ours")),  # type: ignore[arg-type]
                    attempt(theirs, Check(second, y, expected[1]), Put(first, x, b"theirs")),  # type: ignore[arg-type]
                )
                assert sum(passed) == 1, (number, passed)

    run(main())


def test_nothing_guarded_by_a_bucket_comes_after_the_bucket_has_changed(url: str, run: Run) -> None:
    """And the change gets through, however many writers check the bucket all the time."""

    async def put(index: PostgresIndex, name: bytes, version: bytes) -> int:
        number = 0
        while True:
            key = b"%b/%b/%06d" % (version, name, number)
            try:
                await index.commit(Check("bucket", b"b", version), Put("object", key, b""))
            except RowChanged:
                return number
            number += 1

    async def main() -> None:
        async with gateways(url, 3) as (changing, *writing):
            await changing.commit(Put("bucket", b"b", b"v0"))
            written = 0
            for number in range(8):
                version = b"v%d" % number
                writers = [
                    asyncio.create_task(put(index, b"%d" % task, version))
                    for index in writing
                    for task in range(4)
                ]
                await asyncio.sleep(0.05)
                await changing.commit(
                    Check("bucket", b"b", version), Put("bucket", b"b", b"v%d" % (number + 1))
                )
                before = await changing.scan("object", prefix=version, limit=10**6)
                acknowledged = sum(await asyncio.gather(*writers))
                after = await changing.scan("object", prefix=version, limit=10**6)
                assert len(before) == len(after)
                assert acknowledged >= len(after)
                written += len(after)
            assert written > 0

    run(main())


def test_a_writer_that_was_taken_for_dead_goes_on(server: Postgres, url: str, run: Run) -> None:
    async def main() -> None:
        async with gateways(url, 1) as (index,):
            await index.commit(Put("object", b"k", b"1"))
            server.sql("DELETE FROM aisle_lane", url.rpartition("/")[2])
            await index.commit(Check("object", b"k", b"1"), Put("object", b"k", b"2"))
            assert await index.get("object", b"k") == b"2"

    run(main())


def test_the_register_forgets_writers_that_died_and_those_that_left(
    server: Postgres, url: str, run: Run
) -> None:
    name = url.rpartition("/")[2]
    dead = "'\\x" + "ab" * 16 + "'"

    async def use() -> None:
        async with gateways(url, 2) as indexes:
            for index in indexes:
                await index.commit(Put("object", b"k", b"1"))
                await index.commit(Delete("object", b"k"))

    run(use())
    assert server.sql("SELECT count(*) FROM aisle_lane", name) == "0"
    assert server.sql("SELECT count(*) FROM aisle_row", name) == "0"
    server.sql(f"INSERT INTO aisle_lane VALUES ({dead}, 0, now() - interval '2 days')", name)
    server.sql(
        f"INSERT INTO aisle_row VALUES ('\\x00'::bytea || {dead} || '\\x0000000000000007', '')",
        name,
    )
    run(use())
    assert server.sql("SELECT count(*) FROM aisle_lane", name) == "0"
    assert server.sql("SELECT count(*) FROM aisle_row", name) == "0"


def test_markers_of_a_busy_writer_stay_few(server: Postgres, url: str, run: Run) -> None:
    async def main() -> None:
        async with gateways(url, 1) as (index,):
            for number in range(300):
                await index.commit(Put("object", b"k", b"%d" % number))
            count = server.sql("SELECT count(*) FROM aisle_row", url.rpartition("/")[2])
            assert 0 < int(count) < 200

    run(main())


# --- the epoch and the clock ----------------------------------------------------------------


def test_the_epoch_follows_watched_rows_of_other_gateways_and_no_others(url: str, run: Run) -> None:
    async def main() -> None:
        async with gateways(url, 2) as (ours, theirs):
            for table in ("bucket", "config"):
                before = ours.epoch()
                await theirs.commit(Put(table, b"k", b"v"))
                # However late the next reading is, after `lag` no number is one from before.
                await asyncio.sleep(ours.lag)
                assert ours.epoch() != before
            while (before := ours.epoch()) != ours.epoch():  # until a reading has confirmed it
                await asyncio.sleep(0.05)
            await theirs.commit(Put("object", b"k", b"v"))
            await asyncio.sleep(2 * ours.lag)
            while ours.epoch() != ours.epoch():
                await asyncio.sleep(0.05)
            assert ours.epoch() == before
            await theirs.drop("bucket")
            await asyncio.sleep(ours.lag)
            assert ours.epoch() != before

    run(main())


def test_an_own_change_is_in_the_own_epoch_at_once(url: str, run: Run) -> None:
    async def main() -> None:
        async with gateways(url, 1) as (index,):
            seen = {index.epoch()}
            for number in range(20):
                await index.commit(Put("bucket", b"k", b"%d" % number))
                assert index.epoch() not in seen
                seen.add(index.epoch())

    run(main())


def test_the_clock_is_the_databases(server: Postgres, url: str, run: Run) -> None:
    async def main() -> None:
        async with gateways(url, 1) as (index,):
            before = float(server.sql("SELECT extract(epoch FROM clock_timestamp())"))
            told = await index.time()
            after = float(server.sql("SELECT extract(epoch FROM clock_timestamp())"))
            assert before <= told / 1e9 <= after

    run(main())


# --- limits and callers ---------------------------------------------------------------------


@pytest.mark.parametrize("table", ["object", "body", "x" * 64])
def test_a_key_of_the_greatest_size_that_cannot_be_compressed_is_stored(
    url: str, run: Run, table: str
) -> None:
    key = random.Random(1).randbytes(MAX_KEY)

    async def main() -> None:
        async with gateways(url, 1) as (index,):
            await index.commit(Check(table, key, ABSENT), Put(table, key, b"v"))
            await index.commit(Check(table, key, b"v"), Put(table, key, b"w"))
            assert await index.scan(table, limit=2) == [(key, b"w")]
            with pytest.raises(ValueError, match="key"):
                await index.commit(Put(table, key + b"x", b"v"))

    run(main())


def test_lasting_and_bulky_rows_lie_apart(server: Postgres, url: str, run: Run) -> None:
    async def main() -> None:
        async with gateways(url, 1) as (index,):
            tables = [*sorted(LASTING), "body", "garbage"]
            await index.commit(*[Put(table, b"k", table.encode()) for table in tables])
            for table in tables:
                assert await index.scan(table, limit=9) == [(b"k", table.encode())]

    run(main())


def test_callers_that_are_cancelled_leave_readers_and_writers_intact(
    server: Postgres, url: str, run: Run
) -> None:
    async def main() -> None:
        rng = random.Random(1)
        async with gateways(url, 1) as (index,):
            for _ in range(20):
                tasks = [
                    asyncio.create_task(index.commit(Put("object", b"%d" % n, b"v")))
                    for n in range(20)
                ]
                tasks += [asyncio.create_task(index.get("object", b"%d" % n)) for n in range(20)]  # type: ignore[arg-type]
                for _ in range(rng.randrange(8)):
                    await asyncio.sleep(0)
                for task in rng.sample(tasks, 15):
                    task.cancel()
                outcomes = await asyncio.gather(*tasks, return_exceptions=True)
                assert all(
                    isinstance(o, bytes | asyncio.CancelledError | None) for o in outcomes
                ), outcomes
            await index.commit(Put("object", b"k", b"v"))
            assert await index.get("object", b"k") == b"v"
            used = server.sql(
                f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{url.rpartition('/')[2]}'"
            )
            assert int(used) <= 5

    run(main())


def test_after_close_everything_is_refused_and_what_was_queued_is_there(url: str, run: Run) -> None:
    async def main() -> None:
        index = await PostgresIndex.open(url)
        queued = [
            asyncio.ensure_future(index.commit(Put("object", b"%d" % n, b""))) for n in range(9)
        ]
        await asyncio.sleep(0)
        await index.close()
        await asyncio.gather(*queued)
        with pytest.raises(StoreUnavailable, match="closed"):
            await index.commit(Put("object", b"k", b""))
        with pytest.raises(StoreUnavailable, match="closed"):
            await index.get("object", b"k")
        async with gateways(url, 1) as (again,):
            assert len(await again.scan("object", limit=99)) == 9

    run(main())


# --- opening --------------------------------------------------------------------------------


def test_many_gateways_may_open_an_empty_database_at_once(url: str, run: Run) -> None:
    async def main() -> None:
        opened = await asyncio.gather(*[PostgresIndex.open(url, patience=60) for _ in range(8)])
        await asyncio.gather(*[i.commit(Put("row", b"%d" % n, b"")) for n, i in enumerate(opened)])
        assert len(await opened[0].scan("row", limit=9)) == 8
        await asyncio.gather(*[index.close() for index in opened])

    run(main())


def test_a_database_of_a_newer_version_is_refused(server: Postgres, url: str, run: Run) -> None:
    run(run(PostgresIndex.open(url)).close())
    server.sql(
        f"UPDATE aisle_state SET value = '{VERSION + 1}' WHERE name = 'schema'",
        url.rpartition("/")[2],
    )
    with pytest.raises(ConfigError, match="newer version"):
        run(PostgresIndex.open(url))


def test_a_user_who_may_not_create_tables_is_told_so(server: Postgres, url: str, run: Run) -> None:
    name = url.rpartition("/")[2]
    server.create_user(f"guest_{name}", PASSWORD)
    with pytest.raises(ConfigError, match="may not create tables"):
        run(PostgresIndex.open(server.url(name, user=f"guest_{name}", password=PASSWORD)))


def _problems(server: Postgres) -> dict[str, str]:
    good = server.url("postgres", user="nobody_here", password=PASSWORD)
    return {
        "nobody listens": server.url("x", password=PASSWORD, port=free_port()),
        "unknown user": good,
        "unknown database": server.url("no_such_database", password=PASSWORD),
        "unknown host": f"postgresql://u:{PASSWORD}@no-such-host.invalid/x",
        "raw characters": f"postgresql://u:{PASSWORD}@127.0.0.1:{server.port}/x",
        "a port of letters": "postgresql://u:s/ecret@127.0.0.1/x",
        "an empty label": "postgresql://u:secret@a..b/x",
        "a bracket": "postgresql://u:[secret@h/x",
        "another scheme": "http://u:secret@h/x",
    }


@pytest.mark.parametrize("problem", list(_problems(Postgres())))
def test_what_keeps_it_from_opening_is_told_in_one_sentence_without_the_password(
    server: Postgres, run: Run, problem: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        run(PostgresIndex.open(_problems(server)[problem], patience=0.5))
    told = [caught.value, caught.value.__cause__]
    assert "\n" not in str(caught.value)
    for error in told:
        for secret in ("secret", "ecret", "word", "e@c"):
            assert secret not in str(error).replace("password", "").replace("PASSWORD", "")


def test_a_wrong_password_is_a_config_error_and_not_repeated(
    server: Postgres, url: str, run: Run
) -> None:
    name = url.rpartition("/")[2]
    server.create_user(f"user_{name}", PASSWORD)
    with pytest.raises(ConfigError, match="authentication failed") as caught:
        run(PostgresIndex.open(server.url(name, user=f"user_{name}", password="Wr0ng!")))
    assert "Wr0ng" not in str(caught.value)
    server.sql(f"GRANT ALL ON SCHEMA public TO user_{name}", name)
    index = run(PostgresIndex.open(server.url(name, user=f"user_{name}", password=PASSWORD)))
    run(index.commit(Put("row", b"k", b"v")))
    assert run(index.get("row", b"k")) == b"v"
    assert PASSWORD not in repr(index)
    run(index.close())
