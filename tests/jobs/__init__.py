"""Tests of the jobs layer: leases, nodes, housekeeping."""
