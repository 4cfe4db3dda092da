"""`ais ml get-batch`: many objects as one local archive."""

import json
from pathlib import Path

import pytest

from tests.archives import FILES, files_of, tar_of
from tests.cli.conftest import Ais

KINDS = ("a.tar", "a.tgz", "a.tar.gz", "a.tar.lz4", "a.zip")


@pytest.fixture
def full(ais: Ais, tmp_path: Path) -> str:
    """A bucket with `dir/1` to `dir/3`, `other` and a shard."""
    bucket = "abc"
    ais("create", f"ais://{bucket}")
    for name in ("dir/1", "dir/2", "dir/3", "other"):
        ais("put", "-", f"ais://{bucket}/{name}", input=name)
    (tmp_path / "shard.tar").write_bytes(tar_of(FILES))
    ais("put", "shard.tar", f"ais://{bucket}")
    return bucket


def contents(tmp_path: Path, name: str) -> dict[str, bytes]:
    return dict(files_of(name, (tmp_path / name).read_bytes()))


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("streams", [True, False])
def test_an_archive_of_every_kind(
    ais: Ais, full: str, tmp_path: Path, name: str, streams: bool
) -> None:
    sources = [f"ais://{full}/dir/", f"ais://{full}/shard.tar/dir/one.txt", f"ais://{full}/other"]
    more = ["--streaming"] if streams else []
    done = ais("ml", "get-batch", *sources, name, "--omit-src-bck", *more)
    assert done.stdout.startswith(f"GET 5 entries => {name} (")
    assert list(contents(tmp_path, name).items()) == [
        *((f"dir/{number}", f"dir/{number}".encode()) for number in (1, 2, 3)),
        ("shard.tar/dir/one.txt", b"one"),
        ("other", b"other"),
    ]


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["ais://{}", "--list", "other, dir/2"], ["other", "dir/2"]),
        (["ais://{}", "--template", "dir/{{1..3..2}}"], ["dir/1", "dir/3"]),
        (["ais://{}", "--prefix", "dir/"], ["dir/1", "dir/2", "dir/3"]),
        (["ais://{}/dir/{{3..2}}"], ["dir/3", "dir/2"]),
        (["ais://{}"], ["dir/1", "dir/2", "dir/3", "other", "shard.tar"]),
    ],
)
def test_what_to_get_of_a_bucket(
    ais: Ais, full: str, tmp_path: Path, words: list[str], names: list[str]
) -> None:
    ais("ml", "get-batch", *(word.format(full) for word in words), "a.tar", "--nv")
    assert list(contents(tmp_path, "a.tar")) == [f"{full}/{name}" for name in names]


def test_a_specification_says_it_all(ais: Ais, full: str, tmp_path: Path) -> None:
    spec = {"in": [{"objname": "other", "start": 1, "length": 3}], "onob": True}
    (tmp_path / "spec.json").write_text(json.dumps(spec))
    for text in ("spec.json", json.dumps(spec)):
        ais("ml", "get-batch", f"ais://{full}", "a.zip", "--spec", text)
        assert contents(tmp_path, "a.zip") == {"other": b"the"}
    named = json.dumps({"in": [{"objname": "other", "bucket": full}]})
    ais("ml", "get-batch", "a.tar", "-f", named)
    assert contents(tmp_path, "a.tar") == {f"{full}/other": b"other"}


def test_what_cannot_be_had(ais: Ais, full: str, tmp_path: Path) -> None:
    words = ("ml", "get-batch", f"ais://{full}", "--list", "other,gone", "a.tar")
    missing = f'object "ais://{full}/gone" does not exist'
    for more in ((), ("--streaming",)):
        assert ais(*words, *more, code=1).stderr == f"Error: {missing}\n"
        assert not list(tmp_path.glob("*a.tar"))
    done = ais(*words, "--cont-on-err", code=1)
    assert done.stderr == f"Error: 1 of 2 entries could not be had: {missing}\n"
    assert contents(tmp_path, "a.tar") == {f"{full}/other": b"other", f"__404__/{full}/gone": b""}


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ([], "required: FILE"),
        (["a.tar"], "name what to get"),
        (["ais://abc", "a.rar"], "not the name of an archive"),
        (["ais://", "a.tar"], "names no bucket"),
        (["ais://abc/x", "a.tar", "--list", "y"], "name objects"),
        (["a.tar", "--spec", "nothing.json"], "No such file"),
        (["a.tar", "--spec", "{in"], "--spec is not JSON"),
        (["a.tar", "--spec", "{}"], "no list of entries"),
        (["ais://abc/x", "a.tar", "--spec", "{}"], "SRC is one bucket"),
        (["ais://no-such-bucket", "a.tar"], "does not exist"),
    ],
)
def test_what_makes_no_sense(ais: Ais, words: list[str], text: str) -> None:
    error = ais("ml", "get-batch", *words, code=1).stderr
    assert error.count("\n") == 1
    assert text in error
