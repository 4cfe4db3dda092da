"""rclone: copy, check, list and purge, and a file in small parts."""

from __future__ import annotations

import json
import os
from typing import Any

from tests.clients.tools import MIB, Shell, digest, tree_digests
from tests.harness import Node


def run(shell: Shell, *command: str) -> str:
    return shell.run("rclone", *command).stdout


def test_a_tree_is_copied_checked_listed_and_purged(
    rclone: Shell, any_node: Node, name: str
) -> None:
    tree = {
        "a.txt": b"a",
        "empty": b"",
        "d/b.bin": os.urandom(200_000),
        "d/e/ü ö+%&.txt": b"c",
        "x;y=z/q?": b"odd",
    }
    for path, data in tree.items():
        rclone.file(f"tree/{path}", data)
    run(rclone, "mkdir", f"ais:{name}")
    run(rclone, "copy", "tree", f"ais:{name}/t")
    run(rclone, "check", "--download", "tree", f"ais:{name}/t")
    run(rclone, "check", "tree", f"ais:{name}/t")  # by MD5, that is by ETag
    listed: list[dict[str, Any]] = json.loads(
        run(rclone, "lsjson", "--recursive", "--files-only", "--hash", f"ais:{name}/t")
    )
    assert {entry["Path"]: entry["Size"] for entry in listed} == {
        path: len(data) for path, data in tree.items()
    }
    assert all(len(entry["Hashes"]["md5"]) == 32 for entry in listed)
    run(rclone, "copy", f"ais:{name}/t", "back")
    assert tree_digests(rclone.home / "back") == tree_digests(rclone.home / "tree")
    run(rclone, "moveto", f"ais:{name}/t/a.txt", f"ais:{name}/t/moved.txt")
    run(rclone, "sync", "tree", f"ais:{name}/t")
    run(rclone, "check", "tree", f"ais:{name}/t")
    run(rclone, "purge", f"ais:{name}")
    assert name not in run(rclone, "lsd", "ais:")


def test_modification_times_survive(rclone: Shell, any_node: Node, name: str) -> None:
    """rclone keeps them as user metadata and changes them by a copy onto itself."""
    path = rclone.file("f.txt", b"hello")
    os.utime(path, (1_500_000_000, 1_500_000_000))
    run(rclone, "mkdir", f"ais:{name}")
    run(rclone, "copy", "f.txt", f"ais:{name}")
    listed = json.loads(run(rclone, "lsjson", f"ais:{name}"))
    assert listed[0]["ModTime"].startswith("2017-07-14T02:40:00")
    os.utime(path, (1_600_000_000, 1_600_000_000))
    run(rclone, "copy", "f.txt", f"ais:{name}")
    listed = json.loads(run(rclone, "lsjson", f"ais:{name}"))
    assert listed[0]["ModTime"].startswith("2020-09-13T12:26:40")


def test_a_file_goes_in_small_parts(rclone: Shell, any_node: Node, name: str) -> None:
    path = rclone.file("large.bin", os.urandom(MIB) * 23)
    run(rclone, "mkdir", f"ais:{name}")
    run(
        rclone, "copy", "--s3-upload-cutoff", "5Mi", "--s3-chunk-size", "5Mi",
        "--s3-upload-concurrency", "4", "large.bin", f"ais:{name}",
    )  # fmt: skip
    head = any_node.client().head_object(Bucket=name, Key="large.bin")
    assert head["ETag"].endswith('-5"')
    run(rclone, "copyto", f"ais:{name}/large.bin", "back.bin")
    assert digest(rclone.home / "back.bin") == digest(path)


def test_a_stream_of_unknown_length_is_stored(rclone: Shell, any_node: Node, name: str) -> None:
    run(rclone, "mkdir", f"ais:{name}")
    rclone.run("rclone", "rcat", f"ais:{name}/piped", stdin="from a pipe")
    assert run(rclone, "cat", f"ais:{name}/piped") == "from a pipe"
