"""The service, the proxy before it, and a bucket there with an object of 1 MiB."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aisle.backend.aws import AwsProvider
from aisle.backend.aws.backend import AwsBackend
from tests.backend.aws_faults.service import LIMITS, MIB, opened
from tests.backend.cases import new_name, write_profile
from tests.backend.test_contract import outgoing, some_bytes
from tests.harness import ACCESS_KEY, SECRET_KEY
from tests.servers import s3
from tests.servers.faults import FaultProxy
from tests.store.conftest import Run


@pytest.fixture(scope="module")
def proxy() -> Iterator[FaultProxy]:
    with FaultProxy(s3.shared().port) as running:
        yield running


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory, run: Run) -> Iterator[AwsProvider]:
    files: Path = tmp_path_factory.mktemp("aws")
    write_profile(files, profile="tests", access=ACCESS_KEY, secret=SECRET_KEY)
    write_profile(files, profile="wrong", access=ACCESS_KEY, secret="x" * 40)
    write_profile(files, profile="stranger", access="NOBODYSACCESSKEY0000", secret="x" * 40)
    made = AwsProvider({"AIS_S3_CONFIG_DIR": str(files)}, LIMITS)
    yield made
    run(made.close())


@pytest.fixture
def bucket() -> str:
    name = new_name()
    s3.shared().client().create_bucket(Bucket=name)
    return name


@pytest.fixture
def backend(provider: AwsProvider, faults: FaultProxy, bucket: str, run: Run) -> AwsBackend:
    made = opened(provider, faults, bucket)
    run(made.put("key", outgoing(some_bytes(MIB))))
    faults.reset()
    return made
