"""`ais scrub`: what is unusual in buckets is counted, what is damaged on disk is found."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pexpect
import pytest

from aisle.cli.scrub import (
    FEW_COPIES,
    LARGE,
    NOT_CACHED,
    NOT_OK,
    OBJECTS,
    SMALL,
    WRONG_NODE,
    Names,
    Sizes,
    Tally,
)
from aisle.cli.scrub import WRONG_PATH as WRONG_MOUNTPATH
from aisle.cli.uri import Uri
from tests.cli.conftest import Ais, environment
from tests.harness import BIN, Node

BIG = 300_000  # more than is kept in the index


@pytest.fixture
def filled(ais: Ais, bck: str) -> str:
    """A bucket with objects of several sizes."""
    for name, size in (("a/empty", 0), ("a/small", 10), ("a/plain", 2048), ("b/large", 8192)):
        ais("put", "-", f"{bck}/{name}", input="x" * size)
    return bck


def blob_file(node: Node, body: bytes) -> Path:
    """The file in which the node keeps a body."""
    (found,) = (
        path
        for path in node.data.rglob("*")
        if path.is_file() and path.stat().st_size >= len(body) and body in path.read_bytes()
    )
    return found


def stored(ais: Ais, uri: str, tmp_path: Path) -> bytes:
    """Put an object that is a file on the node's disk."""
    body = os.urandom(BIG)
    (tmp_path / "body").write_bytes(body)
    ais("put", "body", uri)
    return body


def overwrite(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def test_the_table(ais: Ais, filled: str) -> None:
    assert ais("scrub", filled, "--large-size", "4KiB").stdout == (
        "BUCKET      OBJECTS        SMALL    LARGE\n"
        "ais://abc   4 (10.01KiB)   1 (0B)   1 (8.00KiB)\n"
    )
    shown = ais("scrub", filled, "--all-columns", "--units", "raw").stdout.splitlines()
    assert shown[0].split() == [
        *("BUCKET", "OBJECTS", "NOT-CACHED", "MISPLACED(cluster)", "MISPLACED(mountpath)"),
        *("MISSING-COPIES", "SMALL", "LARGE", "VER-CHANGED", "DELETED", "NOT-OK"),
    ]
    assert shown[1].split() == ["ais://abc", "4", "(10250)", *"----", "1", "(0)", *"----"]
    assert ais("storage", "validate", filled, "-H").stdout == (
        "ais://abc   4 (10.01KiB)   1 (0B)   -\n"
    )


def test_a_prefix_is_part_of_the_uri_or_an_option(ais: Ais, filled: str) -> None:
    expected = (
        "BUCKET/PREFIX   OBJECTS       SMALL     LARGE\nais://abc/a/    3 (2.01KiB)   2 (10B)   -\n"
    )
    assert ais("scrub", f"{filled}/a/", "--small-size", "10").stdout == expected
    assert ais("scrub", filled, "--prefix", "a/", "--small-size", "10").stdout == expected
    error = ais("scrub", f"{filled}/a/", "--prefix", "a/", code=1).stderr
    assert error == "Error: both ais://abc/a/ and --prefix name a prefix\n"


def test_names_are_told_if_they_are_asked_for(ais: Ais, filled: str) -> None:
    shown = ais("scrub", filled, "--small-size", "10", "-v").stdout
    assert shown.partition("\n\n")[2] == "SMALL:\n  ais://abc/a/empty\n  ais://abc/a/small\n"


def test_no_more_names_are_kept_than_anyone_reads(ais: Ais, bck: str, tmp_path: Path) -> None:
    (tmp_path / "many").mkdir()
    for number in range(103):
        (tmp_path / "many" / f"{number:03}").touch()
    ais("put", "-r", "many", bck)
    lines = ais("scrub", bck, "-v").stdout.splitlines()
    assert lines[1].split() == ["ais://abc", "103", "(0B)", "103", "(0B)", "-"]
    assert lines[-1] == "  ... and 3 more"
    assert sum(line.startswith("  ais://abc/") for line in lines) == 100


def test_several_buckets_and_all_of_them(ais: Ais, filled: str) -> None:
    ais("create", "ais://#ns/xyz", "ais://empty")
    rows = [line.split()[:2] for line in ais("scrub", "-H").stdout.splitlines()]
    assert rows == [["ais://abc", "4"], ["ais://empty", "-"], ["ais://#ns/xyz", "-"]]
    assert ais("scrub", "ais:", "-H").stdout == ais("scrub", "-H").stdout
    shown = ais("scrub", "ais://empty", f"{filled}/b", "ais://empty").stdout.splitlines()
    assert [line.split()[0] for line in shown] == ["BUCKET[/PREFIX]", "ais://empty", "ais://abc/b"]


def test_no_bucket_is_no_failure(ais: Ais) -> None:
    assert ais("scrub").stdout == ""
    assert json.loads(ais("scrub", "--json").stdout) == {"buckets": [], "names": {}}


def test_json_has_every_count(ais: Ais, filled: str) -> None:
    told = json.loads(ais("scrub", f"{filled}/a/", "--json", "--checksum", "--verbose").stdout)
    (row,) = told["buckets"]
    assert (row["bucket"], row["prefix"]) == ("ais://abc", "a/")
    assert row["objects"] == {"count": 3, "size": 2058}
    assert row["small"] == {"count": 1, "size": 0}
    assert row["bad-checksum"] == row["deleted"] == {"count": 0, "size": 0}
    assert told["names"] == {"small": ["ais://abc/a/empty"]}


def test_a_part_is_gone_over(ais: Ais, filled: str) -> None:
    def count(*words: str) -> str:
        return ais("scrub", filled, "-H", *words).stdout.split()[1]

    assert count("--limit", "3") == "3"
    assert count("--page-size", "1") == "4"
    assert count("--page-size", "1", "--max-pages", "2") == "2"
    ais("put", "-", f"{filled}/top", input="x")
    assert count("--nr") == "1"
    assert count("--cached") == "5"


def test_what_stands_for_a_directory_is_no_object(ais: Ais, own: Node, filled: str) -> None:
    for name, body in (("dir/", b""), ("full/", b"x")):
        own.client().put_object(Bucket="abc", Key=name, Body=body)
    assert ais("scrub", filled, "-H").stdout.split()[1] == "5"


def test_copies_that_a_bucket_wants_are_missed(ais: Ais, filled: str) -> None:
    ais("bucket", "props", "set", filled, "mirror.enabled=true")
    shown = ais("scrub", filled).stdout.splitlines()
    assert shown[0].split() == ["BUCKET", "OBJECTS", "MISSING-COPIES", "SMALL", "LARGE"]
    assert shown[1].split()[3] == "4"


def test_progress_is_told_on_stderr(ais: Ais, filled: str) -> None:
    done = ais("scrub", filled, "--page-size", "2", "--progress", "--refresh", "1ns", "--checksum")
    assert done.stderr.startswith("ais://abc: scrubbed 2 names\nais://abc: scrubbed 4 names\n")
    assert "SCRUB: 100%" in done.stderr
    assert ais("scrub", filled, "--checksum").stderr == ""


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["ais://none"], 'bucket "ais://none" does not exist'),
        (["ais://abc", "ais://none"], 'bucket "ais://none" does not exist'),
        (["abc"], "did you mean ais://abc?"),
        (["oc://abc"], 'there is no backend "oci" here'),
        (["--small-size", "much"], "--small-size and --large-size: expected a size"),
        (["--small-size", "2", "--large-size", "2"], "greater than --small-size"),
        (["--num-workers", "0"], "between 1 and 128"),
        (["--refresh", "soon"], "--refresh"),
    ],
)
def test_what_makes_no_sense_is_refused(ais: Ais, bck: str, words: list[str], text: str) -> None:
    done = ais("scrub", *words, code=1)
    assert text in done.stderr
    assert done.stdout == ""


# --- checksums --------------------------------------------------------------------------------


def test_damage_on_disk_is_found(ais: Ais, own: Node, filled: str, tmp_path: Path) -> None:
    body = stored(ais, f"{filled}/c/damaged", tmp_path)
    stored(ais, f"{filled}/c/whole", tmp_path)
    columns = ["BUCKET/PREFIX", "OBJECTS", "SMALL", "LARGE", *("NO-CHECKSUM", "BAD-CHECKSUM")]
    whole = ais("scrub", f"{filled}/c/", "--checksum", "--num-workers", "2").stdout.splitlines()
    assert whole[0].split() == [*columns, "UNREADABLE"]
    assert whole[1].split()[3:] == ["-"] * 5
    path = blob_file(own, body)
    overwrite(path, path.stat().st_size // 2, b"damaged")
    assert ais("scrub", filled).stderr == ""
    done = ais("scrub", f"{filled}/c/", "--checksum", "-H", code=1)
    assert done.stderr == "Error: 1 of 2 objects is damaged or cannot be read\n"
    table, _, names = done.stdout.partition("\n\n")
    assert table.split()[-4:] == ["-", "1", "(292.97KiB)", "-"]
    assert names == "BAD-CHECKSUM:\n  ais://abc/c/damaged\n"
    told = json.loads(ais("scrub", "--checksum", "--json", code=1).stdout)
    assert told["buckets"][0]["bad-checksum"] == {"count": 1, "size": BIG}
    assert told["names"] == {"bad-checksum": ["ais://abc/c/damaged"]}


def test_what_the_node_cannot_read_is_told_apart(
    ais: Ais, own: Node, bck: str, tmp_path: Path
) -> None:
    ais("bucket", "props", "set", bck, "checksum.validate_warm_get=true")
    first = blob_file(own, stored(ais, f"{bck}/broken", tmp_path))
    overwrite(first, first.stat().st_size // 2, b"damaged")
    blob_file(own, stored(ais, f"{bck}/gone", tmp_path)).unlink()
    os.truncate(blob_file(own, stored(ais, f"{bck}/short", tmp_path)), BIG // 2)
    ais("put", "-", f"{bck}/whole", input="whole")
    done = ais("scrub", bck, "--checksum", code=1)
    assert done.stdout.partition("\n\n")[2] == (
        "UNREADABLE:\n  ais://abc/broken\n  ais://abc/gone\n  ais://abc/short\n"
    )
    assert done.stderr == "Error: 3 of 4 objects are damaged or cannot be read\n"


def test_ctrl_c_ends_it(ais: Ais, own: Node, bck: str, tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(96 << 20)
    for name in "abc":
        ais("put", "large", f"{bck}/{name}")
    child = pexpect.spawn(
        str(BIN / "ais"),
        ["scrub", bck, "--checksum", "--progress"],
        env=environment(own, TERM="xterm"),
        encoding="utf-8",
        timeout=30,
    )
    child.expect("SCRUB: ")
    child.sendintr()
    child.expect(pexpect.EOF)
    child.close()
    assert "Traceback" not in (child.before or "")
    assert child.exitstatus in (130, 0)  # 0: all was read first


def test_objects_without_a_checksum_are_counted_apart(ais: Ais, bck: str) -> None:
    ais("bucket", "props", "set", bck, "checksum.type=none")
    ais("put", "-", f"{bck}/bare", input="bare")
    shown = ais("scrub", bck, "--checksum", "-v").stdout
    assert shown.splitlines()[1].split()[-4:] == ["1", "(4B)", "-", "-"]
    assert shown.endswith("NO-CHECKSUM:\n  ais://abc/bare\n")


# --- what is behind current objects ------------------------------------------------------------


def versioned(own: Node) -> Any:
    s3 = own.client()
    s3.create_bucket(Bucket="abc")
    status = {"Status": "Enabled"}
    s3.put_bucket_versioning(Bucket="abc", VersioningConfiguration=status)
    return s3


def test_noncurrent_versions_have_columns_of_their_own(ais: Ais, own: Node) -> None:
    s3 = versioned(own)
    for name in ("a/é &", "b"):
        for size in (1, 10, 100):
            s3.put_object(Bucket="abc", Key=name, Body=b"x" * size)
    s3.delete_object(Bucket="abc", Key="b")
    lines = ais("scrub", "ais://abc", "--versions", "--checksum", "--units", "raw").stdout
    heading, row = lines.splitlines()
    assert heading.split()[-5:] == [
        *("NONCURRENT", "DELETE-MARKERS", "NO-CHECKSUM", "BAD-CHECKSUM", "UNREADABLE")
    ]
    assert " ".join(row.split()) == "ais://abc 1 (100) - - 5 (122) 1 (0) - - -"
    assert "NONCURRENT" not in ais("scrub", "ais://abc").stdout
    told = json.loads(ais("scrub", "ais://abc/a/", "--versions", "--json", "-v").stdout)
    assert told["buckets"][0]["noncurrent"] == {"count": 2, "size": 11}
    assert all(
        name.startswith("ais://abc/a/é &?versionId=") for name in told["names"]["noncurrent"]
    )
    error = ais("scrub", "ais://abc", "--versions", "--limit", "1", code=1).stderr
    assert "--versions goes over all objects" in error


def test_a_noncurrent_version_that_is_damaged_is_found(ais: Ais, own: Node, tmp_path: Path) -> None:
    s3 = versioned(own)
    body = os.urandom(BIG)
    old = s3.put_object(Bucket="abc", Key="k", Body=body)["VersionId"]
    s3.put_object(Bucket="abc", Key="k", Body=b"new")
    overwrite(blob_file(own, body), 1000, b"damaged")
    assert ais("scrub", "ais://abc", "--checksum").stderr == ""
    done = ais("scrub", "ais://abc", "--versions", "--checksum", code=1)
    assert f"\nBAD-CHECKSUM:\n  ais://abc/k?versionId={old}\n" in done.stdout
    assert done.stderr == "Error: 1 of 2 objects is damaged or cannot be read\n"


# --- what no node of ours tells ---------------------------------------------------------------


def counted(tally: Tally) -> Iterator[tuple[str, int]]:
    return ((column, number) for column, number in tally.counts.items() if number)


@pytest.mark.parametrize(
    ("flags", "columns"),
    [
        (64, [OBJECTS, FEW_COPIES]),
        (0, [OBJECTS, NOT_CACHED]),
        (64 | 1, [OBJECTS, WRONG_NODE]),
        (64 | 2, [OBJECTS, WRONG_MOUNTPATH, FEW_COPIES]),
        (64 | 4, [OBJECTS, FEW_COPIES, NOT_OK]),
    ],
)
def test_the_status_of_an_entry_is_counted(flags: int, columns: list[str]) -> None:
    tally = Tally(Uri("ais", "abc"), Sizes(), Names(), copies=2)
    tally.listed({"name": "x", "size": 5, "flags": flags, "copies": 1})
    assert dict(counted(tally)) == dict.fromkeys(columns, 1)


def test_sizes_are_small_and_large_from_their_bounds_on() -> None:
    tally = Tally(Uri("ais", "abc"), Sizes(10, 20), Names())
    for size in (9, 10, 11, 19, 20, 21):
        tally.listed({"name": "x", "size": size, "flags": 64, "copies": 1})
    assert dict(counted(tally)) == {OBJECTS: 6, SMALL: 2, LARGE: 2}
