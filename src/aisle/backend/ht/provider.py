"""`HttpProvider`: addresses of HTTP servers as buckets, by their prop `extra.http.original_url`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final

from aisle.backend.ht.backend import HttpBackend
from aisle.backend.ht.origin import Origin, Transports
from aisle.core.errors import InvalidArgument, NotSupported
from aisle.core.features import BY_NAME
from aisle.core.origins import ORIGINAL_URL, base_url
from aisle.outgoing.addresses import PublicResolver
from aisle.outgoing.persist import LIMITS, Limits
from aisle.outgoing.transport import Transport

_PRIVATE: Final = BY_NAME["Dload-Allow-Private-Egress"].mask


class HttpProvider:
    """See `Provider`. Nothing is taken from the environment."""

    name = "ht"

    def __init__(
        self, environment: Mapping[str, str] = os.environ, limits: Limits = LIMITS
    ) -> None:
        del environment
        self._limits = limits
        self._transports: Transports | None = None

    def open(self, bucket: str, settings: Mapping[str, Any], *, namespace: str = "") -> HttpBackend:
        address = str(settings.get(ORIGINAL_URL, ""))
        if not address:
            raise InvalidArgument(
                f"a bucket of provider ht needs {ORIGINAL_URL}", name=ORIGINAL_URL
            )
        base = base_url(address)
        private = bool(int(settings.get("features", 0)) & _PRIVATE)
        if self._transports is None:
            self._transports = Transports(
                Transport(self._limits), Transport(self._limits, resolver=PublicResolver())
            )
        return HttpBackend(Origin(self._transports, f"ht://{bucket}", base, private=private), base)

    async def buckets(self, settings: Mapping[str, Any], *, namespace: str = "") -> list[str]:
        raise NotSupported("HTTP servers have no list of buckets")

    async def close(self) -> None:
        if self._transports is not None:
            await self._transports.close()
