"""Fixtures of the wire tests, beside those that all tests share."""

from tests.wire.locks import locked
from tests.wire.people import alices, people
from tests.wire.sealed import sealing, sealing_node, vault

__all__ = ["alices", "locked", "people", "sealing", "sealing_node", "vault"]
