"""Azure Blob storage, by its REST API."""

from aisle.backend.azure.provider import AzureProvider

__all__ = ["AzureProvider"]
