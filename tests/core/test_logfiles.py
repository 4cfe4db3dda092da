"""The log files of a node: written by several processes, rotated, bounded, read by severity."""

import io
import logging
import os
import tarfile
from pathlib import Path

import pytest

from aisle.core.logfiles import CURRENT, LogFiles
from aisle.node.logs import TextFormatter


@pytest.fixture
def files(tmp_path: Path) -> LogFiles:
    made = LogFiles(tmp_path / "log")
    made.setFormatter(TextFormatter())
    return made


def say(files: LogFiles, level: int, text: str) -> None:
    files.handle(logging.LogRecord("aisle.test", level, "", 0, text, None, None))


def current(files: LogFiles, severity: str = "info") -> str:
    return b"".join(files.lines(severity)).decode()


def test_a_severity_leaves_out_what_is_less_severe(files: LogFiles) -> None:
    say(files, logging.INFO, "all is well")
    say(files, logging.WARNING, "look out")
    say(files, logging.ERROR, "broken\n  at line 7")
    assert [len(current(files, name).splitlines()) for name in ("info", "warning", "error")] == [
        4,
        3,
        2,
    ]
    assert current(files, "error").endswith("broken\n  at line 7\n")


def test_a_log_nobody_wrote_to_is_empty(files: LogFiles) -> None:
    assert current(files) == ""


def test_secrets_do_not_get_in(files: LogFiles) -> None:
    say(files, logging.INFO, "GET /?X-Amz-Signature=abcdef0123456789&a=1 Authorization: AWS key")
    assert "abcdef" not in current(files)
    assert "AWS key" not in current(files)


def test_a_full_file_is_put_away_and_the_oldest_go(files: LogFiles) -> None:
    files.max_size, files.max_total = 1000, 5000
    for number in range(200):
        say(files, logging.INFO, f"line {number}")
    sizes = [path.stat().st_size for path in files.directory.iterdir()]
    assert max(sizes) <= 1000
    assert sum(sizes) <= 5000
    assert len(files.old()) >= 3
    assert "line 199" in current(files)
    names = [path.name for path in files.old()]
    assert names == sorted(names)


def test_another_process_goes_on_in_the_new_file(files: LogFiles, tmp_path: Path) -> None:
    other = LogFiles(tmp_path / "log")
    other.setFormatter(TextFormatter())
    say(files, logging.INFO, "first")
    say(other, logging.INFO, "second")
    files.rotate()
    assert current(files) == ""
    say(other, logging.INFO, "third")
    say(files, logging.INFO, "fourth")
    assert [line.split()[-1] for line in current(files).splitlines()] == ["third", "fourth"]
    assert len(files.old()) == 1
    other.close()


def test_only_one_of_two_that_find_a_file_full_puts_it_away(files: LogFiles) -> None:
    say(files, logging.INFO, "x")
    inode = (files.directory / CURRENT).stat().st_ino
    files.rotate(inode)
    say(files, logging.INFO, "y")
    files.rotate(inode)
    assert len(files.old()) == 1
    assert "y" in current(files)


def test_the_archive_has_every_file(files: LogFiles) -> None:
    say(files, logging.INFO, "old")
    files.rotate()
    say(files, logging.INFO, "new")
    written = io.BytesIO()
    files.archive(written)
    with tarfile.open(fileobj=io.BytesIO(written.getvalue()), mode="r:gz") as archive:
        members = archive.getmembers()
        texts = [found.read() for m in members if (found := archive.extractfile(m)) is not None]
    assert [member.name for member in members] == [files.old()[0].name, CURRENT]
    assert [text.split()[-1] for text in texts] == [b"old", b"new"]


def test_a_disk_that_takes_nothing_stops_nobody(files: LogFiles) -> None:
    say(files, logging.INFO, "kept")
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, files._fd)
    os.close(full)
    say(files, logging.INFO, "lost")
    assert "lost" not in current(files)
