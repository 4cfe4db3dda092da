"""Uploads that end while a part comes in and another worker clears up."""

from __future__ import annotations

import pytest

from aisle.namespace import uploads
from aisle.store.base import Change, Put
from tests.namespace.support import (
    LARGE,
    Data,
    begin,
    begun,
    complete,
    get,
    interposed_store,
    make_bucket,
    nothing_leaks,
    pattern,
    put_part,
    rows,
    run,
)


@pytest.mark.parametrize("end", ["complete", "abort"])
def test_a_late_part_that_another_has_swept_is_no_failure(end: str) -> None:
    async def main() -> None:
        store, index = interposed_store()
        await store.change_config({"multipart.min_part_size": "0"})
        bucket = await make_bucket(store)
        upload = await begin(store, bucket, b"k")
        first = await put_part(store, bucket, upload, 1, pattern(LARGE, 1))
        scans = 0

        async def look(method: str, table: str) -> None:
            nonlocal scans
            if (method, table) != ("scan", "part"):
                return
            scans += 1
            hook, index.after = index.after, None
            if scans == 1:
                await put_part(store, bucket, upload, 2, b"late")
            else:
                await uploads.discard_parts(store, upload.record.id)
            index.after = hook if scans == 1 else None

        index.after = look
        if end == "complete":
            await complete(store, bucket, upload, first)
            assert await get(store, bucket, b"k") == pattern(LARGE, 1)
        else:
            await uploads.abort(store, upload)
        assert scans == 2
        assert await rows(store, "part") == await rows(store, "upload") == []

    run(main())


def test_bytes_whose_row_may_be_there_are_left_to_the_sweep(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def main() -> None:
        store, index = interposed_store()
        await store.change_config({"multipart.min_part_size": "0"})
        bucket = await make_bucket(store)
        upload = await begun(store, bucket, b"k")
        commit = index.commit

        async def exhausted(*changes: Change) -> None:
            await commit(*changes)
            if any(isinstance(one, Put) and one.table == "part" for one in changes):
                raise MemoryError

        monkeypatch.setattr(index, "commit", exhausted)
        with pytest.raises(MemoryError):
            await uploads.put_part(store, bucket, upload, 1, Data(pattern(LARGE, 1)))
        monkeypatch.undo()
        (part,) = await uploads.list_parts(store, upload, after=0, limit=10)
        await complete(store, bucket, upload, part)
        assert await get(store, bucket, b"k") == pattern(LARGE, 1)
        await nothing_leaks(store)

    run(main())
