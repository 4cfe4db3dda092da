"""Inventories of buckets of our own: what a configuration says, what a record has, how files of
them are written and where they lie. Jobs (`jobs.work.listing`) put them together.

Spec: Amazon S3 user guide, "Amazon S3 Inventory list", "Locating your inventory list".
"""
