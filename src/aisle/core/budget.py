"""How much memory streams may hold together, and so how large a slice each may read or write.

A worker moves many bodies at once; each holds a few slices in flight (the one being hashed or
written, the ones the HTTP server has queued). The slice shrinks as streams are added, so that
the sum stays near `total` whatever the number of clients and however slow they are.
"""

from __future__ import annotations


class Budget:
    """Counts running streams of one direction in a worker and tells their slice size in bytes.

    `depth` is how many slices of one stream are in memory at once; see docs/decisions/001 for
    what was measured of the HTTP server.
    """

    __slots__ = ("active", "depth", "largest", "smallest", "total")

    def __init__(self, total: int, *, depth: int, smallest: int, largest: int) -> None:
        self.total = total
        self.depth = depth
        self.smallest = smallest
        self.largest = largest
        self.active = 0

    def slice(self) -> int:
        """The bytes that one stream may read, hash or write at a time now."""
        share = self.total // (max(self.active, 1) * self.depth)
        return min(self.largest, max(self.smallest, share))

    def __enter__(self) -> Budget:
        self.active += 1
        return self

    def __exit__(self, *exc: object) -> None:
        self.active -= 1


def reading() -> Budget:
    """Bodies on their way out: the server holds up to 14 slices of a client that reads slowly,
    and slices above 256 KiB save no CPU."""
    return Budget(48 << 20, depth=12, smallest=16 << 10, largest=256 << 10)


def writing() -> Budget:
    """Bodies on their way in: one slice is collected while another is hashed and written."""
    return Budget(48 << 20, depth=4, smallest=64 << 10, largest=1 << 20)
