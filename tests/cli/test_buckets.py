"""`ais ls`, `create`, `bucket show`, `bucket props` and `bucket rm`."""

import json

import pytest

from tests.cli.conftest import Ais


def test_buckets_are_listed_by_provider(ais: Ais) -> None:
    ais("create", "ais://b", "ais://a")
    for words in (["ls"], ["ls", "ais:"], ["ls", "ais://"], ["bucket", "ls"]):
        assert ais(*words).stdout == "AIS Buckets (2)\n  ais://a\n  ais://b\n"
    assert ais("ls", "s3:").stdout == ""


def test_creating_what_there_is_fails(ais: Ais, bck: str) -> None:
    error = ais("create", bck, code=1).stderr
    assert error == 'Error: bucket "ais://abc" already exists\n'


@pytest.mark.parametrize(
    ("uri", "text"),
    [
        ("abc", "did you mean ais://abc?"),
        ("ais://abc/x", "not the URI of a bucket"),
        ("ais://", "not the URI of a bucket"),
        ("ais://a b", "bucket name"),
        ("nope://abc", 'invalid backend provider "nope"'),
        ("s3://abc", "provider aws are not supported yet"),
        ("ais://@uuid#ns/abc", "namespaces are not supported"),
    ],
)
def test_bad_buckets_are_refused(ais: Ais, uri: str, text: str) -> None:
    assert text in ais("create", uri, code=1).stderr


def test_buckets_of_other_providers_do_not_exist(ais: Ais, bck: str) -> None:
    error = ais("ls", "s3://abc", code=1).stderr
    assert error == 'Error: bucket "aws://abc" does not exist\n'


def test_columns_and_prefixes(ais: Ais, bck: str) -> None:
    for name in ("a/1", "a/2", "b"):
        ais("put", "-", f"{bck}/{name}", input=name)
    shown = ais("ls", bck, "--props", "checksum,size,atime").stdout.splitlines()
    assert shown[0].split() == ["NAME", "CHECKSUM", "SIZE", "ATIME"]
    assert len(shown[1].split()) == 3 + 5
    assert ais("ls", bck, "--props", "all").stdout.split()[:9] == [
        "NAME", "SIZE", "CHECKSUM", "ATIME", "VERSION", "CUSTOM", "COPIES", "CACHED", "STATUS"
    ]  # fmt: skip
    assert ais("ls", bck, "--props", "name", "-H").stdout == "a/1\na/2\nb\n"
    assert ais("ls", bck, "--prefix", "a/", "-H").stdout == "a/1   3B\na/2   3B\n"
    assert ais("ls", f"{bck}/a/", "-H").stdout == "a/1   3B\na/2   3B\n"
    assert ais("ls", bck, "--nr", "-H").stdout == "a/\nb    1B\n"
    assert ais("ls", bck, "--start-after", "a/1", "--limit", "1", "-H").stdout == "a/2   3B\n"
    assert "no column nonsense" in ais("ls", bck, "--props", "nonsense", code=1).stderr
    assert "both" in ais("ls", f"{bck}/a", "--prefix", "b", code=1).stderr


def test_names_cannot_act_on_the_terminal(ais: Ais, bck: str) -> None:
    ais("put", "-", f"{bck}/evil\x1b[2J\nname", input="x")
    assert ais("ls", bck, "-H").stdout == "evil\\x1b[2J\\nname   1B\n"


def test_props_are_set_shown_and_reset(ais: Ais, bck: str) -> None:
    done = ais("bucket", "props", "set", bck, "checksum.type=md5", "mirror.copies=3")
    assert done.stdout.splitlines() == [
        "Bucket props successfully updated",
        '"checksum.type" set to: "md5" (was: "xxhash")',
        '"mirror.copies" set to: "3" (was: "2")',
    ]
    assert done.stderr == "Note: mirror.copies has no effect in this release\n"
    again = ais("bucket", "props", "set", bck, "checksum.type=md5").stdout
    assert again == 'Bucket "ais://abc" already has the set props, nothing to do\n'
    done = ais("bucket", "props", "set", bck, '{"checksum": {"type": "sha256"}}')
    assert '"checksum.type" set to: "sha256" (was: "md5")' in done.stdout
    shown = ais("bucket", "props", "show", bck, "mirror", "-H").stdout.split()
    assert shown == ["mirror.enabled", "false", "mirror.copies", "3", "mirror.burst_buffer", "128"]
    nested = json.loads(ais("bucket", "props", "show", bck, "--json").stdout)
    assert nested["checksum"]["type"] == "sha256"
    done = ais("bucket", "props", "reset", bck)
    assert done.stdout.splitlines()[0] == "Bucket props successfully reset"
    assert '"mirror.copies" set to: "2" (was: "3")' in done.stdout


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["set", "ais://abc", "checksum.type=rot13"], "expected one of"),
        (["set", "ais://abc", "nonsense=1"], "no setting 'nonsense'"),
        (["set", "ais://abc", "checksum.type"], "not of the form name=value"),
        (["set", "ais://abc", "{"], "not JSON"),
        (["show", "ais://abc", "nonsense"], 'no setting or section "nonsense"'),
        (["ais://none", "checksum.type=md5"], 'bucket "ais://none" does not exist'),
        (["ais://none"], 'bucket "ais://none" does not exist'),
    ],
)
def test_props_that_make_no_sense_are_refused(
    ais: Ais, bck: str, words: list[str], text: str
) -> None:
    assert text in ais("bucket", "props", *words, code=1).stderr


def test_a_bucket_with_objects_is_removed_only_on_purpose(ais: Ais, bck: str) -> None:
    ais("put", "-", f"{bck}/x", input="x")
    assert "--yes" in ais("bucket", "rm", bck, code=1).stderr
    assert ais("ls").stdout == "AIS Buckets (1)\n  ais://abc\n"
    assert ais("bucket", "rm", bck, "--yes").stdout == '"ais://abc" destroyed\n'
    assert ais("rmb", bck, code=1).stderr == 'Error: bucket "ais://abc" does not exist\n'
