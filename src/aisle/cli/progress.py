"""A progress bar for transfers: bytes, rate, time left, and how many files are done.

Shown if it is asked for, or on a terminal where there is much to transfer; on stderr, never mixed
with what is printed. The bar's own library is imported only then.
"""

from __future__ import annotations

import sys
import threading
from importlib import import_module
from typing import Any, Final

from aisle.cli.failure import Failure
from aisle.core.units import parse_duration

MANY_FILES: Final = 100
MANY_BYTES: Final = 64 << 20
_INTERVAL: Final = "100ms"


def wanted(asked: bool | None) -> bool | None:
    """Whether to show a bar: yes or no, `None` if it depends on how much there is."""
    if asked is not None:
        return asked
    return None if sys.stderr.isatty() else False


def is_much(files: int, size: int) -> bool:
    """Whether so much is worth a bar."""
    return files >= MANY_FILES or size >= MANY_BYTES


class Progress:
    """Told of bytes and files as they go by, from any thread."""

    def __init__(self, label: str, files: int, size: int | None, *, shown: bool, refresh: str = ""):
        self.files = self.size = 0
        self._total = files
        self._lock = threading.Lock()
        self._bar: Any = None
        seconds = interval(refresh)
        if shown:
            tqdm = import_module("tqdm").tqdm
            tqdm.monitor_interval = 0  # no thread that watches a bar that stands still
            self._bar = tqdm(
                desc=label,
                total=size,
                unit="B",
                unit_scale=True,
                unit_divisor=1024,
                mininterval=seconds,
                dynamic_ncols=True,
                file=sys.stderr,
                disable=False,
            )
            self._count()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def moved(self, count: int) -> None:
        """So many bytes have gone by."""
        with self._lock:
            self.size += count
            if self._bar is not None:
                self._bar.update(count)

    def done(self) -> None:
        """A file has arrived."""
        with self._lock:
            self.files += 1
            if self._bar is not None:
                self._count()

    def say(self, line: str) -> None:
        """Print a line on stdout; the bar stays below it."""
        with self._lock:
            if self._bar is not None:
                self._bar.clear()
            print(line, flush=True)
            if self._bar is not None:
                self._bar.refresh()

    def _count(self) -> None:
        if self._total > 1:
            self._bar.set_postfix_str(f"{self.files}/{self._total} files", refresh=False)


def interval(refresh: str) -> float:
    """Seconds between two looks of a bar. Raises `Failure`."""
    try:
        seconds: float = parse_duration(refresh or _INTERVAL) / 1e9
    except ValueError as error:
        raise Failure(f"--refresh: {error}") from None
    return seconds
