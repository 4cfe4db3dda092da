"""librados through Debian's binding: where it is found, the part of it that is used, its errors.

The binding is one extension module that a distribution builds for its own Python. A virtual
environment does not see it, and putting the distribution's directory on `sys.path` would let every
other package of the distribution in as well; so that one file is loaded by its path.

Nothing here holds a connection, and nothing is loaded before it is asked for.
"""

from __future__ import annotations

import errno
import functools
import importlib
import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Final, Protocol

from aisle.core.errors import ConfigError, OutOfSpace, ReadOnlyStore, StoreError, StoreUnavailable

# Where Debian, Fedora and SUSE keep modules of the system's Python.
_SYSTEM: Final = (
    "/usr/lib/python3/dist-packages",
    "/usr/lib64/python3.*/site-packages",
    "/usr/lib/python3.*/site-packages",
)

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_READ_ONLY: Final = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})
_REASONS: Final = {
    errno.ETIMEDOUT: "the cluster did not answer in time",
    # What librados calls EBLOCKLISTED.
    errno.ESHUTDOWN: "the cluster has shut this client out (blocklisted): restart it",
}


class Completion(Protocol):
    """One asynchronous operation."""

    def get_return_value(self) -> int: ...


class WriteOp(Protocol):
    """Changes of one object that are made together or not at all."""

    def write(self, to_write: bytes, offset: int) -> None: ...
    def set_xattr(self, xattr_name: str, xattr_value: bytes) -> None: ...
    def remove(self) -> None: ...
    def release(self) -> None: ...


class Listed(Protocol):
    """An object as listings show it."""

    @property
    def key(self) -> str: ...


class Ioctx(Protocol):
    """A namespace of a pool. Operations named `aio_` return at once; the others block."""

    def aio_read(
        self,
        object_name: str,
        length: int,
        offset: int,
        oncomplete: Callable[[Completion, bytes | None], None],
    ) -> Completion: ...
    def aio_stat(
        self, object_name: str, oncomplete: Callable[[Completion, int | None, Any], None]
    ) -> Completion: ...
    def operate_aio_write_op(
        self, write_op: WriteOp, oid: str, oncomplete: Callable[[Completion], None], *, mtime: int
    ) -> Completion: ...
    def get_xattr(self, key: str, xattr_name: str) -> bytes: ...
    def list_objects(self) -> Iterator[Listed]: ...
    def alignment(self) -> int | None: ...
    def get_pool_id(self) -> int: ...
    def set_namespace(self, nspace: str) -> None: ...
    def set_osdmap_full_try(self) -> None: ...
    def close(self) -> None: ...


class Cluster(Protocol):
    """A connection. Everything here blocks."""

    def connect(self) -> None: ...
    def pool_exists(self, pool_name: str) -> bool: ...
    def open_ioctx(self, ioctx_name: str) -> Ioctx: ...
    def mon_command(self, cmd: str, inbuf: bytes) -> tuple[int, bytes, str]: ...
    def shutdown(self) -> None: ...


def new_write_op() -> WriteOp:
    """An empty operation; the caller releases it."""
    op: WriteOp = load().WriteOp().create()
    return op


def new_cluster(conf: str, user: str, settings: dict[str, str]) -> Cluster:
    """A client that is not connected yet. Raises the binding's errors (`failures`)."""
    cluster: Cluster = load().Rados(name=user, conffile=conf, conf=settings)
    return cluster


def failures() -> tuple[type[Exception], ...]:
    """What calls of the binding raise; `code_of` tells the errno."""
    error: type[Exception] = load().Error
    return (error,)


def code_of(error: Exception) -> int:
    """The errno of an error that the binding raised; 0 if it has none."""
    code = getattr(error, "errno", 0)
    return code if isinstance(code, int) else 0


def store_error(code: int, what: str) -> StoreError:
    """The failure `code` (an errno, of either sign) as callers of the port hear it."""
    code = abs(code)
    message = f"{what}: {_REASONS.get(code) or os.strerror(code)}"
    if code in _FULL:
        return OutOfSpace(message)
    if code in _READ_ONLY:
        return ReadOnlyStore(message)
    return StoreUnavailable(message)


@functools.cache
def load() -> ModuleType:
    """The binding. Raises `ConfigError` if this Python has none."""
    try:
        module = importlib.import_module("rados")
    except ImportError:
        module = from_system()
    if not hasattr(module, "Rados"):
        raise ConfigError(f"the module {module.__name__} is not Ceph's binding of librados")
    return module


def from_system(directories: tuple[str, ...] = _SYSTEM) -> ModuleType:
    """The binding in the first of `directories` that has one for this Python.

    Raises `ConfigError` if there is none.
    """
    found = [file for directory in directories for file in _candidates(directory)]
    for suffix in importlib.machinery.EXTENSION_SUFFIXES:
        for path in found:
            if path.name == "rados" + suffix:
                return _load_file(path)
    ours = "{}.{}".format(*sys.version_info[:2])
    if found:
        raise ConfigError(
            f"{found[0].name} in {found[0].parent} is not built for Python {ours}: run Aisle by the"
            " Python of the distribution that python3-rados comes from (Debian 12 has 3.11)"
        )
    raise ConfigError(
        f"Ceph's binding is missing: install python3-rados, built for this Python ({ours})"
    )


def _candidates(directory: str) -> list[Path]:
    return sorted(Path("/").glob(f"{directory.lstrip('/')}/rados*.so"))


def _load_file(path: Path) -> ModuleType:
    loader = importlib.machinery.ExtensionFileLoader("rados", str(path))
    spec = importlib.util.spec_from_file_location("rados", path, loader=loader)
    assert spec is not None, "a loader was given"
    try:
        module = importlib.util.module_from_spec(spec)
        loader.exec_module(module)
    except ImportError as error:
        raise ConfigError(f"{path} cannot be loaded: {error}") from error
    # An extension module can be made only once a process; whoever imports it shall get this one.
    sys.modules["rados"] = module
    return module
