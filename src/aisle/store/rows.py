"""What every `Index` engine checks and computes alike: limits of names, keys and values, and the
bounds of a scan.

Pure functions over values. Breaking a limit is a bug of the caller, so it is a `ValueError` (the
one exception to "failures are `StoreError`"), raised before anything is queued: a batch that
cannot be applied must never reach a group that is committed together with other batches.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from aisle.store.base import ABSENT, Change, Check, Put

# An upload's row with an S3 key of 1,024 NULs, escaped, has 2,073. PostgreSQL's btrees end at 2,704
# with what the engine adds to a key (docs/decisions/004).
MAX_KEY: Final = 2560
MAX_VALUE: Final = 16 << 20

_TABLE: Final = re.compile(r"[a-z_]{1,64}")


@lru_cache(maxsize=64)
def check_table(table: str) -> str:
    """`table` itself. It becomes part of SQL text in some engines, hence the narrow alphabet."""
    if not _TABLE.fullmatch(table):
        raise ValueError(f"{table!r} is not a table name")
    return table


def check_limits(changes: Sequence[Change]) -> None:
    """Raise `ValueError` for a key or value outside of the contract's sizes."""
    for change in changes:
        if not 1 <= len(change.key) <= MAX_KEY:
            raise ValueError(f"a key of {len(change.key)} bytes in table {change.table}")
        if isinstance(change, Put):
            value = change.value
        elif isinstance(change, Check) and change.expected is not ABSENT:
            assert isinstance(change.expected, bytes)
            value = change.expected
        else:
            continue
        if len(value) > MAX_VALUE:
            raise ValueError(f"a value of {len(value)} bytes in table {change.table}")


def successor(prefix: bytes) -> bytes | None:
    """The least key above every key that begins with `prefix`; `None` if there is none."""
    stem = prefix.rstrip(b"\xff")
    return stem[:-1] + bytes((stem[-1] + 1,)) if stem else None


def fold_end(delimiter: bytes) -> bytes:
    """What to put in the place of a delimiter to get past every key that it folds."""
    end = successor(delimiter)
    if end is None:
        raise ValueError(f"{delimiter!r} cannot fold keys")
    return end


def bounds(prefix: bytes, after: bytes, *, reverse: bool) -> tuple[bytes, bytes | None]:
    """A scan as the half-open range `low <= key < high` (`None` is no upper bound).

    `after` is exclusive: the least key above it is `after + b"\\0"`.
    """
    low, high = prefix, successor(prefix)
    if after and reverse:
        high = after if high is None else min(after, high)
    elif after:
        low = max(low, after + b"\0")
    return low, high
