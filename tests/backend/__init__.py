"""Providers of remote buckets: one contract for all of them, and what is special of each."""
