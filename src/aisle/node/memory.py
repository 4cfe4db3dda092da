"""How a worker takes memory from the system. Only what is told to the C library lives here."""

from __future__ import annotations

import ctypes
from typing import Final

# malloc.h of glibc
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
LARGEST: Final = 4 << 20  # bytes of a piece that is taken from what was freed before
KEPT: Final = 16 << 20  # free bytes at the end of a heap that are not given back


def keep_freed() -> None:
    """Have pieces of bodies lie where others lay before.

    glibc gives large pieces back at once and takes new ones page by page: about 150 page faults a
    MiB of a PUT, a seventh of all that it costs. Other C libraries are left as they are.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    mallopt(_MMAP_THRESHOLD, LARGEST)
    mallopt(_TRIM_THRESHOLD, KEPT)
