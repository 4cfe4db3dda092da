"""An event loop, and each provider with a running service and a new bucket."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from aisle.backend.base import Backend
from tests.backend.cases import CASES, Case, Site
from tests.store.conftest import Run


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
