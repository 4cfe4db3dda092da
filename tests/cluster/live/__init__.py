"""Suites on one site: three gateways over PostgreSQL and Ceph in a network of their own."""
