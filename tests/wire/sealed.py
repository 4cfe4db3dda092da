"""A node with a key ring, for the tests of encryption, and the keys of clients."""

from __future__ import annotations

import base64
import hashlib
import shutil
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.deployments import Deployment
from tests.conftest import empty_and_remove
from tests.harness import Node


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


RING = ",".join(f"{name}:{b64(bytes([n]) * 32)}" for n, name in enumerate(("aisle/1", "reports/1")))
REPORTS = "arn:aws:kms:us-east-1:000000000000:key/reports"
KEY, OTHER = b"customer-key-0123456789abcdefghi", b"another--key-0123456789abcdefghi"


def customer(key: bytes = KEY) -> dict[str, Any]:
    """The parameters by which a client gives its key."""
    return {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": key}


def source(key: bytes = KEY) -> dict[str, Any]:
    """The same for the source of a copy."""
    return {f"CopySource{name}": value for name, value in customer(key).items()}


def headers(
    key: bytes = KEY, prefix: str = "x-amz-server-side-encryption-customer-"
) -> dict[str, str]:
    """The same on the wire."""
    return {
        f"{prefix}algorithm": "AES256",
        f"{prefix}key": b64(key),
        f"{prefix}key-md5": b64(hashlib.md5(key).digest()),
    }


@pytest.fixture(scope="session")
def sealing_node(
    deployment: Deployment, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Node | Cluster]:
    """A node that encrypts what comes."""
    data = tmp_path_factory.mktemp("sealing") / "data"
    running = deployment.start(data, environment={"AISLE_KEY_RING": RING})
    yield running
    assert running.stop() == 0, running.log_tail()
    shutil.rmtree(running.data)


@pytest.fixture(scope="session")
def sealing(sealing_node: Node) -> Any:
    """A boto3 client of it."""
    return sealing_node.client(s3={"addressing_style": "path"})


@pytest.fixture
def vault(sealing: Any) -> Iterator[str]:
    """A fresh bucket on it."""
    name = f"vault-{uuid.uuid4().hex[:12]}"
    sealing.create_bucket(Bucket=name)
    yield name
    empty_and_remove(sealing, name)
