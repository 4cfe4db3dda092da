"""A bucket behind the proxy with the faults, and errors as the service words them."""

from __future__ import annotations

from typing import Any

from aisle.backend.aws import AwsProvider
from aisle.backend.aws.backend import AwsBackend
from aisle.outgoing.persist import Limits
from tests.servers.faults import FaultProxy

MIB = 1 << 20
LIMITS = Limits(backoff=0.001, reply=1.0, idle=0.5, attempts=3, budget=10**9)
XML = {"Content-Type": "application/xml"}


def opened(provider: AwsProvider, faults: FaultProxy, bucket: str, **more: Any) -> AwsBackend:
    settings = {"extra.aws.endpoint": faults.endpoint, "extra.aws.profile": "tests", **more}
    return provider.open(bucket, settings)


def error_of(code: str) -> bytes:
    return f"<Error><Code>{code}</Code><Message>m</Message></Error>".encode()
