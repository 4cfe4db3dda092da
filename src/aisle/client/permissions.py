"""AIStore's permissions by name, as roles have them: the table of `aisle.auth.permissions`, which a
client does not import; a test holds one to the other."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from aisle.client.errors import ClientError

# From bit 0 on.
NAMES: Final = (
    "GET", "HEAD-OBJECT", "PUT", "APPEND", "DELETE-OBJECT", "MOVE-OBJECT", "PROMOTE",
    "UPDATE-OBJECT", "HEAD-BUCKET", "LIST-OBJECTS", "PATCH", "SET-BUCKET-ACL", "LIST-BUCKETS",
    "SHOW-CLUSTER", "CREATE-BUCKET", "DESTROY-BUCKET", "MOVE-BUCKET", "ADMIN",
)  # fmt: skip
_RO: Final = ("GET", "HEAD-OBJECT", "HEAD-BUCKET", "LIST-OBJECTS")
SETS: Final = {
    "ro": _RO,
    "rw": (*_RO, "PUT", "APPEND", "DELETE-OBJECT", "MOVE-OBJECT"),
    "su": NAMES,
}


def bits_of(names: Iterable[str]) -> int:
    """The mask of permissions and sets of them (`ro`, `rw`, `su`). Raises `ClientError`."""
    mask = 0
    for name in names:
        for one in SETS.get(name.lower(), (name.upper(),)):
            if one not in NAMES:
                known = ", ".join((*SETS, *NAMES))
                raise ClientError(f'there is no permission "{name}": there are {known}')
            mask |= 1 << NAMES.index(one)
    return mask


def names_of(mask: int) -> list[str]:
    """The permissions of a mask, or the name of the set that it is."""
    for name in SETS:
        if mask == bits_of((name,)):
            return [name]
    return [name for bit, name in enumerate(NAMES) if mask >> bit & 1]
