"""Fixtures of the wire tests, beside those that all tests share."""

from tests.wire.people import alices, people

__all__ = ["alices", "people"]
