"""Fixtures: the administrator of `node`, two tenants, and a bucket of the first one."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from tests.conftest import empty_and_remove
from tests.people import Person, alice, mallory, root

__all__ = ["alice", "mallory", "root"]


@pytest.fixture
def vault(alice: Person) -> Iterator[str]:
    """A bucket of alice's with an object called `secret`."""
    name = f"vault-{uuid.uuid4().hex[:12]}"
    alice.s3.create_bucket(Bucket=name)
    alice.s3.put_object(Bucket=name, Key="secret", Body=b"alice's secret")
    yield name
    empty_and_remove(alice.s3, name)


@pytest.fixture
def den(mallory: Person) -> Iterator[str]:
    """A bucket of mallory's."""
    name = f"den-{uuid.uuid4().hex[:12]}"
    mallory.s3.create_bucket(Bucket=name)
    yield name
    empty_and_remove(mallory.s3, name)
