"""A bucket for blobs: a second real Aisle node, with authorisation on.

One is `shared` by all tests of a process, each of which has a store of its own in the bucket;
tests that stop and kill a server make their own `S3Server`.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.harness import ACCESS_KEY, SECRET_KEY, Node

BUCKET = "blobs"
KEYS = {"access_key": ACCESS_KEY, "secret_key": SECRET_KEY}


class S3Server(Node):
    """A node that has the bucket; `start`, `kill` and `restart` as any other."""

    def __init__(self, data: Path, *, options: Sequence[str] = ()) -> None:
        super().__init__(data, workers=1, options=options)

    def start(self) -> S3Server:
        super().start()
        with contextlib.closing(self.client()) as client:
            if BUCKET not in [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]:
                client.create_bucket(Bucket=BUCKET)
        return self

    def url(self, prefix: str = "", *, bucket: str = BUCKET, **options: str) -> str:
        """What an engine is told; its keys are `KEYS`."""
        pairs = {"endpoint": self.root, **options}
        query = "&".join(f"{name}={quote(value, safe='')}" for name, value in pairs.items())
        return f"s3://{bucket}{'/' if prefix else ''}{prefix}?{query}"

    def keys(self, prefix: str = "") -> list[str]:
        """What a client sees in the bucket below `prefix`."""
        client = self.client()
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def uploads(self, prefix: str = "") -> list[dict[str, Any]]:
        """The uploads that were not completed."""
        pages = self.client().get_paginator("list_multipart_uploads")
        found = pages.paginate(Bucket=BUCKET, Prefix=prefix)
        return [upload for page in found for upload in page.get("Uploads", [])]


@functools.cache
def shared() -> S3Server:
    """One server for everything that this process tests; it ends with the process."""
    directory = Path(tempfile.mkdtemp(prefix="aisle-s3-"))
    server = S3Server(directory / "data")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    atexit.register(server.kill)
    return server.start()
