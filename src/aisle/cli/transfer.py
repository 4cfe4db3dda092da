"""Many transfers at a time, by a few threads, for `ais put` and `ais get`.

Work is handed out one by one as threads come for it, so that there may be any number of files.
Each thread looks at `Crew.check` between two pieces of a body: after the first failure, or when the
user interrupts, it leaves off where it is, and what it has begun is undone by its own `with`.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Final, Generic, TypeVar

from aisle.cli.failure import Failure, printable

Work = TypeVar("Work")

DEFAULT_WORKERS: Final = 8
ARCHIVES: Final = (".tar", ".tgz", ".tar.gz", ".zip", ".tar.lz4")
_LOOK_SECONDS: Final = 0.2  # a wait that signals cannot break off is not longer than this


class Stopped(Failure):
    """A thread leaves off because others failed or the user said so."""


class Crew(Generic[Work]):
    """Threads that do `work` with every one of `items`.

    With `keep_going` a failure is counted and the rest is done all the same; without it the first
    one ends everything.
    """

    def __init__(
        self,
        work: Callable[[Work], None],
        *,
        workers: int,
        keep_going: bool,
        name: Callable[[Work], str],
        abort: Callable[[], None],
    ) -> None:
        self._work, self._workers, self._keep_going = work, workers, keep_going
        self._name, self._abort = name, abort
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self.failures: list[tuple[str, Exception]] = []
        self.failed = 0

    def check(self, count: int = 0) -> None:
        """Raises `Stopped` once there is no point in going on."""
        if self._stop.is_set():
            raise Stopped("it was broken off")

    def run(self, items: Iterable[Work]) -> None:
        """Do all of it. Raises what went wrong first, unless the crew keeps going."""
        source = iter(items)
        # Not `Thread.join`: in Python 3.11 one that is interrupted takes its thread for ended.
        ends = [threading.Event() for _ in range(self._workers)]
        threads = [
            threading.Thread(target=self._take_all, args=(source, end), daemon=True) for end in ends
        ]
        try:
            for thread in threads:
                thread.start()
            for end in ends:
                while not end.wait(_LOOK_SECONDS):
                    pass
        except BaseException:
            self._stop.set()
            self._abort()
            for thread, end in zip(threads, ends, strict=True):
                if thread.ident is not None:
                    end.wait()
            raise
        if self.failures and not self._keep_going:
            raise self.failures[0][1]

    def _take_all(self, source: Iterator[Work], end: threading.Event) -> None:
        try:
            self._take(source)
        finally:
            end.set()

    def _take(self, source: Iterator[Work]) -> None:
        while not self._stop.is_set():
            try:
                with self._lock:
                    item = next(source, None)
            except Exception as error:  # what there is to do cannot be found out any further
                self._failed("", error, fatal=True)
                return
            if item is None:
                return
            try:
                self._work(item)
            except Exception as error:
                self._failed(self._name(item), error, fatal=not self._keep_going)

    def _failed(self, name: str, error: Exception, *, fatal: bool) -> None:
        with self._lock:
            if self._stop.is_set() and isinstance(error, Failure) and self.failures:
                return  # it was told to leave off, or had its connection closed under it
            self.failed += 1
            if len(self.failures) < 3 or fatal:
                self.failures.append((name, error))
            if fatal:
                self._keep_going = False
                self.failures = [(name, error)]
                self._stop.set()
        if fatal:
            self._abort()

    def summary(self, done: int, what: str) -> None:
        """Raises `Failure` with one line if some of many have failed."""
        if not self.failed:
            return
        shown = "; ".join(f"{name}: {reason(error)}" for name, error in self.failures)
        more = self.failed - len(self.failures)
        rest = f" (and {more} more)" if more else ""
        raise Failure(f"{self.failed} of {done + self.failed} {what} failed: {shown}{rest}")


def reason(error: Exception) -> str:
    """An error as one line."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return printable(str(error))


def below(top: str, name: str) -> str | None:
    """The path of `name` below `top`; `None` if it leads out of it or is not one for a file."""
    parts = name.split("/")
    if any(part in ("", ".", "..") for part in parts) or "\0" in name:
        return None
    return os.path.join(top, *parts)


def stem(path: str) -> str:
    """The path of an archive without what tells its kind: where it is unpacked."""
    for kind in sorted(ARCHIVES, key=len, reverse=True):
        if path.endswith(kind) and len(os.path.basename(path)) > len(kind):
            return path.removesuffix(kind)
    return f"{path}.extracted"
