"""`AwsProvider`: opens remote S3 buckets, and lists those that the cluster's credentials may."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final

from aisle.backend.aws.addresses import encode_query
from aisle.backend.aws.backend import AwsBackend
from aisle.backend.aws.credentials import Chain
from aisle.backend.aws.options import Account, Options, read_options
from aisle.backend.aws.replies import read_buckets
from aisle.backend.aws.service import Call, Service
from aisle.core.errors import RemoteRefused
from aisle.outgoing.persist import LIMITS, Limits
from aisle.outgoing.transport import Transport

_PAGES: Final = 1000  # of a listing of buckets, which no account has as many of


class AwsProvider:
    """See `Provider`. Buckets share connections; those of one profile share its credentials."""

    name = "aws"

    def __init__(
        self, environment: Mapping[str, str] | None = None, limits: Limits = LIMITS
    ) -> None:
        self._environment = os.environ if environment is None else environment
        self._transport = Transport(limits)
        self._chains: dict[Account, Chain] = {}

    def open(self, bucket: str, settings: Mapping[str, Any], *, namespace: str = "") -> AwsBackend:
        del namespace  # S3 has none
        options = read_options(bucket, settings, self._environment)
        return AwsBackend(self._transport, self._chain(options), options)

    async def buckets(self, settings: Mapping[str, Any], *, namespace: str = "") -> list[str]:
        del namespace
        options = read_options("", settings, self._environment)
        service = Service(self._transport, self._chain(options), options, "aws://")
        names: list[str] = []
        token = ""
        for _ in range(_PAGES):
            query = {"max_buckets": "1000", **({"continuation_token": token} if token else {})}
            call = Call("GET", "ListBuckets", query=encode_query(**query))
            page, token = read_buckets(service.name, (await service.call(call)).body)
            names += page
            if not token:
                return sorted(set(names))
        raise RemoteRefused(service.name, "the listing of buckets has no end", status=502)

    async def close(self) -> None:
        await self._transport.close()

    def _chain(self, options: Options) -> Chain:
        if options.account not in self._chains:
            self._chains[options.account] = Chain(options.account)
        return self._chains[options.account]
