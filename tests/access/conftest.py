"""Fixtures of the tests of who may do what over S3, on a node of one machine."""

from tests.wire.people import alices, people

__all__ = ["alices", "people"]
