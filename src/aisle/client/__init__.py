"""A small synchronous client of the native API, in Python's words; docs/client.md shows its use.

NVIDIA's SDK remains the one for programs that are to run against AIStore as well. What is below is
imported when it is first used: `ais --help` shares this package and needs none of it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from aisle.client.auth import AccessKey, Auth, Cluster, Permission, Role, User
    from aisle.client.buckets import Bucket, Entry, Summary
    from aisle.client.client import Client
    from aisle.client.environment import Keys
    from aisle.client.errors import BadChecksum, ClientError, Conflict, Denied, NotFound, Refused
    from aisle.client.jobs import Job, JobStatus
    from aisle.client.objects import Object, Properties
    from aisle.client.replies import Reply

__all__ = [
    "AccessKey",
    "Auth",
    "BadChecksum",
    "Bucket",
    "Client",
    "ClientError",
    "Cluster",
    "Conflict",
    "Denied",
    "Entry",
    "Job",
    "JobStatus",
    "Keys",
    "NotFound",
    "Object",
    "Permission",
    "Properties",
    "Refused",
    "Reply",
    "Role",
    "Summary",
    "User",
]

_MODULES: Final = {
    "auth": ("AccessKey", "Auth", "Cluster", "Permission", "Role", "User"),
    "buckets": ("Bucket", "Entry", "Summary"),
    "client": ("Client",),
    "environment": ("Keys",),
    "errors": ("BadChecksum", "ClientError", "Conflict", "Denied", "NotFound", "Refused"),
    "jobs": ("Job", "JobStatus"),
    "objects": ("Object", "Properties"),
    "replies": ("Reply",),
}


def __getattr__(name: str) -> object:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
