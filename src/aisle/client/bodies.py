"""Bodies on their way: files that are sent, and bytes that are received, checked and written.

A file that is written takes its name only if nothing went wrong: until then its bytes are in a
temporary file beside it, and what was there before stays as it was.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import TYPE_CHECKING, BinaryIO, Final

from aisle.client.errors import BadChecksum, ClientError

if TYPE_CHECKING:
    from http.client import HTTPResponse

    from aisle.core.checksums import Hasher

PIECE: Final = 1 << 20
Watch = Callable[[int], None]  # told how many bytes have just gone by; may raise to stop


class FileBody:
    """The bytes of an open file, from where it stands: as many as it has now, even if it grows.

    `size` is `None` for a pipe or device, which can be sent only once.
    """

    def __init__(self, file: BinaryIO, watch: Watch | None = None) -> None:
        self._file, self._watch = file, watch
        status = os.fstat(file.fileno())
        self._start = file.tell() if stat.S_ISREG(status.st_mode) else 0
        self.size = status.st_size - self._start if stat.S_ISREG(status.st_mode) else None

    @property
    def pieces(self) -> Iterable[bytes]:
        """What to upload: itself, which can be iterated again, or what can be read only once."""
        return pieces_of(self._file, self._watch) if self.size is None else self

    def __iter__(self) -> Iterator[bytes]:
        left = self.size or 0
        self._file.seek(self._start)
        while left > 0:
            data = self._file.read(min(left, PIECE))
            if not data:
                raise ClientError(
                    f"{self._file.name} became shorter while it was read; nothing was stored"
                )
            left -= len(data)
            if self._watch is not None:
                self._watch(len(data))
            yield data


def pieces_of(file: BinaryIO, watch: Watch | None = None, piece: int = PIECE) -> Iterator[bytes]:
    """What can be read from a pipe or device until its end, at most `piece` bytes at a time."""
    while data := file.read(piece):
        if watch is not None:
            watch(len(data))
        yield data


def checked(
    response: HTTPResponse, name: str, *, partial: bool, verify: bool = True
) -> Iterator[bytes]:
    """A reply's body, piece by piece; all of it is held to its length and checksum.

    Raises `ClientError` at the end of bytes that are too few, `BadChecksum` of wrong ones.
    """
    if partial and response.status != 206:
        raise ClientError("the node does not read ranges")
    kind = response.headers.get("ais-checksum-type", "none")
    expected = response.headers.get("ais-checksum-value", "")
    hasher = new_hasher(kind) if verify and expected and not partial else None
    announced = response.headers.get("content-length")
    count = 0
    while data := response.read(PIECE):
        count += len(data)
        if hasher is not None:
            hasher.update(data)
        yield data
    if announced is not None and count != int(announced):
        raise ClientError(f"{name}: the connection broke off after {count} of {announced} bytes")
    if hasher is not None and hasher.digest().hex() != expected:
        raise BadChecksum(f"{name}: the bytes that came do not match the {kind} of the object")


def new_hasher(kind: str) -> Hasher | None:
    """A digest of AIStore's checksum type, `None` for one that we do not know."""
    # Imported here and now: what is behind it takes longer to load than most commands to run.
    known = import_module("aisle.core.checksums").AIS_TYPES.get(kind)
    hasher: Hasher | None = known.new() if known is not None else None
    return hasher


@contextmanager
def write_file(path: str) -> Iterator[BinaryIO]:
    """A file to write into, which takes its name only if nothing went wrong."""
    path = os.path.realpath(path)
    if os.path.exists(path) and not os.path.isfile(path):  # a pipe, /dev/null
        with open(path, "wb") as device:
            yield device
        return
    temporary = os.path.join(os.path.dirname(path), f".ais-get-{os.urandom(8).hex()}")
    # From before the file is there, since a signal may end the command at any moment.
    try:
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            yield file
        os.chmod(temporary, _mode(path))
        os.replace(temporary, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def _fresh_mode() -> int:
    """What a file made now would have; asked once, for a mask is the whole process's."""
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


_FRESH: Final = _fresh_mode()


def _mode(path: str) -> int:
    """The mode of the file that is replaced, or that of a fresh one."""
    try:
        return stat.S_IMODE(os.stat(path).st_mode)
    except FileNotFoundError:
        return _FRESH
