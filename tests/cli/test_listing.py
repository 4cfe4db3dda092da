"""`ais ls` and `ais bucket summary`: every table and every option."""

import io
import json
import re
import tarfile

import pytest

from tests.cli.conftest import Ais
from tests.harness import Node


@pytest.fixture
def filled(own: Node, bck: str) -> str:
    """A bucket with a few objects."""
    for name, size in (("a/1", 1), ("a/2", 20), ("b", 3000)):
        assert own.send("PUT", f"/v1/objects/abc/{name}", body=b"x" * size).status == 200
    return bck


@pytest.fixture
def many(own: Node, bck: str) -> str:
    """A bucket with twelve empty objects."""
    for number in range(12):
        assert own.send("PUT", f"/v1/objects/abc/n{number:02}").status == 200
    return bck


def test_buckets_of_namespaces_are_shown_with_theirs(ais: Ais) -> None:
    ais("create", "ais://abc", "ais://#ns/abc", "ais://#ns/xyz")
    everything = "AIS Buckets (3)\n  ais://abc\n  ais://#ns/abc\n  ais://#ns/xyz\n"
    assert ais("ls").stdout == ais("ls", "ais:", "--all").stdout == everything
    assert ais("ls", "ais://#ns").stdout == "AIS Buckets (2)\n  ais://#ns/abc\n  ais://#ns/xyz\n"
    ais("put", "-", "ais://#ns/abc/dir/key", input="x")
    assert ais("ls", "ais://#ns/abc", "-H").stdout == "dir/key   1B\n"
    assert ais("ls", "ais://#ns/abc/dir/", "-H").stdout == "dir/key   1B\n"
    assert ais("ls", "ais://abc").stdout == ""
    assert ais("ls", "ais://#ns", "-H").stdout == "  ais://#ns/abc\n  ais://#ns/xyz\n"
    assert ais("rmb", "ais://#ns/abc", "-y").stdout == '"ais://#ns/abc" destroyed\n'
    error = ais("ls", "ais://#ns/abc", code=1).stderr
    assert error == 'Error: bucket "ais://abc" does not exist in namespace "#ns"\n'
    ais("rmb", "ais://#ns/xyz")


def test_no_remote_cluster_has_buckets(ais: Ais, bck: str) -> None:
    assert ais("ls", "ais://@").stdout == "No buckets of remote clusters: none is attached\n"
    error = ais("ls", "ais://@alias/abc", code=1).stderr
    assert 'remote cluster "alias" is not attached' in error
    assert "is not attached" in ais("create", "ais://@uuid#ns/abc", code=1).stderr


def test_buckets_are_chosen_counted_and_shown_as_json(ais: Ais) -> None:
    ais("create", "ais://abc", "ais://abd", "ais://xyz")
    assert ais("ls", "--regex", "^ab").stdout == "AIS Buckets (2)\n  ais://abc\n  ais://abd\n"
    assert ais("ls", "--template", "ab{c..e}").stdout.startswith("AIS Buckets (2)\n")
    assert ais("ls", "--count-only").stdout == "AIS Buckets (3)\n"
    assert [row["name"] for row in json.loads(ais("ls", "--json").stdout)] == ["abc", "abd", "xyz"]


def test_a_summary_of_buckets(ais: Ais, filled: str) -> None:
    ais("create", "ais://empty")
    assert ais("ls", "--summary").stdout == (
        "NAME          PRESENT   OBJECTS   SIZE (apparent, objects, remote)   USAGE(%)\n"
        "ais://abc     yes       3 0       2.95KiB 2.95KiB 0B                 0%\n"
        "ais://empty   yes       0 0       0B 0B 0B                           0%\n"
        "Total: [AIS buckets: 2] ========\n"
    )
    assert ais("ls", filled, "--summary", "-H", "--units", "raw").stdout == (
        "ais://abc   yes   3 0   3021 3021 0   0%\n"
    )
    assert ais("ls", "ais:", "--summary", "-H", "-F").stdout.count("\n") == 2


def test_the_summary_of_a_bucket(ais: Ais, filled: str) -> None:
    heading = (
        "NAME        OBJECTS (cached, remote)   OBJECT SIZES (min, avg, max)   "
        "TOTAL OBJECT SIZE (cached, remote)   USAGE(%)\n"
    )
    cells = (
        "ais://abc   3 0                        1B 1007B 2.93KiB               "
        "2.95KiB 0B                           0%\n"
    )
    assert ais("bucket", "summary", filled).stdout == heading + cells
    assert ais("show", "bucket-summary").stdout == heading + cells
    shown = ais("bucket", "summary", f"{filled}/a/", "-H", "--units", "si").stdout
    assert shown == "ais://abc   2 0   1B 10B 20B   21B 0B   0%\n"
    (row,) = json.loads(ais("bucket", "summary", filled, "--prefix", "b", "--json").stdout)
    assert row["ObjCount"]["obj_count_present"] == "1"
    started = ais("bucket", "summary", filled, "--dont-wait").stdout
    assert re.fullmatch(
        r"summary\[(\w+)\] started. To monitor the progress, run 'ais show job \1'\n", started
    )
    assert "does not exist" in ais("bucket", "summary", "ais://none", code=1).stderr
    assert "both" in ais("bucket", "summary", f"{filled}/a", "--prefix", "b", code=1).stderr


def test_every_column(ais: Ais, filled: str) -> None:
    shown = ais("ls", filled, "--props", "all", "--prefix", "b").stdout.splitlines()
    assert shown[0].split() == [
        "NAME", "SIZE", "CHECKSUM", "ATIME", "VERSION", "LOCATION", "CUSTOM", "COPIES", "CACHED",
        "CHUNKED", "STATUS",
    ]  # fmt: skip
    assert re.fullmatch(
        r"b +2\.93KiB +[0-9a-f]{16} +\d\d \w{3} \d\d \d\d:\d\d UTC +1 +t\[\w+\] +map\[ETag:\w+\]"
        r" +1 +yes +no +ok",
        shown[1],
    )
    # As asked, but these three at the end.
    heading = ais("ls", filled, "--props", "status,cached,checksum,name,size,ec").stdout
    assert heading.split("\n")[0].split() == ["NAME", "CHECKSUM", "SIZE", "EC", "CACHED", "STATUS"]
    assert "no column nonsense" in ais("ls", filled, "--props", "nonsense", code=1).stderr


def test_names_alone_and_sizes_in_other_units(ais: Ais, filled: str) -> None:
    assert ais("ls", filled, "--name-only").stdout == "a/1\na/2\nb\n"
    assert ais("ls", filled, "--prefix", "b", "-H", "--units", "si").stdout == "b   3.00KB\n"
    assert ais("ls", filled, "--prefix", "b", "-H", "--units", "raw").stdout == "b   3000\n"
    assert "invalid choice" in ais("ls", filled, "--units", "miles", code=1).stderr


def test_one_level_at_a_time(ais: Ais, filled: str) -> None:
    assert ais("ls", filled, "--nr", "-H").stdout == "a/\nb    2.93KiB\n"
    assert ais("ls", filled, "--non-recursive", "--no-dirs", "-H").stdout == "b   2.93KiB\n"
    assert ais("ls", f"{filled}/a/", "--nr", "-H").stdout == "a/1   1B\na/2   20B\n"


def test_the_files_in_archives_are_shown_below_them(ais: Ais, filled: str, own: Node) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name in ("one.txt", "dir/two.txt"):
            member = tarfile.TarInfo(name)
            member.size = 5
            archive.addfile(member, io.BytesIO(b"hello"))
    assert own.send("PUT", "/v1/objects/abc/a/s.tar", body=packed.getvalue()).status == 200
    assert ais("ls", filled, "--archive", "--prefix", "a/").stdout.splitlines() == [
        "NAME                      SIZE",
        "a/1                       1B",
        "a/2                       20B",
        "a/s.tar                   10.00KiB",
        "    a/s.tar/dir/two.txt   5B",
        "    a/s.tar/one.txt       5B",
    ]
    assert ais("ls", f"{filled}/a/s.tar/dir", "--archive", "-H").stdout == (
        "    a/s.tar/dir/two.txt   5B\n"
    )


def test_flags_for_remote_buckets_are_taken(ais: Ais, filled: str) -> None:
    plain = ais("ls", filled).stdout
    for flag in ("--cached", "--all", "--skip-lookup", "--dont-add", "--silent", "--paged"):
        assert ais("ls", filled, flag).stdout == plain
    assert ais("ls", filled, "--not-cached").stdout == ""
    assert ais("ls", filled, "--diff", "-H", "--prefix", "b").stdout == "b   2.93KiB   ok\n"
    for words in (["--inventory"], ["--inv-name", "x"], ["--inv-id", "x"]):
        error = ais("ls", filled, *words, code=1).stderr
        assert error == "Error: a bucket inventory is of a remote bucket: this one has none\n"
    error = ais("ls", "ais:", "--inventory", code=1).stderr
    assert error == "Error: --inventory: it is the objects of a bucket that an inventory lists\n"


def test_more_than_ten_names_are_counted_below(ais: Ais, many: str) -> None:
    lines = ais("ls", many).stdout.splitlines()
    assert lines[0].split() == ["NAME", "SIZE"]
    assert lines[-1] == "Listed 12 names"
    assert len(lines) == 14
    assert len(ais("ls", many, "-H", "-F").stdout.splitlines()) == 12
    assert "Listed" not in ais("ls", many, "--limit", "10").stdout
    counted = ais("ls", many, "--count-only").stdout
    assert re.fullmatch(r"Listed 12 names in \d+\.\d\ds\n", counted)


def test_a_listing_has_pages_and_ends(ais: Ais, many: str) -> None:
    names = [f"n{number:02}" for number in range(12)]
    assert ais("ls", many, "--name-only", "-F", "--page-size", "5").stdout.split() == names
    shown = ais("ls", many, "--name-only", "-F", "--page-size", "5", "--max-pages", "2").stdout
    assert shown.split() == names[:10]
    shown = ais("ls", many, "--name-only", "--page-size", "5", "--limit", "7").stdout
    assert shown.split() == names[:7]
    assert ais("ls", many, "--name-only", "--start-after", "n09").stdout.split() == names[10:]
    for flag in ("--limit", "--page-size", "--max-pages"):
        assert "is not a number" in ais("ls", many, flag, "x", code=1).stderr


def test_names_are_chosen_by_expression_and_by_template(ais: Ais, many: str) -> None:
    def names(*words: str) -> list[str]:
        return ais("ls", many, "--name-only", "-F", *words).stdout.split()

    assert names("--regex", "[13]$") == ["n01", "n03", "n11"]
    assert names("--regex", "[13]$", "--limit", "2", "--page-size", "2") == ["n01", "n03"]
    assert names("--template", "n{02..06..2}") == ["n02", "n04", "n06"]
    assert names("--template", "n1") == ["n10", "n11"]
    assert names("--template", "n1", "--prefix", "n") == ["n10", "n11"]
    assert names("--template", "n", "--prefix", "n1") == ["n10", "n11"]
    shown = ais("ls", many, "--name-only", "--regex", "^n0", "--show-unmatched").stdout
    assert shown.endswith("Unmatched names:\n  n10\n  n11\n")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--regex", "("], "is not a regular expression"),
        (["--template", "{1..2"], "bad template"),
        (["--regex", "a", "--template", "b"], "cannot be used together"),
        (["--template", "a", "--prefix", "b"], "no name begins with both"),
        (["--refresh", "soon"], "is not a time"),
        (["--no-such-flag"], "no option"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    ais: Ais, bck: str, words: list[str], text: str
) -> None:
    assert text in ais("ls", bck, *words, code=1).stderr


def test_objects_as_json(ais: Ais, many: str, filled: str) -> None:
    found = json.loads(ais("ls", many, "--json", "--page-size", "5").stdout)
    assert [entry["name"] for entry in found][:3] == ["a/1", "a/2", "b"]
    assert len(found) == 15
    assert json.loads(ais("ls", many, "--json", "--prefix", "none").stdout) == []


def test_how_many_so_far_is_told_apart_from_the_names(ais: Ais, many: str) -> None:
    done = ais("ls", many, "--name-only", "-F", "--page-size", "5", "--refresh", "1ns")
    assert done.stdout.count("\n") == 12
    assert done.stderr == "Listed 5 names\nListed 10 names\nListed 12 names\n"
