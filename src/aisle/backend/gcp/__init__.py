"""Google Cloud Storage, by its JSON API."""

from aisle.backend.gcp.provider import GcpProvider

__all__ = ["GcpProvider"]
