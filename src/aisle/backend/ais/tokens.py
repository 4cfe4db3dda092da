"""The token that requests to a cluster carry: from the node's environment, never from settings.

`AIS_REMOTE_TOKEN_ALIAS` is a token, `AIS_REMOTE_TOKEN_FILE_ALIAS` the name of a file that holds
one, as it is or as the JSON that `ais auth login` writes. A file counts more, and is read anew when
it has changed, so that tokens can be renewed while a node runs. What is in it is never repeated.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from aisle.core.clusters import environment_name
from aisle.core.errors import RemoteDenied

TOKEN: Final = "AIS_REMOTE_TOKEN_"  # noqa: S105 - the beginning of a variable's name
FILE: Final = "AIS_REMOTE_TOKEN_FILE_"
_LARGEST: Final = 64 << 10
_SECONDS: Final = 1.0  # between two looks at a file
_log = logging.getLogger("aisle.backend")


class Token:
    """The token for the cluster called `alias`, `""` if it gets none."""

    def __init__(self, alias: str, environment: Mapping[str, str]) -> None:
        name = environment_name(alias)
        self._alias = alias
        self._given = environment.get(TOKEN + name, "").strip()
        self._file = environment.get(FILE + name, "")
        self._state: tuple[int, int, int] | None = None
        self._looked = 0.0

    def __repr__(self) -> str:
        return f"Token({self._alias!r})"

    async def read(self, name: str) -> str:
        """The token as it is now. Raises `RemoteDenied` of the bucket `name`."""
        if self._file and (self._state is None or time.monotonic() - self._looked >= _SECONDS):
            try:
                await asyncio.to_thread(self._look)
            except (OSError, ValueError) as error:
                self._state = None
                _log.warning("the token file of cluster %s: %s", self._alias, error)
                raise RemoteDenied(
                    name, f'the file with the token for cluster "{self._alias}" cannot be read'
                ) from None
            self._looked = time.monotonic()
        if not self._given.isascii() or not self._given.isprintable() or " " in self._given:
            raise RemoteDenied(name, f'what is to be the token for cluster "{self._alias}" is none')
        return self._given

    def _look(self) -> None:
        path = Path(self._file)
        about = path.stat()
        state = (about.st_mtime_ns, about.st_size, about.st_ino)
        if state != self._state:
            self._given = _token_in(path)
            self._state = state


def _token_in(path: Path) -> str:
    """Raises `OSError`, and `ValueError` without anything of the contents in it."""
    with path.open("rb") as file:
        data = file.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise ValueError("it is too long to hold a token")
    try:
        text = data.decode("ascii").strip()
        token = json.loads(text)["token"] if text.startswith("{") else text
    except (ValueError, KeyError, RecursionError):
        raise ValueError("it holds no token") from None
    if not isinstance(token, str) or not token:
        raise ValueError("it holds no token")
    return token
