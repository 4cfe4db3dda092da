"""Files of HTTP servers, to be read."""

from aisle.backend.ht.provider import HttpProvider

__all__ = ["HttpProvider"]
