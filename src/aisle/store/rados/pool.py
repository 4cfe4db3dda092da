"""From `rados://POOL?...` to an open pool: the parameters, and every way in which that can fail.

A failure here is a `ConfigError` of one sentence, told within `timeout`. `connect_pool` blocks.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from aisle.core.errors import ConfigError
from aisle.core.units import parse_duration, parse_size
from aisle.store.rados.aio import BYTES, OPERATIONS
from aisle.store.rados.lib import Cluster, Ioctx, code_of, failures, load, new_cluster

SMALLEST_STRIPE: Final = 64 << 10
LARGEST_STRIPE: Final = 64 << 20  # half of the largest object that an OSD takes by default


@dataclass(frozen=True, slots=True)
class PoolOptions:
    """What a URL says. `stripe` is in bytes, `timeout` in seconds."""

    pool: str
    conf: str = "/etc/ceph/ceph.conf"
    user: str = "client.admin"
    stripe: int = 4 << 20
    timeout: int = 30


@dataclass(frozen=True, slots=True)
class OpenPool:
    """A connected pool. `stripe` is a multiple of `alignment`, which writes have to keep."""

    cluster: Cluster
    ioctx: Ioctx
    options: PoolOptions
    number: int
    alignment: int
    stripe: int

    def close(self) -> None:
        """Blocks. Nothing may be under way on `ioctx`."""
        self.ioctx.close()
        self.cluster.shutdown()


def _user(text: str) -> str:
    return text if "." in text else f"client.{text}"


def _stripe(text: str) -> int:
    size = parse_size(text)
    if not SMALLEST_STRIPE <= size <= LARGEST_STRIPE:
        raise ValueError("expected a size from 64KiB to 64MiB")
    return size


def _timeout(text: str) -> int:
    seconds, rest = divmod(parse_duration(text), 10**9)
    if seconds < 1 or rest:
        raise ValueError("expected whole seconds, 1s or more")
    return seconds


OPTIONS: Final[dict[str, Callable[[str], str | int]]] = {
    "conf": str,
    "user": _user,
    "stripe": _stripe,
    "timeout": _timeout,
}


def parse_url(url: str) -> PoolOptions:
    """The options in `url`. Raises `ConfigError`."""
    split = urlsplit(url)
    pool = unquote(split.netloc)
    if split.scheme != "rados" or not pool or split.path not in ("", "/") or split.fragment:
        raise ConfigError("the URL of a pool is rados://POOL?conf=FILE&user=client.NAME")
    given: dict[str, str | int] = {}
    for name, text in parse_qsl(split.query, keep_blank_values=True):
        parse = OPTIONS.get(name)
        if parse is None:
            raise ConfigError(f"rados://{pool}: no parameter {name!r}, but {', '.join(OPTIONS)}")
        try:
            given[name] = parse(text)
        except ValueError as error:
            raise ConfigError(f"rados://{pool}: {name}={text}: {error}") from None
    return PoolOptions(pool, **given)  # type: ignore[arg-type]  # as OPTIONS parses them


def connect_pool(options: PoolOptions, *, namespace: str) -> OpenPool:
    """Connect to the cluster and open the pool. Blocks. Raises `ConfigError`."""
    load()
    if not Path(options.conf).is_file():
        raise ConfigError(f"rados://{options.pool}: there is no file {options.conf}")
    seconds = str(options.timeout)
    settings = {
        # Without these a call may last for ever.
        "client_mount_timeout": seconds,
        "rados_mon_op_timeout": seconds,
        "rados_osd_op_timeout": seconds,
        # Above what `rados.aio` lets through: at these limits librados blocks its caller.
        "objecter_inflight_ops": str(8 * OPERATIONS),
        "objecter_inflight_op_bytes": str(8 * BYTES),
    }
    try:
        cluster = new_cluster(options.conf, options.user, settings)
    except failures() as error:
        raise _refusal(options, f"{options.conf} cannot be used", error) from error
    try:
        return _open(cluster, options, namespace)
    except BaseException:
        cluster.shutdown()
        raise


def _open(cluster: Cluster, options: PoolOptions, namespace: str) -> OpenPool:
    try:
        cluster.connect()
    except failures() as error:
        what = f"{options.user} cannot connect by {options.conf}"
        raise _refusal(options, what, error) from error
    try:
        if not cluster.pool_exists(options.pool):
            raise ConfigError(f"rados://{options.pool}: there is no such pool")
        ioctx = cluster.open_ioctx(options.pool)
        ioctx.set_namespace(namespace)
        # A full pool refuses what makes it grow, at once, instead of holding everything back
        # until there is room; what makes it shrink goes on.
        ioctx.set_osdmap_full_try()
        alignment = ioctx.alignment() or 1
        stripe = -(-options.stripe // alignment) * alignment
        return OpenPool(cluster, ioctx, options, ioctx.get_pool_id(), alignment, stripe)
    except failures() as error:
        raise _refusal(options, "the pool cannot be opened", error) from error


def _refusal(options: PoolOptions, what: str, error: Exception) -> ConfigError:
    code = code_of(error)
    reason = os.strerror(code) if code else str(error)
    if code == errno.ETIMEDOUT:
        reason = f"no answer within {options.timeout}s"
    return ConfigError(f"rados://{options.pool}: {what}: {reason}")
