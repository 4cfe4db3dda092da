"""How large parts are, how much memory they hold together, and the URL: no server is needed."""

from __future__ import annotations

import asyncio
import random

import pytest

from aisle.core.errors import ConfigError, StoreUnavailable
from aisle.outgoing.s3 import read_error
from aisle.store.s3.memory import PartMemory, Share
from aisle.store.s3.url import parse_location
from aisle.store.s3.writer import MAX_PART, MAX_PARTS, PART, part_size
from aisle.store.s3.xml import parse
from tests.store.conftest import Run

MIB = 1 << 20


@pytest.mark.parametrize("announced", [0, 1, PART, 1 << 30, 100 << 30, 1 << 40, 5 << 40])
def test_every_size_fits_into_ten_thousand_parts(announced: int) -> None:
    written = number = 0
    while written < (announced or 5 << 40):
        number += 1
        size = part_size(number, announced, written)
        assert PART <= size <= MAX_PART
        written += size
    assert number <= MAX_PARTS
    assert part_size(1, announced, 0) <= max(PART, announced // 8_000)


@pytest.mark.parametrize("writers", [3, 40, 200])
def test_many_slow_writers_stay_within_the_memory_and_all_get_done(run: Run, writers: int) -> None:
    memory = PartMemory(10 * MIB, reserve=6 * MIB)
    highest = 0

    async def write(seed: int) -> None:
        nonlocal highest
        moods = random.Random(seed)
        share = Share(memory)
        for _ in range(2):
            while share.collected < PART:
                size = min(moods.randrange(1, 512 << 10), PART - share.collected)
                await share.take(size, part=PART)
                highest = max(highest, memory.held + memory.promised)
                await asyncio.sleep(moods.random() / 1000)
            size = share.hand_over()
            assert size == PART
            await asyncio.sleep(moods.random() / 1000)
            memory.sent(size)

    async def all_at_once() -> None:
        await asyncio.gather(*map(write, range(writers)))

    run(all_at_once())
    assert 10 * MIB < highest <= 16 * MIB
    assert memory.held == memory.promised == 0


def test_a_part_larger_than_the_memory_still_goes(run: Run) -> None:
    memory = PartMemory(4 * MIB, reserve=MIB)

    async def collect(share: Share) -> None:
        for _ in range(20):
            await share.take(MIB, part=20 * MIB)
            await asyncio.sleep(0)
        memory.sent(share.hand_over())

    async def two() -> None:
        await asyncio.gather(*[collect(Share(memory)) for _ in range(2)])

    run(two())
    assert memory.held == memory.promised == 0


def test_a_writer_that_waits_for_too_long_is_told_so_and_holds_nothing(run: Run) -> None:
    memory = PartMemory(MIB, reserve=0, patience=0.05)

    async def attempt() -> None:
        first, second = Share(memory), Share(memory)
        await first.take(MIB, part=MIB)
        await second.take(1, part=MIB)  # there is always a promise for one part
        third = Share(memory)
        with pytest.raises(StoreUnavailable, match="more slowly"):
            await third.take(1, part=MIB)
        waiting = asyncio.ensure_future(third.take(1, part=MIB))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        granted = asyncio.ensure_future(third.take(1, part=MIB))
        await asyncio.sleep(0)
        second.drop()  # grants it, and before it runs again it is cancelled
        granted.cancel()
        await asyncio.gather(granted, return_exceptions=True)
        assert third.collected == 0
        for share in (first, second, third):
            share.drop()
        assert memory.held == memory.promised == 0

    run(attempt())


@pytest.mark.parametrize(
    ("url", "address", "region"),
    [
        ("s3://bkt", "https://s3.us-east-1.amazonaws.com/bkt/id/k", "us-east-1"),
        ("s3://bkt/?region=eu-west-1", "https://s3.eu-west-1.amazonaws.com/bkt/id/k", "eu-west-1"),
        ("s3://bkt/a/b/?endpoint=http://h:81/s3/", "http://h:81/s3/bkt/a/b/id/k", "us-east-1"),
        ("s3://bkt/a%20b?endpoint=http%3A%2F%2Fh", "http://h/bkt/a%20b/id/k", "us-east-1"),
        ("s3://b.k-t?endpoint=https://[::1]:9000", "https://[::1]:9000/b.k-t/id/k", "us-east-1"),
    ],
)
def test_a_url_names_a_place(url: str, address: str, region: str) -> None:
    location = parse_location(url, store="id")
    assert location.url(location.prefix + "k") == address
    assert location.region == region


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("s3://", "s3://BUCKET"),
        ("http://bkt", "s3://BUCKET"),
        ("s3://bkt/../c", "prefix"),
        ("s3://b//c/d//e", "s3://BUCKET"),
        ("s3://bkt/a//e", "prefix"),
        ("s3://bkt/%00", "prefix"),
        ("s3://key:SECRET@bkt", "no keys"),
        ("s3://bkt?endpoint=http://key:SECRET@host", "endpoint"),
        ("s3://bkt?endpoint=ftp://host", "endpoint"),
        ("s3://bkt?endpoint=http://host:port", "endpoint"),
        ("s3://bkt?endpoint=http://[", "endpoint"),
        ("s3://bkt?endpoint", "name=value"),
        ("s3://bkt?secret_key=SECRET", "no option"),
        ("s3://bkt?region=a/b", "region"),
        ("s3://bkt?checksum=md5", "checksum"),
        ("s3://[", "name=value"),
    ],
)
def test_a_url_that_names_none_is_refused_without_its_secrets(url: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        parse_location(url, store="id")
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"<Error>",
        b"<!DOCTYPE a [<!ENTITY b 'c'>]><Error><Code>&b;</Code></Error>",
        b"\xff<",
        b"<Error>" * 1000 + b"</Error>" * 1000,
    ],
)
def test_replies_that_cannot_be_read_are_a_store_that_is_unavailable(document: bytes) -> None:
    with pytest.raises(StoreUnavailable):
        parse(document)
    assert read_error(document).code == ""


def test_the_code_of_an_error_is_a_word() -> None:
    assert read_error(b"<Error><Code>NoSuchKey</Code></Error>").code == "NoSuchKey"
    assert read_error(b"<Error><Code>a b</Code></Error>").code == ""
    assert (
        read_error(b"<ListBucketResult><Error><Code>x</Code></Error></ListBucketResult>").code == ""
    )
