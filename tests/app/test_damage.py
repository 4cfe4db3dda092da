"""A damaged object is never served whole, over either API, where its bucket validates reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from aisle.store.base import Put
from aisle.store.files import FileBlobs
from tests.app.driver import Exchange, app_over, started
from tests.namespace.support import Clock, disk_store, make_bucket, pattern, put, run

PATHS = ("/v1/objects/bucket/x", "/s3/bucket/x")


@pytest.mark.parametrize("path", PATHS)
def test_a_large_reply_breaks_off_before_its_end(tmp_path: Path, path: str) -> None:
    async def main() -> None:
        async with disk_store(tmp_path, Clock()) as store:
            bucket = await make_bucket(store, props={"checksum.validate_warm_get": True})
            record = await put(store, bucket, b"x", pattern(3_000_000))
            assert isinstance(store.blobs, FileBlobs)
            (file,) = (tmp_path / "disk").rglob(record.extents[0].blob.hex())
            with file.open("r+b") as blob:
                blob.seek(2_000_000)
                blob.write(b"damaged")
            app = await started(app_over(store))
            reply = Exchange("GET", path)
            with pytest.raises(ConnectionAbortedError):
                await reply.run(app)
            assert reply.fields["content-length"] == "3000000"
            assert len(reply.content) < 3_000_000
            assert not reply.ended
            part = await Exchange("GET", path, headers={"range": "bytes=0-9"}).run(app)
            assert (part.status, part.content) == (206, pattern(3_000_000)[:10])

    run(main())


@pytest.mark.parametrize("path", PATHS)
def test_a_small_reply_is_an_error(tmp_path: Path, path: str) -> None:
    async def main() -> None:
        async with disk_store(tmp_path, Clock()) as store:
            bucket = await make_bucket(store, props={"checksum.validate_warm_get": True})
            record = await put(store, bucket, b"x", b"right")
            row = record.extents[0].blob
            await store.index.commit(Put("body", row, b"wrong"))
            reply = await Exchange("GET", path).run(await started(app_over(store)))
            assert reply.status == 500
            assert b"wrong" not in reply.content

    run(main())
