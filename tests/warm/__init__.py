"""The command lines of Python, started from a process that has imported them already.

Half of what `ais`, `aws` or `s3cmd` does for a test is to import itself. `directory()` has commands
of these names, which hand their words, environment, directory and descriptors to one server of this
session; it forks a child, which runs the unchanged program in just that setting. What is about a
start itself, a terminal or signals runs the real scripts.
"""

from __future__ import annotations

import atexit
import functools
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from tests.harness import BIN

_PROGRAMS: Final = ("ais", "aws", "s3cmd")
_HERE: Final = Path(__file__).parent
_SECONDS: Final = 60


@functools.cache
def directory() -> Path:
    """Where the commands are; the server behind them is started with the first call."""
    made = tempfile.TemporaryDirectory(prefix="aisle-warm-")
    home = Path(made.name)
    script = f"#!{sys.executable} -ISE\n{(_HERE / 'client.py').read_text()}"
    for name in _PROGRAMS:
        (home / name).write_text(script)
        (home / name).chmod(0o700)
    # It ends when its standard input does: with this process, however that ends.
    server = subprocess.Popen(
        [sys.executable, str(_HERE / "server.py"), str(home / "socket")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert server.stdin is not None
    assert server.stdout is not None
    assert server.stdout.readline() == b"ready\n"

    def end() -> None:
        server.communicate(timeout=_SECONDS)
        made.cleanup()

    atexit.register(end)
    return home


def path() -> str:
    """A `PATH` on which the warm commands come first, and those of the environment next."""
    return os.pathsep.join((str(directory()), str(BIN), os.environ.get("PATH", os.defpath)))
