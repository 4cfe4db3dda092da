"""Lines that are written in batches by a thread of their own, so that nobody waits for a slow disk,
terminal or pipe.

`add` never blocks. Lines are kept up to a number of bytes; beyond that they are lost, and counted:
`lost` is told how many, and what it returns is written where they would have stood. With `retry`
what cannot be written is tried again until it can be; without, the first failure is the last.

Lines are added by one thread, the event loop's, and taken out by the writer alone: each of them has
a counter of its own, so that neither needs a lock.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Final

FLUSH_SECONDS: Final = 0.2
FLUSH_BYTES: Final = 64 << 10
RETRY_SECONDS: Final = 1.0


class Batches:
    """See the module. `write` writes bytes and returns how many it has; it may raise `OSError`."""

    def __init__(
        self,
        name: str,
        write: Callable[[bytes], int],
        lost: Callable[[int], bytes],
        *,
        kept: int,
        retry: bool = False,
        failed: Callable[[OSError], None] = lambda error: None,
    ) -> None:
        self._write = write
        self._lost = lost
        self._kept = kept
        self._retry = retry
        self._failed = failed
        self._lines: deque[bytes] = deque()
        self._added = self._written = 0  # bytes
        self._missed = self._told = 0  # lines
        self._closed = threading.Event()
        self._some = threading.Event()
        self._full = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def pending(self) -> int:
        """Bytes that wait to be written."""
        return self._added - self._written

    def add(self, line: bytes) -> None:
        """Have a line written, which ends in a newline."""
        waiting = self._added - self._written
        if waiting > self._kept:
            self._missed += 1
        else:
            self._lines.append(line)
            self._added += len(line)
        if not self._some.is_set():
            self._some.set()
        if waiting > FLUSH_BYTES and not self._full.is_set():
            self._full.set()

    def close(self, seconds: float = 1.0) -> None:
        """Write what is left, waiting so long at most. Call it from a thread that may block."""
        self._closed.set()
        self._some.set()
        self._full.set()
        self._thread.join(seconds)

    def _run(self) -> None:
        while self._lines or self._missed > self._told or not self._closed.is_set():
            self._some.wait()
            if not self._closed.is_set():
                self._full.wait(FLUSH_SECONDS)
            self._some.clear()
            self._full.clear()
            size = 0
            batch: list[bytes] = []
            while self._lines:
                batch.append(self._lines.popleft())
                size += len(batch[-1])
            if missed := self._missed - self._told:
                self._told += missed
                batch.append(self._lost(missed))
            if batch and not self._put(b"".join(batch)):
                self._lost(len(batch) + len(self._lines))
                return
            self._written += size

    def _put(self, data: bytes) -> bool:
        """Write all of it, whatever it takes. A line that was torn is written again as a whole."""
        troubled = torn = False
        while data:
            try:
                count = self._write(b"\n" + data if torn else data) - torn
            except OSError as error:
                if not self._retry or self._closed.is_set():
                    return False
                if not troubled:
                    self._failed(error)
                troubled = True
                self._closed.wait(RETRY_SECONDS)
                continue
            if count >= len(data):
                return True
            whole = data.rfind(b"\n", 0, max(count, 0)) + 1
            torn = count > whole or (torn and count < 0)
            data = data[whole:]
        return True
