"""Fixtures: the administrator of `node`, and two tenants with an account each."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests import people
from tests.people import alice, mallory, root

__all__ = ["alice", "mallory", "root"]


@pytest.fixture
def fresh() -> Callable[[str], str]:
    """Names that nobody has had."""
    return people.fresh
