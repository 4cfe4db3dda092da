"""Stop a process where it is, as a hung machine would, and know that it has stopped."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

_STOPPED = ("T", "t", "Z", "X")
_SECONDS = 10.0


def pause(pid: int) -> None:
    """Send SIGSTOP and return when no thread runs any more: on a busy machine one on another core
    may go on for a moment, and answer what it should not. One that has ended needs no more."""
    try:
        os.kill(pid, signal.SIGSTOP)
    except ProcessLookupError:
        return
    deadline = time.monotonic() + _SECONDS
    while not all(state in _STOPPED for state in _states(pid)):
        assert time.monotonic() < deadline, f"process {pid} does not stop"
        time.sleep(0.001)


def _states(pid: int) -> list[str]:
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/stat"):
        try:
            found.append(task.read_text().rpartition(")")[2].split()[0])
        except OSError:  # it has ended since it was listed
            continue
    return found
