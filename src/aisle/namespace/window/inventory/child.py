"""What the process runs that `reading` starts over a file of an inventory.

It reads the file from its standard input and writes batches of rows to its standard output, each a
length and MessagePack, in the order of their keys as far as memory goes. Why it gave up it says on
its standard error. Its memory is limited by the kernel.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator
from typing import IO, Final

import msgspec

from aisle.core.errors import AisleError
from aisle.namespace.window.inventory import columnar, csvgz
from aisle.store.base import Row

BATCH: Final = 5000
STRETCH: Final = 200_000
MEMORY: Final = 4 << 30
DAMAGED: Final = 3  # statuses that it ends with, beside 0
LACKING: Final = 4
LENGTH: Final = 4

_encode: Final = msgspec.msgpack.Encoder().encode


def rows(
    file: IO[bytes], kind: str, columns: tuple[str, ...], bucket: str, *, batch: int = BATCH
) -> Iterator[list[Row]]:
    """The rows of a file of any format, in this process."""
    if kind == "CSV":
        return csvgz.read(file, columns, bucket, batch=batch)
    return columnar.read(file, kind, bucket, batch=batch)


def _input() -> IO[bytes]:
    # Not through the buffer of standard input, which cannot go back in a file that it has read.
    return open(0, "rb", buffering=1 << 16, closefd=False)


def main(arguments: list[str]) -> int:
    kind, bucket, columns = arguments
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    out = sys.stdout.buffer
    try:
        for batch in _sorted(rows(_input(), kind, tuple(columns.split(",")), bucket)):
            data = _encode(batch)
            out.write(len(data).to_bytes(LENGTH, "big"))
            out.write(data)
        out.flush()
    except AisleError as error:
        return _tell(str(error), DAMAGED)
    except ModuleNotFoundError as error:
        return _tell(f"{kind} needs {error.name}: install aisle[inventory]", LACKING)
    except MemoryError:
        return _tell(f"reading it takes more than {MEMORY >> 30} GiB of memory", DAMAGED)
    return 0


def _sorted(batches: Iterator[list[Row]]) -> Iterator[list[Row]]:
    """The rows in batches that are in order among each other for a long stretch, so that a commit
    touches few pages of the index: files are in no order that anybody promises."""
    stretch: list[Row] = []
    for batch in batches:
        stretch += batch
        if len(stretch) >= STRETCH:
            yield from _cut(stretch)
            stretch = []
    yield from _cut(stretch)


def _cut(stretch: list[Row]) -> Iterator[list[Row]]:
    stretch.sort()
    for start in range(0, len(stretch), BATCH):
        yield stretch[start : start + BATCH]


def _tell(text: str, status: int) -> int:
    sys.stderr.write(text)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
