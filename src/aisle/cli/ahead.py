"""Fetching what comes next while something is done with what is there."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from typing import Final, TypeVar

T = TypeVar("T")
_END: Final = object()


def ahead(source: Iterator[T]) -> Iterator[T]:
    """What `source` gives, where a thread fetches one item more than is asked for. Whoever stops
    early leaves the thread to end with the process: it may be waiting for a node."""
    ready: queue.Queue[object] = queue.Queue(maxsize=1)

    def fetch() -> None:
        try:
            for item in source:
                ready.put(item)
        except BaseException as error:
            ready.put(_Failed(error))
        else:
            ready.put(_END)

    threading.Thread(target=fetch, daemon=True).start()
    while (item := ready.get()) is not _END:
        if isinstance(item, _Failed):
            raise item.error
        yield item  # type: ignore[misc]


class _Failed:
    """What ended the source early."""

    def __init__(self, error: BaseException) -> None:
        self.error = error
