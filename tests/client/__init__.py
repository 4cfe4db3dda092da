"""Tests of `aisle.client`: against a node, and against small servers that misbehave."""
