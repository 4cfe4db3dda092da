"""Rows of event notifications: `notification`, `undelivered`, `target`."""

from __future__ import annotations

from aisle.namespace.records.base import Record


class Notification(Record, frozen=True, array_like=True):
    """An event that a target is to be told of; the row's key says which target, and in which order.

    `rule` is the id of the configuration that asked for it, empty for EventBridge's; `version` as
    clients call it, empty where the bucket never had any. `attempts` counts what the target has
    refused; of an undelivered one `error` says why, at last. `again` is when somebody had it sent
    again after it had been given up, 0 for never.
    """

    at: int
    rule: str
    event: str
    bucket: str
    owner: str
    key: bytes
    size: int
    etag: str
    version: str
    principal: str
    address: str
    request: str
    attempts: int = 0
    error: str = ""
    again: int = 0

    @property
    def since(self) -> int:
        """From when on its age counts."""
        return self.again or self.at


class Delivery(Record, frozen=True, array_like=True):
    """What the holder of a target tells of it: how many wait, how many were delivered and given up
    in all; `full` if no more are taken, `error` why the last attempt failed, empty once one has not
    since."""

    queued: int = 0
    delivered: int = 0
    failed: int = 0
    full: bool = False
    error: str = ""
