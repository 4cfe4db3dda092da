"""AIStore's permissions, one bit each: what roles grant, and what a bucket's `access` leaves open.

The numbers are AIStore's and travel in roles, tokens and props; the derived sets are its own too.
Spec: AIStore's `api/apc/access.go`, and `AccessAttr` of its Python SDK.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from aisle.core.errors import InvalidArgument

GET: Final = 1 << 0
HEAD_OBJECT: Final = 1 << 1
PUT: Final = 1 << 2
APPEND: Final = 1 << 3
DELETE_OBJECT: Final = 1 << 4
MOVE_OBJECT: Final = 1 << 5
PROMOTE: Final = 1 << 6
UPDATE_OBJECT: Final = 1 << 7
HEAD_BUCKET: Final = 1 << 8
LIST_OBJECTS: Final = 1 << 9
PATCH: Final = 1 << 10
SET_BUCKET_ACL: Final = 1 << 11
LIST_BUCKETS: Final = 1 << 12
SHOW_CLUSTER: Final = 1 << 13
CREATE_BUCKET: Final = 1 << 14
DESTROY_BUCKET: Final = 1 << 15
MOVE_BUCKET: Final = 1 << 16
ADMIN: Final = 1 << 17

# By the names that the command line shows and takes, from bit 0 on.
NAMES: Final = (
    "GET", "HEAD-OBJECT", "PUT", "APPEND", "DELETE-OBJECT", "MOVE-OBJECT", "PROMOTE",
    "UPDATE-OBJECT", "HEAD-BUCKET", "LIST-OBJECTS", "PATCH", "SET-BUCKET-ACL", "LIST-BUCKETS",
    "SHOW-CLUSTER", "CREATE-BUCKET", "DESTROY-BUCKET", "MOVE-BUCKET", "ADMIN",
)  # fmt: skip

READ_ONLY: Final = GET | HEAD_OBJECT | HEAD_BUCKET | LIST_OBJECTS
READ_WRITE: Final = READ_ONLY | PUT | APPEND | DELETE_OBJECT | MOVE_OBJECT
CLUSTER_READ_ONLY: Final = LIST_BUCKETS | SHOW_CLUSTER
EVERYTHING: Final = (1 << len(NAMES)) - 1
# What a bucket's `access` holds where nothing is closed: bits without a name yet are open too.
ACCESS_ALL: Final = (1 << 64) - 1
SETS: Final = {"ro": READ_ONLY, "rw": READ_WRITE, "su": EVERYTHING}


def mask_of(words: Iterable[str], *, everything: int = EVERYTHING) -> int:
    """The mask of permissions and sets of them, by name; `everything` is what `su` means.

    Raises `InvalidArgument`.
    """
    mask = 0
    for word in words:
        name = word.strip()
        if name.lower() in SETS:
            mask |= everything if name.lower() == "su" else SETS[name.lower()]
        elif name.upper() in NAMES:
            mask |= 1 << NAMES.index(name.upper())
        else:
            known = ", ".join((*SETS, *NAMES))
            raise InvalidArgument(f'there is no permission "{name}" (there are: {known})')
    return mask


def names_of(mask: int) -> list[str]:
    """The permissions of a mask, or the name of the set that it is."""
    for name, of_set in SETS.items():
        if mask == of_set:
            return [name]
    return [name for bit, name in enumerate(NAMES) if mask >> bit & 1]
