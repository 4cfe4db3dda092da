"""The capacity model and the page that shows it."""

from __future__ import annotations

import importlib.util
import re
import sys
from types import ModuleType
from typing import Final

import pytest

from aisle.store.postgres.index import LANES, READERS
from tests.deploy.tools import ROOT


def _model() -> ModuleType:
    spec = importlib.util.spec_from_file_location("capacity", ROOT / "scripts" / "capacity.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look for it
    spec.loader.exec_module(module)
    return module


MODEL: Final = _model()
TEXT: Final = (ROOT / "docs" / "scale-out.md").read_text()


def test_the_page_shows_what_the_model_says() -> None:
    shown = TEXT.split(MODEL.BEGIN)[1].split(MODEL.END)[0]
    assert shown.strip() == MODEL.render().strip(), "run: python scripts/capacity.py --write"


def test_the_tests_that_the_page_names_exist() -> None:
    named = set(re.findall(r"`((?:[a-z]+/)+test_\w+)`", TEXT))
    assert named
    assert [name for name in sorted(named) if not (ROOT / "tests" / f"{name}.py").exists()] == []


def test_connections_are_those_of_the_engine() -> None:
    assert MODEL.CONNECTIONS == LANES + READERS
    assert f"A worker holds up to {MODEL.CONNECTIONS} " in TEXT
    assert f"Ten gateways of 8 workers need {(10 + 1) * 8 * MODEL.CONNECTIONS}." in TEXT


@pytest.mark.parametrize(
    ("row", "operation"),
    [
        ("GET 4 KiB, 32 connections", "GET"),
        ("GET 4 KiB, 2 connections", "GET_ALONE"),
        ("PUT 4 KiB, new key, 32 connections", "PUT"),
        ("PUT 4 KiB, new key, 2 connections", "PUT_ALONE"),
        ("DELETE 4 KiB, 32 connections", "DELETE"),
    ],
)
def test_the_model_uses_what_the_page_says_was_measured(row: str, operation: str) -> None:
    found = re.search(rf"\| {re.escape(row)} \| (\d+) us \| (\d+) us \|", TEXT)
    assert found
    cost = getattr(MODEL, operation)
    assert (cost.gateway, cost.database) == (float(found[1]), float(found[2]))


def test_sums_are_right() -> None:
    """Rows of each table, worked out by hand."""
    # 509 bytes a row; with a body 6,161.
    assert "| 1,000,000,000 | 390 GB | 510 GB | 140 GB | 6.2 TB |" in MODEL.index_size()
    # 5.6 cores for 1.79 s a GiB, 5.24 s a GiB, 174 us and 321 us.
    assert "| 1 | 40 | 99 | 0.016 | 3.1 | 1.1 | 32,000 | 17,000 |" in MODEL.gateways()
    # 22.4 cores for 114 us a PUT are 196,491 PUTs/s, of 5,324 bytes of log and 0.132 ids; their
    # gateways are busy for 63 cores, 5.6 each.
    assert "| PUT 4 KiB | 200,000 | 50,000 | 11 | 1 GB/s | 21 h |" in MODEL.database()
    # A billion of those take 5,089 s; 3.9 million GiB take 560 cores 36,550 s.
    assert "| 1.4 h | 10.2 h |" in MODEL.billion()
