"""The two commands over files: torn exports are taken up, and every mistake is one line."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from aisle.core.errors import ConfigError
from aisle.core.names import BucketName
from aisle.namespace import buckets, objects
from aisle.namespace.store import Store
from aisle.namespace.transfer.frames import MAGIC, Frame, FrameReader, Kind
from aisle.namespace.users import keys, roles, users
from aisle.node.engines import open_engines
from aisle.node.options import load
from aisle.node.transfer import command
from aisle.node.transfer.options import COMMANDS, load_export, load_import
from tests.namespace.support import LARGE, pattern, put, run
from tests.transfer.support import Contents, contents, fill, reading, verify


def aisnode(*arguments: object) -> int:
    """One of the two subcommands, in this process."""
    return command.run([str(argument) for argument in arguments], {})


async def opened(data: Path) -> Store:
    (data / "disk").mkdir(parents=True, exist_ok=True)
    engines = await open_engines(load(["--data", str(data)], {}))
    return Store(engines.index, engines.blobs)


async def _filled(data: Path) -> Contents:
    store = await opened(data)
    try:
        await fill(store)
        await roles.create(store, roles.made("reader"))
        alice = await users.create(store, "alice", roles=["reader"])
        await users.create(store, "bob", account=alice.account)
        await keys.create(store, "alice")
        return await contents(store)
    finally:
        await store.blobs.close()
        await store.index.close()


def filled(data: Path) -> Contents:
    return run(_filled(data))


def contents_of(data: Path) -> Contents:
    async def work() -> Contents:
        store = await opened(data)
        try:
            return await contents(store)
        finally:
            await store.blobs.close()
            await store.index.close()

    return run(work())


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line on standard error that a failure is."""
    told = capsys.readouterr().err
    assert told.count("\n") == 1, told
    return told


def test_there_and_back_by_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wanted = filled(tmp_path / "a")
    assert aisnode("export", tmp_path / "one", "--data", tmp_path / "a") == 0
    assert capsys.readouterr().out.startswith("exported 3 buckets, 8 objects, 3 uploads with 3 p")
    assert aisnode("import", tmp_path / "one", "--verify-only") == 0
    assert capsys.readouterr().out.endswith("; refused 0\n")
    assert aisnode("import", tmp_path / "one", "--data", tmp_path / "b") == 0
    assert contents_of(tmp_path / "b") == wanted
    assert aisnode("export", tmp_path / "two", "--data", tmp_path / "b") == 0
    assert aisnode("import", tmp_path / "two", "--data", tmp_path / "c") == 0
    assert contents_of(tmp_path / "c") == wanted
    capsys.readouterr()
    assert aisnode("import", tmp_path / "two", "--data", tmp_path / "c") == 0
    told = capsys.readouterr().out
    assert told.startswith("imported 0 buckets, 0 objects, 0 uploads with 0 parts, 0 bytes; skip")


def test_a_torn_export_is_taken_up_wherever_it_is_torn(tmp_path: Path) -> None:
    filled(tmp_path / "a")
    whole_file, torn = tmp_path / "whole", tmp_path / "torn"
    assert aisnode("export", whole_file, "--data", tmp_path / "a") == 0
    whole = whole_file.read_bytes()
    places = random.Random(4)
    cuts = [0, 1, len(MAGIC), len(MAGIC) + 3, len(whole) - 1, len(whole) - 20, len(whole)]
    cuts += [len(MAGIC) + at for at in (150, 250, 350, 500)]  # among the users
    for cut in cuts + [places.randrange(len(MAGIC), len(whole)) for _ in range(25)]:
        # What follows the tear may be nothing, or blocks that were never written.
        for tail in (b"", bytes(50), places.randbytes(50)) if cut >= len(MAGIC) else (b"",):
            torn.write_bytes(whole[:cut] + tail)
            assert aisnode("export", torn, "--resume", "--data", tmp_path / "a") == 0
            assert run(verify(torn.read_bytes())) == []
            assert run(told_once(torn)) == run(told_once(whole_file))


# What only says again where a stream stands.
AGAIN = (Kind.BUCKET, Kind.DOCUMENTS, Kind.UPLOAD)


async def told_once(file: Path) -> list[Frame]:
    """The frames of an export, without those that only say again where it stands."""
    reader = FrameReader(reading(file.read_bytes()))
    await reader.magic()
    frames: list[Frame] = []
    while not await reader.at_end():
        frame = await reader.next()
        if frame.kind not in AGAIN or frame not in frames:
            frames.append(frame)
    return frames


def test_a_torn_export_goes_on_with_what_the_store_holds_by_then(tmp_path: Path) -> None:
    filled(tmp_path / "a")
    file = tmp_path / "export"
    assert aisnode("export", file, "--data", tmp_path / "a") == 0
    file.write_bytes(file.read_bytes()[:200_000])

    async def write() -> None:
        store = await opened(tmp_path / "a")
        bucket = await buckets.find(store, "second")
        await put(store, bucket, b"later", pattern(LARGE))
        await objects.delete(store, bucket, b"small")
        await buckets.delete(store, BucketName("third"))
        await store.blobs.close()
        await store.index.close()

    run(write())
    assert aisnode("export", file, "--resume", "--data", tmp_path / "a") == 0
    assert aisnode("import", file, "--data", tmp_path / "b") == 0
    assert contents_of(tmp_path / "b") == contents_of(tmp_path / "a")


def test_a_whole_export_is_left_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    filled(tmp_path / "a")
    file = tmp_path / "export"
    assert aisnode("export", file, "--resume", "--data", tmp_path / "a") == 0
    whole, told = file.read_bytes(), capsys.readouterr()
    assert aisnode("export", file, "--resume", "--data", tmp_path / "a") == 0
    assert file.read_bytes() == whole
    assert capsys.readouterr() == told


def test_an_export_is_for_its_owner_alone(tmp_path: Path) -> None:
    filled(tmp_path / "a")
    assert aisnode("export", tmp_path / "export", "--data", tmp_path / "a") == 0
    assert (tmp_path / "export").stat().st_mode & 0o777 == 0o600


def test_missing_bytes_are_named_and_end_with_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    filled(tmp_path / "a")

    async def lose() -> None:
        store = await opened(tmp_path / "a")
        record = await objects.head(store, await buckets.find(store, "first"), b"large")
        await store.blobs.delete(record.extents[0].blob)
        await store.blobs.close()
        await store.index.close()

    run(lose())
    assert aisnode("export", tmp_path / "export", "--data", tmp_path / "a") == 1
    assert "unreadable ais://first/large: blob" in capsys.readouterr().err
    assert aisnode("import", tmp_path / "export", "--data", tmp_path / "b") == 1
    told = capsys.readouterr()
    assert "refused ais://first/large: it could not be read at the source" in told.err
    assert told.out.endswith("refused 1\n")
    wanted = contents_of(tmp_path / "b")
    assert len(wanted.objects) == 7


def test_an_import_of_a_torn_file_says_so_and_brings_what_is_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = filled(tmp_path / "a")
    file = tmp_path / "export"
    aisnode("export", file, "--data", tmp_path / "a")
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    capsys.readouterr()
    assert aisnode("import", file, "--data", tmp_path / "b") == 1
    told = capsys.readouterr()
    assert told.out.startswith("not complete: imported 1 bucket, ")
    assert told.err.startswith("aisnode: error: the export ends inside the frame at byte")
    file.write_bytes(whole)
    assert aisnode("import", file, "--data", tmp_path / "b") == 0
    assert contents_of(tmp_path / "b") == wanted


def test_what_follows_an_export_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    filled(tmp_path / "a")
    file = tmp_path / "export"
    aisnode("export", file, "--data", tmp_path / "a")
    with file.open("ab") as more:
        more.write(b"?")
    capsys.readouterr()
    assert aisnode("import", file, "--verify-only") == 1
    assert "more behind the end" in one_line(capsys)


def test_mistakes_with_files_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    filled(tmp_path / "a")
    filled(tmp_path / "b")
    export, text = tmp_path / "export", tmp_path / "text"
    text.write_text("hello, world\n")
    assert aisnode("export", export, "--data", tmp_path / "a") == 0
    capsys.readouterr()
    for arguments, expected in (
        (("export", tmp_path / "x", "--data", tmp_path / "none"), "there is no store in"),
        (("export", export, "--data", tmp_path / "a"), "exists: go on with it by --resume"),
        (("export", export, "--resume", "--data", tmp_path / "b"), "export of another store"),
        (("export", text, "--resume", "--data", tmp_path / "a"), "is not an export of Aisle"),
        (("export", tmp_path / "x/y", "--data", tmp_path / "a"), "cannot open"),
        (("export", "-", "--resume", "--data", tmp_path / "a"), "a pipe cannot be read again"),
        (("export",), "required: FILE"),
        (("import", tmp_path / "none", "--data", tmp_path / "c"), "cannot open"),
        (("import", text, "--data", tmp_path / "c"), "not an export of Aisle"),
        (("import", tmp_path, "--data", tmp_path / "c"), "cannot be read: Is a directory"),
        (("import", export, "--dta", "x"), "unrecognized arguments: --dta x"),
    ):
        assert aisnode(*arguments) == 1
        assert expected in one_line(capsys), arguments
    assert text.read_text() == "hello, world\n"
    assert not (tmp_path / "none").exists()
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["file", "--follow"], "--follow goes with the URL"),
        (["-", "--delete"], "--delete goes with the URL"),
        (["file", "--finish"], "--finish goes with the URL"),
        (["http://old:1", "--overwrite"], "--overwrite goes with a file"),
        (["http://old:1", "--verify-only"], "--verify-only goes with a file"),
        (["http://old:1/path"], "without a path"),
        (["http://old:99999"], "without a path"),
        (["http://:1"], "without a path"),
        (["ftp://old"], "the source is a file"),
    ],
)
def test_what_does_not_go_together_is_refused(arguments: list[str], expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        load_import(arguments, {})


def test_keys_are_both_given_or_none() -> None:
    with pytest.raises(ConfigError, match="set both, or none"):
        load_import(["http://old:1"], {"AISLE_SOURCE_ACCESS_KEY": "abc"})


def test_secrets_are_neither_taken_from_the_command_line_nor_shown() -> None:
    with pytest.raises(ConfigError, match="AISLE_SOURCE_SECRET_KEY") as failed:
        load_import(["http://name:hidden@old:1"], {})
    assert "hidden" not in str(failed.value)
    keys = {"AISLE_SOURCE_ACCESS_KEY": "access", "AISLE_SOURCE_SECRET_KEY": "hidden"}
    assert "hidden" not in repr(load_import(["http://old:1"], keys))


def test_storage_options_are_those_of_a_node(tmp_path: Path) -> None:
    config = tmp_path / "node.toml"
    config.write_text('mountpath = ["one", "two"]\nport = 7777\n')
    arguments = ["file", "--config", str(config), "--durability", "relaxed"]
    node = load_export(arguments, {"AISLE_DATA": str(tmp_path / "data")}).node
    assert node.data == tmp_path / "data"
    assert node.mountpaths == (tmp_path / "one", tmp_path / "two")
    assert node.durability == "relaxed"
    node = load_import(["file", "--mountpath", "/m1", "--mountpath=/m2"], {}).node
    assert node.mountpaths == (Path("/m1"), Path("/m2"))


@pytest.mark.parametrize("name", COMMANDS)
def test_help_names_every_option(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        aisnode(name, "--help")
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert "examples:" in text
    assert "--index URL" in text
    flags = {"export": ["resume"], "import": ["follow", "delete", "finish", "overwrite"]}
    for flag in flags[name]:
        assert f"--{flag}" in text
