"""The providers that the contract of the port is held over, each with a real service.

A new one is one more row of `CASES`. A `Site` is a running service: it makes remote buckets behind
the backends' backs, and says what the service cannot do.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from aisle.backend.ais import AisProvider
from aisle.backend.aws import AwsProvider
from aisle.backend.azure import AzureProvider
from aisle.backend.base import Provider
from aisle.backend.gcp import GcpProvider
from aisle.backend.ht import HttpProvider
from aisle.core.origins import ORIGINAL_URL
from tests.backend.memory import MemoryProvider, MemoryRemote
from tests.harness import ACCESS_KEY, SECRET_KEY, Node
from tests.servers import azurite, gcs, moto, s3
from tests.servers.clusters import token_of, uuid_of
from tests.servers.gateway import Gateway
from tests.servers.nginx import Nginx


@dataclass
class Site:
    """A provider with its service. `make` makes a bucket and returns its name; `lacks` names what
    the service has not: `conditions`, `versions`, `buckets` (their list), `metadata`, `parts`,
    `absence` (of a bucket)."""

    provider: Provider
    make: Callable[[], str]
    settings: Mapping[str, Any] = field(default_factory=dict)
    namespace: str = ""
    lacks: frozenset[str] = frozenset()
    absent: str = "absent-bucket-0b9f"
    # Store an object as a client of the service would, and remove it; none if that is `put`.
    store: Callable[[str, str, bytes], None] | None = None


class Case(NamedTuple):
    """`open` starts the service, with files under a directory, and ends what it started."""

    name: str
    open: Callable[[Path], AbstractContextManager[Site]]


def new_name() -> str:
    return f"remote-{uuid.uuid4().hex[:16]}"


@contextlib.contextmanager
def _memory(directory: Path) -> Iterator[Site]:
    del directory
    remote = MemoryRemote(versioned=True)

    def make() -> str:
        name = new_name()
        remote.make(name)
        return name

    yield Site(MemoryProvider(remote), make)


def write_profile(directory: Path, *, profile: str, access: str, secret: str) -> None:
    """AWS's files with one profile more."""
    text = f"[{profile}]\naws_access_key_id = {access}\naws_secret_access_key = {secret}\n"
    with (directory / "credentials").open("a") as file:
        file.write(text)
    with (directory / "config").open("a") as file:
        file.write(f"[profile {profile}]\nregion = us-east-1\n")


def _s3(endpoint: str, client: Any, directory: Path, access: str, secret: str) -> Site:
    write_profile(directory, profile="tests", access=access, secret=secret)

    def make() -> str:
        name = new_name()
        client.create_bucket(Bucket=name)
        return name

    def store(bucket: str, key: str, body: bytes) -> None:
        client.put_object(Bucket=bucket, Key=key, Body=body)

    return Site(
        AwsProvider({"AIS_S3_CONFIG_DIR": str(directory)}),
        make,
        {"extra.aws.endpoint": endpoint, "extra.aws.profile": "tests"},
        store=store,
    )


@contextlib.contextmanager
def _aws_moto(directory: Path) -> Iterator[Site]:
    server = moto.shared()
    yield _s3(server.endpoint, server.client(endpoint=server.root), directory, "testing", "testing")


@contextlib.contextmanager
def _aws_aisle(directory: Path) -> Iterator[Site]:
    server = s3.shared()
    yield _s3(server.root, server.client(), directory, ACCESS_KEY, SECRET_KEY)


@contextlib.contextmanager
def _gcp(directory: Path) -> Iterator[Site]:
    del directory
    server = gcs.shared()

    def make() -> str:
        name = new_name()
        server.make(name)
        return name

    yield Site(GcpProvider(server.environment), make)


@contextlib.contextmanager
def _azure(directory: Path) -> Iterator[Site]:
    del directory
    server = azurite.shared()

    def make() -> str:
        name = new_name()
        server.make(name)
        return name

    # An upload in blocks has no id that anybody could be told.
    yield Site(AzureProvider(server.environment), make, lacks=frozenset({"parts", "versions"}))


@contextlib.contextmanager
def _ht(directory: Path) -> Iterator[Site]:
    server = Nginx(directory).start()

    def store(bucket: str, key: str, body: bytes) -> None:
        path = server.files / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        # nginx makes ETags of size and time, in seconds.
        os.utime(path, times=(next(seconds), next(seconds)))

    seconds = itertools.count(int(time.time()) - 1800)
    settings = {ORIGINAL_URL: f"{server.root}/files/"}
    lacks = frozenset({"absence", "buckets", "versions"})
    try:
        yield Site(HttpProvider(), lambda: "directory", settings, lacks=lacks, store=store)
    finally:
        server.stop()


def _cluster(server: Node, url: str, **more: Any) -> Site:
    def make() -> str:
        name = new_name()
        server.client().create_bucket(Bucket=name)
        return name

    return Site(
        AisProvider({"AIS_REMOTE_TOKEN_EAST": token_of(server)}),
        make,
        {"backend.ais.east": f"{uuid_of(server)} {url}", "uuid": "own"},
        namespace="@east",
        **more,
    )


@contextlib.contextmanager
def _ais(directory: Path) -> Iterator[Site]:
    """Objects go in one piece, and have no versions but the latest."""
    del directory
    server = s3.shared()
    yield _cluster(server, server.root, lacks=frozenset({"parts", "versions"}))


@contextlib.contextmanager
def _aistore(directory: Path) -> Iterator[Site]:
    """As AIStore has it: a gateway that redirects, no conditions, no headers but the type."""
    del directory
    server = s3.shared()
    with Gateway(server.port, uuid_of(server)) as gateway:
        lacks = frozenset({"parts", "versions", "conditions", "metadata"})
        yield _cluster(server, gateway.url, lacks=lacks)


CASES = (
    Case("memory", _memory),
    Case("aws-moto", _aws_moto),
    Case("aws-aisle", _aws_aisle),
    Case("gcp", _gcp),
    Case("azure", _azure),
    Case("ht", _ht),
    Case("ais", _ais),
    Case("ais-aistore", _aistore),
)
