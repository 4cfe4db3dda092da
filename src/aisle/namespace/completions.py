"""What is kept of an upload that was completed, as its commit is put together.

The row of `done` is among the changes before it is known which version its object becomes, and what
ETag a remote bucket gives it. Pure functions.
"""

from __future__ import annotations

from typing import Any

import msgspec

from aisle.namespace.records import Completed, decode, encode
from aisle.store.base import Change, Put


def told(change: Change, **outcome: Any) -> Change:
    """The change, if it is of `done` with this `outcome`, so that a repeated complete hears it."""
    if not isinstance(change, Put) or change.table != "done":
        return change
    done = msgspec.structs.replace(decode(Completed, change.value), **outcome)
    return change._replace(value=encode(done))
