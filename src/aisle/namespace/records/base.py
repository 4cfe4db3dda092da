"""The base of every row, which keeps what is secret in one out of `repr`. No row lives here."""

from __future__ import annotations

from typing import Final

import msgspec

_SECRET: Final = frozenset(("password", "secret_key", "token", "secret"))


class Record(msgspec.Struct, frozen=True, array_like=True):
    """The base of every row. What is secret in it stays out of `repr`."""

    def __repr__(self) -> str:
        fields = ", ".join(
            f"{name}={getattr(self, name)!r}"
            for name in self.__struct_fields__
            if name not in _SECRET
        )
        return f"{type(self).__name__}({fields})"
