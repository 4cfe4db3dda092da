"""What an archive may make a worker hold or walk over. Data of members is never held, so however
far it expands, it costs time alone, and that ends when the client goes."""

from __future__ import annotations

from typing import Final

MEMBERS: Final = 1_000_000  # that are walked over in one archive
NAME: Final = 4096  # bytes of a member's name
HEADER: Final = 1 << 20  # bytes of one extended header of a TAR
EXTENDED: Final = 64  # extended headers before one member
DIRECTORY: Final = 16 << 20  # bytes of the directory of a ZIP
PIECE: Final = 256 << 10  # bytes that are expanded, compressed or passed on at a time
