"""Real amounts: a directory tree of thousands of files, and one object of 2 GiB."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

from boto3.s3.transfer import TransferConfig

from tests.clients.tools import (
    MIB,
    Shell,
    copy_standard_library,
    rclone_environment,
    tree_digests,
)
from tests.harness import Node

GIB = 1024 * MIB


def test_a_tree_of_2000_files_comes_back_as_it_was(
    tmp_path: Path, node: Node, s3: Any, bucket: str
) -> None:
    shell = Shell(tmp_path, rclone_environment(node))
    count = copy_standard_library(tmp_path / "tree", atleast=2000)
    copy = ("rclone", "copy", "--transfers", "8", "--checkers", "8", "--s3-no-check-bucket")
    shell.run(*copy, "tree", f"ais:{bucket}/tree", timeout=240)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="tree/")
    sizes = {entry["Key"]: entry["Size"] for page in pages for entry in page["Contents"]}
    assert sizes == {
        f"tree/{path.relative_to(tmp_path / 'tree')}": path.stat().st_size
        for path in (tmp_path / "tree").rglob("*")
        if path.is_file()
    }
    assert len(sizes) == count
    shell.run(*copy, f"ais:{bucket}/tree", "back", timeout=240)
    assert tree_digests(tmp_path / "back") == tree_digests(tmp_path / "tree")
    shell.run("rclone", "delete", f"ais:{bucket}/tree", timeout=240)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_an_object_of_2_gib_comes_back_as_it_was(tmp_path: Path, s3: Any, bucket: str) -> None:
    """Every mebibyte differs from the others, so that none can be lost, doubled or swapped."""
    block = os.urandom(MIB - 8)
    sent = hashlib.sha256()
    source = tmp_path / "2gib"
    try:
        with source.open("wb") as file:
            for number in range(2 * GIB // MIB):
                piece = number.to_bytes(8, "big") + block
                sent.update(piece)
                file.write(piece)
        config = TransferConfig(multipart_chunksize=64 * MIB, max_concurrency=4)
        s3.upload_file(str(source), bucket, "2gib", Config=config)
    finally:
        source.unlink()
    head = s3.head_object(Bucket=bucket, Key="2gib")
    assert (head["ContentLength"], head["ETag"][-4:]) == (2 * GIB, '-32"')
    got = hashlib.sha256()
    for piece in s3.get_object(Bucket=bucket, Key="2gib")["Body"].iter_chunks(4 * MIB):
        got.update(piece)
    assert got.hexdigest() == sent.hexdigest()
    s3.delete_object(Bucket=bucket, Key="2gib")
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
