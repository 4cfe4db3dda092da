"""Aisle: a lightweight, S3-compatible object store for AI and analytics data."""

__version__ = "0.1.0"
