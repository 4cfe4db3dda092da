"""An event loop, each provider with a running service and a new bucket, and what several providers'
own tests share: a proxy as new, and AWS's files and environment.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from aisle.backend.base import Backend
from tests.backend.cases import CASES, Case, Site, write_profile
from tests.harness import ACCESS_KEY, SECRET_KEY
from tests.servers.faults import FaultProxy
from tests.store.conftest import Run

AWS_NAMES = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
             "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION")  # fmt: skip


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    with asyncio.Runner() as runner:
        yield runner.run


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case.name)
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, run: Run
) -> Iterator[Site]:
    """A provider, and the service that it speaks to."""
    case: Case = request.param
    with case.open(tmp_path_factory.mktemp(case.name)) as opened:
        yield opened
        run(opened.provider.close())


@pytest.fixture
def bucket(site: Site) -> str:
    """A new bucket of the service."""
    return site.make()


@pytest.fixture
def backend(site: Site, bucket: str, run: Run) -> Iterator[Backend]:
    """The new bucket, through the port."""
    opened = site.provider.open(bucket, site.settings, namespace=site.namespace)
    yield opened
    run(opened.close())


@pytest.fixture
def faults(proxy: FaultProxy) -> Iterator[FaultProxy]:
    """The proxy in front of the service of the module, as new."""
    proxy.reset()
    yield proxy
    proxy.reset()


@pytest.fixture
def no_aws_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """botocore's chain sees nothing of whoever runs the tests."""
    for name in AWS_NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent/config")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent/credentials")
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:9")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """AWS's files, in which the profile `origin` has the keys of an Aisle node."""
    write_profile(tmp_path, profile="origin", access=ACCESS_KEY, secret=SECRET_KEY)
    return tmp_path
