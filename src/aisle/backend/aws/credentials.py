"""The AWS credential chain, as botocore walks it, for callers on an event loop.

botocore reads files, runs processes and asks services; all of that happens in a thread, one at a
time for an account, and is given up on after `SECONDS`. What it found is kept: credentials that
expire are renewed before they do, others when a service says that they are not good any more. The
machine's metadata service is left out of the chain unless the account says otherwise.
"""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path
from typing import Any, Final, NamedTuple

import botocore.exceptions
import botocore.session
from botocore.credentials import RefreshableCredentials

from aisle.backend.aws.options import Account
from aisle.core.errors import RemoteDenied

SECONDS: Final = 30.0
NOTHING_SECONDS: Final = 30.0  # for which it is believed that there are no credentials
AGAIN_SECONDS: Final = 10.0  # between two attempts to find better ones

_log = logging.getLogger("aisle.backend.aws")
# What it logs of a failure may have what a program or a service answered.
logging.getLogger("botocore").setLevel(logging.CRITICAL)


class Keys(NamedTuple):
    """What requests are signed with."""

    access: str
    secret: str
    token: str

    def __repr__(self) -> str:
        return f"Keys({self.access!r})"


class Chain:
    """The credentials of one account, and the region that its profile names."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._lock = asyncio.Lock()
        self._found: Any = None  # botocore's credentials
        self._keys: Keys | None = None
        self._region = ""
        self._good_until = 0.0
        self._again_from = 0.0

    async def keys(self, name: str) -> Keys | None:
        """What to sign with, `None` to go unsigned. Raises `RemoteDenied` of the bucket `name` if
        there should be credentials and none can be had."""
        if self._fresh():
            return self._keys
        async with self._lock:
            if not self._fresh():
                await self._renew(name)
            return self._keys

    async def region(self, name: str) -> str:
        """The region that the account's profile names, `""` if none."""
        await self.keys(name)
        return self._region

    def forget(self) -> None:
        """The service does not take the credentials: look for others, if that is not too soon."""
        if time.monotonic() >= self._again_from:
            self._found = None
            self._good_until = 0.0

    def _fresh(self) -> bool:
        if time.monotonic() >= self._good_until:
            return False
        found = self._found
        if not isinstance(found, RefreshableCredentials):
            return True
        return not found.refresh_needed() or time.monotonic() < self._again_from

    async def _renew(self, name: str) -> None:
        self._again_from = time.monotonic() + AGAIN_SECONDS
        try:
            async with asyncio.timeout(SECONDS):
                found, keys, region = await asyncio.to_thread(_look, self._account, self._found)
        except (
            TimeoutError,
            botocore.exceptions.BotoCoreError,
            OSError,
            RuntimeError,
            ValueError,
        ) as error:
            what = type(error).__name__
            if self._found is not None and self._keys is not None:
                # Those that there are may be good for a while; the service will tell.
                _log.warning("the credentials of S3 could not be renewed: %s", what)
                return
            raise RemoteDenied(name, f"the cluster's credentials cannot be had: {what}") from None
        self._found, self._keys, self._region = found, keys, region
        self._good_until = time.monotonic() + NOTHING_SECONDS if keys is None else float("inf")


def _look(account: Account, found: Any) -> tuple[Any, Keys | None, str]:
    """Walk the chain, or renew what it has found before. Blocks."""
    session = botocore.session.Session(profile=account.profile or None)
    if account.files:
        session.set_config_variable("config_file", str(Path(account.files, "config")))
        session.set_config_variable("credentials_file", str(Path(account.files, "credentials")))
    if found is None:
        resolver = session.get_component("credential_provider")
        if not account.metadata:
            resolver.remove("iam-role")
        found = resolver.load_credentials()
    region = session.get_config_variable("region") or ""
    if found is None:
        return None, None, region
    frozen = found.get_frozen_credentials()
    return found, Keys(frozen.access_key, frozen.secret_key, frozen.token or ""), region
