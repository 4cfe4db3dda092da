"""THE table of commands: their names, help and examples, and where the code behind them is.

A command may have several names (`put`, `object put`). `--help` at every level, suggestions,
completion and the reference page come from it. A command's module is imported when the command is
run, so that `ais` starts at once.
"""

from __future__ import annotations

from typing import Final

from aisle.cli.command import Command
from aisle.cli.table import auth, buckets, cluster, itself, objects, work

__all__ = ["COMMANDS", "GROUPS", "Command"]

COMMANDS: Final = (
    *buckets.COMMANDS,
    *objects.COMMANDS,
    *work.COMMANDS,
    *cluster.COMMANDS,
    *auth.COMMANDS,
    *itself.COMMANDS,
)
GROUPS: Final = {
    "archive": "objects that are archives, and what is in them",
    "ml": "batches of training data",
    "advanced": "for scripts and special occasions",
    "alias": "other names for commands",
    "config cli": "the configuration of the command line itself",
    "bucket": "create, list, show, configure and remove buckets",
    "bucket inventory": "inventories that Amazon's S3 writes of its buckets",
    "nbi": "inventories of remote buckets that the cluster makes itself",
    "bucket props": "show, set and reset the props of a bucket",
    "object": "put, get, list, show and remove objects",
    "mpu": "upload an object in parts",
    "object mpu": "upload an object in parts",
    "object multipart-upload": "upload an object in parts",
    "show": "show a bucket, an object or the cluster",
    "job": "show, start, stop and wait for jobs",
    "config": "show, set and reset the configuration",
    "cluster": "the cluster's nodes and configuration",
    "cluster add-remove-nodes": "maintenance and end of nodes",
    "events": "events that no target took: show them, send them again, drop them",
    "log": "show and fetch the logs of nodes",
    "storage": "what is under the nodes, and how full it is",
    "performance": "counters, throughput and latency",
    "remote-cluster": "other clusters",
    "tls": "the certificates of nodes",
    "auth": "users, their keys, roles and logging in",
    "auth add": "make users, keys, policies, roles; register clusters",
    "auth show": "show users, keys, policies, roles, clusters, tokens",
    "auth update": "change users, keys, roles and clusters",
    "auth rm": "remove users, keys, policies, roles, clusters and tokens",
}
