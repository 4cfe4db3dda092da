"""A warm command does what the real script does, and ends with whoever called it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from tests import warm
from tests.harness import BIN

TOGETHER = [
    ("ais", "--version"),
    ("ais", "nonsense"),
    ("ais", "ls", "--endpoint", "http://localhost:1"),
    ("aws", "--version"),
    ("aws", "s3", "ls"),
    ("aws", "s3", "rm"),
    ("s3cmd", "--version"),
    ("s3cmd", "ls", "--no-ssl", "--host=localhost:1", "--access_key=a", "--secret_key=b"),
]


@pytest.mark.parametrize("words", TOGETHER, ids=" ".join)
def test_a_warm_command_says_and_returns_what_the_real_one_does(
    words: tuple[str, ...], tmp_path: Path
) -> None:
    kept = {"HOME": str(tmp_path), "LANG": "C.UTF-8", "AWS_EC2_METADATA_DISABLED": "true"}
    results = [
        subprocess.run(
            [str(place / words[0]), *words[1:]],
            cwd=tmp_path,
            env=kept,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )
        for place in (BIN, warm.directory())
    ]
    real, warmed = ((done.returncode, done.stdout, done.stderr) for done in results)
    assert warmed == real


def test_bytes_pass_through_both_ways(tmp_path: Path) -> None:
    done = subprocess.run(
        ["bash", "-c", "printf 'a\\377b' | tee copy | ais put - nowhere 2>/dev/null; echo $?"],
        cwd=tmp_path,
        env={"PATH": warm.path(), "HOME": str(tmp_path), "AIS_ENDPOINT": "http://localhost:1"},
        capture_output=True,
        timeout=60,
    )
    assert done.stdout == b"1\n"
    assert (tmp_path / "copy").read_bytes() == b"a\xffb"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_command_ends_with_its_caller(number: signal.Signals, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        command = subprocess.Popen(
            [str(warm.directory() / "ais"), "ls"],
            cwd=tmp_path,
            env={"AIS_ENDPOINT": f"http://127.0.0.1:{silent.getsockname()[1]}"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        asking, _ = silent.accept()
        with asking:
            asking.settimeout(60)
            assert asking.recv(1)
            os.kill(command.pid, number)
            while asking.recv(1 << 16):  # until the child has gone, and its connection
                pass
        assert command.wait(60) != 0
