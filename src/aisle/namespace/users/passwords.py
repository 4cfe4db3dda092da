"""Passwords: argon2id, made and checked in threads, few at a time, and never quickly in a row.

`check` takes the same work for a user that is not there, for one without a password and for a wrong
one, and tells the same. Each failure makes the next try wait longer, by user and by where it comes
from; a try counts as a failure from its beginning, so that many at a time gain nothing. What is
remembered of tries is this process's own and bounded.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable
from functools import cache
from typing import Final, NamedTuple, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from aisle.core.errors import InvalidCredentials, InvalidPassword, TooManyAttempts
from aisle.namespace.records import User
from aisle.namespace.store import Store
from aisle.namespace.users import root, users
from aisle.namespace.users.names import ROOT, is_name

T = TypeVar("T")
MAX_BYTES: Final = 1024
# The second choice of OWASP's password storage cheat sheet: 19 MiB, two passes.
_HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
_AT_ONCE: Final = 2
_WAITING: Final = 64
_REMEMBERED: Final = 10_000
_FORGIVEN: Final = 900.0  # seconds after which failures are forgotten
_FREE: Final = 5  # tries before anybody has to wait
_FIRST: Final = 0.5
# A stranger can make a user wait, but not for long; an address that guesses waits longer.
_LONGEST_USER: Final = 5.0
_LONGEST_ADDRESS: Final = 60.0


class _Work:
    """At most so many hashes at a time, and so many waiting for their turn."""

    def __init__(self) -> None:
        self._turn = asyncio.Semaphore(_AT_ONCE)
        self._count = 0

    async def run(self, work: Callable[[], T]) -> T:
        if self._count >= _WAITING:
            raise TooManyAttempts(1.0)
        self._count += 1
        try:
            async with self._turn:
                return await asyncio.to_thread(work)
        finally:
            self._count -= 1


_works: dict[asyncio.AbstractEventLoop, _Work] = {}


def _work() -> _Work:
    loop = asyncio.get_running_loop()
    found = _works.get(loop)
    if found is None:
        _works.clear()  # a process has one loop at a time
        found = _works[loop] = _Work()
    return found


async def encode(password: str) -> str:
    """What is kept of a password. Raises `InvalidPassword`."""
    if not password.strip():
        raise InvalidPassword("a password has more than spaces")
    if len(password) > MAX_BYTES or len(_bytes(password)) > MAX_BYTES:
        raise InvalidPassword(f"a password has up to {MAX_BYTES} bytes")
    return await _work().run(lambda: _HASHER.hash(_bytes(password)))


def _bytes(password: str) -> bytes:
    return password.encode("utf-8", "surrogatepass")


@cache
def _nobodys() -> str:
    """The encoding of no password at all, to have something to compare with."""
    return _HASHER.hash(b"\xff")


def matches(encoded: str, password: bytes) -> bool:
    """Whether `encoded` was made of `password`. Where there is none it takes as long to say no."""
    try:
        _HASHER.verify(encoded or _nobodys(), password)
    except (VerificationError, InvalidHashError):
        return False
    return bool(encoded)


class _Tries(NamedTuple):
    number: int
    last: float


class Throttle:
    """Who has to wait before the next try, by name; it remembers a bounded number of names."""

    def __init__(self, longest: float) -> None:
        self._longest = longest
        self._tries: OrderedDict[str, _Tries] = OrderedDict()

    def wait(self, name: str, now: float) -> float:
        """Seconds until the next try of `name` counts."""
        count, last = self._tries.get(name, _Tries(0, now))
        if count < _FREE or now - last > _FORGIVEN:
            return 0.0
        pause = min(self._longest, _FIRST * 2.0 ** min(count - _FREE, 30))
        return max(0.0, last + pause - now)

    def begin(self, name: str, now: float) -> None:
        """Count a try, as a failed one."""
        count, last = self._tries.pop(name, _Tries(0, now))
        self._tries[name] = _Tries(1 if now - last > _FORGIVEN else count + 1, now)
        if len(self._tries) > _REMEMBERED:
            self._tries.popitem(last=False)

    def succeed(self, name: str, *, forgive: bool) -> None:
        """The try was a right one: take it back, or with `forgive` all before it as well."""
        found = self._tries.pop(name, None)
        if found is not None and found.number > 1 and not forgive:
            self._tries[name] = _Tries(found.number - 1, found.last)


class Passwords:
    """The checking of passwords in one process. `root` is the administrator's, if it has one."""

    def __init__(
        self,
        root: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        match: Callable[[str, bytes], bool] = matches,
    ) -> None:
        self._root = _bytes(root)
        self._match = match
        self._clock = clock
        self._users = Throttle(_LONGEST_USER)
        self._addresses = Throttle(_LONGEST_ADDRESS)

    async def check(self, store: Store, name: str, password: str, *, address: str = "") -> User:
        """The user whose name and password these are. Raises `InvalidCredentials`, and
        `TooManyAttempts` whether they are right or not."""
        now, place = self._clock(), _network(address)
        user = name if is_name(name) else ""
        pause = max(self._users.wait(user, now), self._addresses.wait(place, now))
        if pause:
            raise TooManyAttempts(pause)
        self._users.begin(user, now)
        self._addresses.begin(place, now)
        known = await self._known(store, user, password)
        self._users.succeed(user, forgive=True)
        self._addresses.succeed(place, forgive=False)
        return known

    async def _known(self, store: Store, name: str, password: str) -> User:
        known = root.row() if name == ROOT else await users.find(store, name)
        encoded = known.password if known is not None else ""
        if len(password) > MAX_BYTES:
            password, encoded = "", ""
        given = _bytes(password)
        matched = await _work().run(lambda: self._match(encoded, given))
        if name == ROOT:
            matched = bool(self._root) and hmac.compare_digest(self._root, given)
        if known is None or not matched:
            raise InvalidCredentials
        return known


def _network(address: str) -> str:
    """Where tries are counted together: an IPv4 address, or the network of an IPv6 host."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((int(found) >> 64 << 64, 64)))
