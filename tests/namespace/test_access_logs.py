"""Access logs: gathered within bounds, delivered where the bucket says, or given up."""

from __future__ import annotations

import asyncio
import re

import pytest

from aisle.auth.acl import Grant
from aisle.core.errors import StoreUnavailable
from aisle.namespace import accesslogs, buckets, documents, objects
from aisle.namespace.accesslogs import BY_DELIVERY, BY_EVENT, AccessLogs, Logging
from aisle.namespace.store import BucketRow, Store
from aisle.store.base import Change
from tests.namespace.support import get, interposed_store, make_bucket, memory_store, rows, run

READERS = Grant("group", "http://acs.amazonaws.com/groups/global/AuthenticatedUsers", "READ")


async def logged(store: Store, logging: Logging, name: str = "source") -> BucketRow:
    row = await make_bucket(store, name)
    kept = accesslogs.encode_logging(logging)
    return await documents.change(store, row, {documents.LOGGING: kept})


async def keys(store: Store, bucket: BucketRow) -> list[str]:
    found = await rows(store, "object")
    return [key[8:].decode() for key in found if key.startswith(bucket.record.id)]


def test_lines_become_an_object_in_the_order_of_their_time() -> None:
    async def main() -> None:
        store = memory_store()
        target = await make_bucket(store, "target")
        source = await logged(store, Logging("target", "p/", [READERS]))
        logs = AccessLogs(store, "here")
        logs.note(source, 2, b"second\n")
        logs.note(source, 1, b"first\n")
        await logs.write()
        await logs.write()
        (key,) = await keys(store, target)
        assert re.fullmatch(r"p/\d{4}(-\d\d){5}-[0-9A-F]{16}", key)
        assert await get(store, target, key.encode()) == b"first\nsecond\n"
        record = await objects.head(store, target, key.encode())
        assert (record.owner, record.headers) == ("me", {"content-type": "text/plain"})
        assert record.acl is None or READERS in record.acl

    run(main())


@pytest.mark.parametrize("form", [BY_EVENT, BY_DELIVERY])
def test_partitioned_keys_are_of_the_day_that_counts(form: str) -> None:
    async def main() -> None:
        store = memory_store()
        target = await make_bucket(store, "target")
        source = await logged(store, Logging("target", "", keys=form))
        logs = AccessLogs(store, "here")
        for second in (10, 86_399, 86_400):
            logs.note(source, second, b"%d\n" % second)
        await logs.write()
        found = await keys(store, target)
        if form == BY_DELIVERY:
            (key,) = found
            assert key.startswith("me/here/source/2027/01/15/2027-01-15-")
            return
        one, two = sorted(found)
        assert one.startswith("me/here/source/1970/01/01/1970-01-01-00-00-00-")
        assert two.startswith("me/here/source/1970/01/02/1970-01-02-00-00-00-")
        assert await get(store, target, one.encode()) == b"10\n86399\n"

    run(main())


def test_what_has_no_room_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        store = memory_store()
        target = await make_bucket(store, "target")
        source = await logged(store, Logging("target", ""))
        monkeypatch.setattr(accesslogs, "MOST", 10)
        logs = AccessLogs(store, "here")
        for _ in range(3):
            logs.note(source, 1, b"line\n")
        assert logs.dropped == 1
        await logs.write()
        (key,) = await keys(store, target)
        assert await get(store, target, key.encode()) == b"line\nline\n"
        logs.note(source, 1, b"line\n")
        assert logs.dropped == 0

    run(main())


def test_logs_that_nobody_may_have_any_more_are_given_up() -> None:
    async def main() -> None:
        store = memory_store()
        source = await logged(store, Logging("target", ""))
        logs = AccessLogs(store, "here")
        logs.note(source, 1, b"no such target\n")
        await logs.write()
        other = await buckets.create(store, source.name._replace(name="target"), owner="another")
        logs.note(source, 1, b"another account's\n")
        await logs.write()
        assert await keys(store, other) == []
        await documents.change(store, source, {documents.LOGGING: None})
        logs.note(source, 1, b"not logged by now\n")
        await logs.write()
        await buckets.delete(store, source.name)
        logs.note(source, 1, b"no such source\n")
        await logs.write()
        assert await rows(store, "object") == []

    run(main())


def test_lines_wait_for_a_store_that_is_away() -> None:
    async def main() -> None:
        store, index = interposed_store()
        target = await make_bucket(store, "target")
        source = await logged(store, Logging("target", ""))
        logs = AccessLogs(store, "here")
        logs.note(source, 1, b"line\n")
        commit = index.commit

        async def away(*changes: Change) -> None:
            raise StoreUnavailable("away")

        index.commit = away  # type: ignore[method-assign]
        await logs.write()
        index.commit = commit  # type: ignore[method-assign]
        assert await keys(store, target) == []
        await logs.write()
        assert len(await keys(store, target)) == 1

    run(main())


def test_a_delivery_that_is_broken_off_is_made_up_for() -> None:
    async def main() -> None:
        store, index = interposed_store()
        target = await make_bucket(store, "target")
        logs = AccessLogs(store, "here")
        for name in ("one", "two"):
            source = await logged(store, Logging("target", ""), name)
            logs.note(source, 1, b"line\n")

        async def halt(method: str, table: str) -> None:
            await asyncio.Event().wait()

        index.before = halt
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(logs.write(), 0.05)
        index.before = None
        await logs.write()
        assert len(await keys(store, target)) == 2

    run(main())
