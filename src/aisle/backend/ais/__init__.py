"""Buckets of other clusters, Aisle's or AIStore's, over their native API: provider `ais`."""

from aisle.backend.ais.provider import AisProvider

__all__ = ["AisProvider"]
