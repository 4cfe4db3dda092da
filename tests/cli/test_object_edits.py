"""`ais object show`, `mv`, `set-custom`, `cat`, `concat` and `ais mpu`."""

import hashlib
import json
import os
from pathlib import Path

import pytest

from tests.cli.conftest import Ais


@pytest.fixture
def obj(ais: Ais, bck: str) -> str:
    """An object of five bytes."""
    ais("put", "-", f"{bck}/dir/name", input="12345")
    return f"{bck}/dir/name"


# --- show -----------------------------------------------------------------------------------


def test_show_prints_every_property(ais: Ais, obj: str) -> None:
    lines = ais("object", "show", obj, "--all").stdout.splitlines()
    assert lines[0] == "PROPERTY         VALUE"
    rows = dict(line.split(None, 1) for line in lines[1:])
    assert list(rows) == sorted(rows)
    assert rows["checksum"].startswith("xxhash[")
    assert rows["custom"] == f"map[ETag:{hashlib.md5(b'12345').hexdigest()}]"
    assert rows["location"].startswith("t[t")
    expected = {
        "cached": "yes",
        "copies": "1",
        "ec": "-",
        "name": obj,
        "size": "5B",
        "version": "1",
    }
    assert expected.items() <= rows.items()
    assert ais("show", "object", obj, "--props", "all").stdout.splitlines() == lines


def test_show_prints_the_properties_that_are_asked_for(ais: Ais, obj: str) -> None:
    shown = ais("object", "show", obj, "--props", "size, version", "-H", "--units", "raw").stdout
    assert shown.split() == ["size", "5", "version", "1"]
    assert "colour" in ais("object", "show", obj, "--props", "colour", code=1).stderr


def test_show_prints_json_for_programs(ais: Ais, obj: str) -> None:
    ais("object", "set-custom", obj, "a=b")
    told = json.loads(ais("object", "show", obj, "--all", "--json").stdout)
    assert (told["name"], told["size"], told["version"], told["cached"]) == (obj, 5, "1", True)
    assert told["checksum"]["type"] == "xxhash"
    assert told["custom"] == {"a": "b"}


# --- mv, set-custom, cat ---------------------------------------------------------------------


def test_an_object_moves_to_another_name(ais: Ais, obj: str, bck: str) -> None:
    assert ais("object", "mv", obj, "other").stdout == '"dir/name" moved to "other"\n'
    assert ais("object", "cat", f"{bck}/other").stdout == "12345"
    ais("object", "mv", f"{bck}/other", f"{bck}/a b")
    assert ais("ls", bck, "-H").stdout.split()[:2] == ["a", "b"]


def test_a_move_that_cannot_be(ais: Ais, obj: str, bck: str) -> None:
    assert "another bucket" in ais("object", "mv", obj, "ais://xyz/name", code=1).stderr
    assert "the same" in ais("object", "mv", obj, "dir/name", code=1).stderr
    assert "does not exist" in ais("object", "mv", f"{bck}/absent", "x", code=1).stderr


def test_custom_properties_are_pairs_or_json(ais: Ais, obj: str) -> None:
    done = ais("object", "set-custom", obj, "one=1", "two = a=b")
    assert done.stdout == (
        "Custom props successfully updated (to show updates, run"
        f" 'ais show object {obj} --props=all').\n"
    )
    ais("object", "set-custom", obj, '{"three": "drei"}')

    def custom() -> object:
        return json.loads(ais("object", "show", obj, "--props", "custom", "--json").stdout)[
            "custom"
        ]

    assert custom() == {"one": "1", "two": "a=b", "three": "drei"}
    ais("object", "set-custom", obj, "only=é", "--set-new-custom")
    assert custom() == {"only": "é"}


@pytest.mark.parametrize("words", [["x"], ["=x"], ["{bad"], ['{"a": 1}'], ["a b=c"]])
def test_custom_properties_that_make_no_sense(ais: Ais, obj: str, words: list[str]) -> None:
    ais("object", "set-custom", obj, *words, code=1)


def test_cat_prints_objects_and_parts_of_them(ais: Ais, obj: str) -> None:
    assert ais("object", "cat", obj, obj).stdout == "1234512345"
    assert ais("object", "cat", obj, "--offset", "1", "--length", "3").stdout == "234"
    assert ais("object", "cat", obj, "--length", "2").stdout == "12"
    assert "at least 1" in ais("object", "cat", obj, "--length", "0", code=1).stderr


# --- concat ---------------------------------------------------------------------------------


def test_files_and_directories_become_one_object(ais: Ais, bck: str, tmp_path: Path) -> None:
    (tmp_path / "logs" / "deep").mkdir(parents=True)
    for name, text in (("b", "B"), ("a", "A"), ("deep/c", "C")):
        (tmp_path / "logs" / name).write_text(text)
    (tmp_path / "last").write_bytes(bytes(20_000_000))
    done = ais("object", "concat", "logs", "last", f"{bck}/all")
    assert done.stdout == f"Created {bck}/all (size 19.07MiB)\n"
    assert ais("object", "cat", f"{bck}/all", "--length", "3").stdout == "AB\0"
    ais("object", "concat", "-r", "logs", f"{bck}/deep")
    ais("object", "concat", "-", f"{bck}/deep", input="...")
    assert ais("object", "cat", f"{bck}/deep").stdout == "ABC..."


def test_an_empty_file_makes_an_empty_object(ais: Ais, bck: str, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    ais("object", "concat", "empty", f"{bck}/x")
    assert ais("object", "cat", f"{bck}/x").stdout == ""


def test_nothing_to_concatenate(ais: Ais, bck: str, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    assert "no file" in ais("object", "concat", "none", f"{bck}/x", code=1).stderr
    assert "missing" in ais("object", "concat", "missing", f"{bck}/x", code=1).stderr
    assert ais("ls", bck).stdout == ""


# --- mpu ------------------------------------------------------------------------------------


def begin(ais: Ais, uri: str) -> str:
    shown = ais("mpu", "create", uri).stdout
    assert shown.startswith("Upload ID: ")
    return shown.split()[-1]


def test_parts_become_an_object(ais: Ais, bck: str, tmp_path: Path) -> None:
    uri, large = f"{bck}/large", os.urandom(3_000_000)
    (tmp_path / "one").write_bytes(large)
    (tmp_path / "two").write_text("the end")
    upload = begin(ais, uri)
    shown = ais("mpu", "put-part", uri, upload, "2", "two", "--verbose").stdout
    assert shown == (
        f"Uploading part 2 from two (7B)...\nUploaded part 2 for {uri} (upload ID: {upload})\n"
    )
    ais("object", "mpu", "put-part", uri, "--upload-id", upload, "--part-number", "1", "one")
    shown = ais("mpu", "complete", uri, upload, "1,2", "-v").stdout
    assert shown == (
        f"Completing multipart upload for {uri} with 2 parts...\n"
        f"Successfully completed multipart upload for {uri}\n"
    )
    ais("get", uri, "copy")
    assert (tmp_path / "copy").read_bytes() == large + b"the end"


def test_an_aborted_upload_is_gone(ais: Ais, bck: str, tmp_path: Path) -> None:
    uri = f"{bck}/large"
    (tmp_path / "one").write_text("x")
    upload = begin(ais, uri)
    shown = ais("object", "multipart-upload", "abort", uri, upload, "-v").stdout
    assert shown.endswith(f"Successfully aborted multipart upload for {uri}\n")
    refused = ais("mpu", "put-part", uri, upload, "1", "one", code=1).stderr
    assert "does not exist" in refused


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["complete", "ID", "1,x"], "not a list"),
        (["complete", "ID"], "part numbers is missing"),
        (["complete", "ID", "1", "2"], "too many"),
        (["abort"], "upload id is missing"),
        (["put-part", "ID", "1", "no-such-file"], "No such file"),
        (["put-part", "ID"], "part number is missing"),
    ],
)
def test_what_is_missing_is_named(ais: Ais, bck: str, words: list[str], text: str) -> None:
    assert text in ais("mpu", words[0], f"{bck}/x", *words[1:], code=1).stderr
