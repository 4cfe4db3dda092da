"""The site that the suites of failures and of consistency share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster.site import Site


@pytest.fixture(scope="package")
def running_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Three gateways over PostgreSQL and Ceph. The tests of this package that follow run inside
    its network: they must not start anything that outlives them."""
    started = Site(tmp_path_factory.mktemp("site")).start()
    yield started
    started.stop()


@pytest.fixture
def site(running_site: Site) -> Iterator[Site]:
    """The site in good health, and healed afterwards."""
    yield running_site
    running_site.heal()
