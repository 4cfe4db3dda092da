"""The process that writes an inventory is killed in the middle: another one goes on, and what it
leaves is one whole inventory, in which every object stands once."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from tests.crash.test_jobs import COPIES, FEW, Site, until
from tests.harness import Node, is_gone

DAY = "3s"
PATIENCE = 90.0
CONFIGURATION: dict[str, Any] = {
    "Id": "all",
    "IsEnabled": True,
    "IncludedObjectVersions": "Current",
    "Schedule": {"Frequency": "Daily"},
    "OptionalFields": ["Size"],
    "Destination": {"S3BucketDestination": {"Bucket": "arn:aws:s3:::lists", "Format": "CSV"}},
}


@pytest.fixture
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A node with a bucket of some thousands of objects, whose days are short."""
    node = Node(tmp_path_factory.mktemp("inventories") / "data", auth=False, workers=2).start()
    try:
        made = Site(node)
        for name in ("few", "many", "lists"):
            made.act("POST", f"/v1/buckets/{name}", "create-bck")
        for number in range(FEW):
            target = f"/v1/objects/few/{number:04}"
            body = b"x" * (number + 1)
            assert node.send("PUT", target, body=body, signed=False).status == 200
        for job in [made.copy("few", "many", prepend=f"{n:02}-") for n in range(COPIES)]:
            until(lambda job=job: made.is_over(job))  # type: ignore[misc]
        made.act("PUT", f"/v1/cluster/set-config?inventory.day={DAY}")
        yield made
    finally:
        node.kill()


def jobs(site: Site) -> list[str]:
    log = site.node.log.read_text(errors="replace")
    return re.findall(r'job (\S+) writes inventory "all"', log)


def killed_in_the_middle(site: Site) -> str:
    """A job whose first process was killed before it was done."""
    seen: set[str] = set()
    deadline = time.monotonic() + PATIENCE
    while True:
        assert time.monotonic() < deadline, "no job was met in the middle"
        for job in set(jobs(site)) - seen:
            if not (processes := site.processes(job)):
                continue
            seen.add(job)
            with suppress(ProcessLookupError):
                os.kill(processes[0], signal.SIGKILL)
            until(lambda pid=processes[0]: is_gone(pid))  # type: ignore[misc]
            until(lambda job=job: site.is_over(job))  # type: ignore[misc]
            if len(site.processes(job)) > 1:
                return job
        time.sleep(0.002)


def test_an_inventory_whose_writer_is_killed_is_whole(site: Site) -> None:
    s3 = site.node.client()
    s3.put_bucket_inventory_configuration(
        Bucket="many", Id="all", InventoryConfiguration=CONFIGURATION
    )
    job = killed_in_the_middle(site)
    snap = site.snap(job)
    assert (snap["aborted"], snap["abort-err"]) == (False, "")

    def read(key: str) -> bytes:
        body: bytes = s3.get_object(Bucket="lists", Key=key)["Body"].read()
        return body

    pages = s3.get_paginator("list_objects_v2").paginate(Bucket="lists")
    kept = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
    manifests = [key for key in kept if key.endswith("/manifest.json")]
    assert manifests
    wanted = {name: int(size) for name, size in site.sizes("many").items()}
    for key in manifests:
        told = read(key)
        checksum = key.replace("manifest.json", "manifest.checksum")
        assert read(checksum).decode().strip() == hashlib.md5(told).hexdigest()
        rows: list[tuple[str, int]] = []
        for file in json.loads(told)["files"]:
            data = read(file["key"])
            assert hashlib.md5(data).hexdigest() == file["MD5checksum"]
            text = gzip.decompress(data).decode()
            rows += [(row[1], int(row[2])) for row in csv.reader(io.StringIO(text))]
        assert len(rows) == len(dict(rows)) == FEW * COPIES
        assert dict(rows) == wanted
