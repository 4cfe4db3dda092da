"""Buckets behind buckets: what a remote one did not do, and what stands in the way of asking it.

`RemoteError` and its subclasses are all that a backend raises; the others are about windows, what
they are attached to, and inventories.
"""

from __future__ import annotations

from collections.abc import Sequence

from aisle.core.errors.base import AisleError


class RemoteError(AisleError):
    """A remote bucket did not do what was asked of it. `bucket` is its name, such as `aws://b`;
    `code` is what its service calls the error, `""` if it said nothing."""

    def __init__(self, bucket: str, message: str, *, code: str = "") -> None:
        super().__init__(f"{bucket}: {message}")
        self.bucket = bucket
        self.code = code


class RemoteBucketNotFound(RemoteError):
    """There is no such remote bucket (any more)."""


class RemoteObjectNotFound(RemoteError):
    """There is no such remote object; who asked for it makes this an `ObjectNotFound`."""


class RemoteDenied(RemoteError):
    """The cluster's credentials are wrong, absent, expired, or may not do this."""


class RemoteThrottled(RemoteError):
    """The service asks for fewer requests; after `retry_after` seconds one more may come."""

    def __init__(
        self, bucket: str, message: str, *, code: str = "", retry_after: float = 1.0
    ) -> None:
        super().__init__(bucket, message, code=code)
        self.retry_after = retry_after


class RemoteUnavailable(RemoteError):
    """The service does not answer, answers too late, or says that it cannot now."""


class RemoteUnknown(RemoteUnavailable):
    """No answer came to a request that may have been carried out."""


class RemoteBroken(RemoteError):
    """A body ended early, was too long, or is not what its checksum says. Nothing was kept."""


class RemoteChanged(RemoteError):
    """The remote object was replaced while it was read."""


class RemoteRefused(RemoteError):
    """Any other refusal; `status` is that of HTTP."""

    def __init__(self, bucket: str, message: str, *, status: int, code: str = "") -> None:
        super().__init__(bucket, message, code=code)
        self.status = status


class RemoteLoop(RemoteRefused):
    """A request has come through this cluster before: windows form a circle."""

    def __init__(self, bucket: str) -> None:
        super().__init__(
            bucket,
            "the request has come through this cluster before: windows of clusters on each other"
            " form a circle",
            status=508,
            code="LoopDetected",
        )


class ClusterNotAttached(AisleError):
    """A bucket is named as one of a cluster that is not attached; `cluster` as it was named."""

    def __init__(self, cluster: str) -> None:
        super().__init__(f'remote cluster "{cluster}" is not attached')
        self.cluster = cluster


class BackendDisabled(AisleError):
    """The provider is switched off, or what it needs is not installed or not configured."""


class AmbiguousName(AisleError):
    """S3 clients name buckets without their provider, and several have this name."""

    def __init__(self, bucket: str, providers: Sequence[str]) -> None:
        super().__init__(f'the bucket name "{bucket}" is ambiguous: {", ".join(providers)}')
        self.bucket = bucket


class ColdGetDisabled(AisleError):
    """The object is in the remote bucket only, and is not to be fetched from there."""

    def __init__(self, bucket: str, key: str) -> None:
        super().__init__(
            f'object "{bucket}/{key}" is not in the cluster, and fetching it is disabled'
        )
        self.bucket = bucket
        self.key = key


class InventoryNotFound(AisleError):
    """A remote bucket has no such inventory, or none at all."""


class InventoryExists(AisleError):
    """A bucket has an inventory already, or one is being made."""


class InventoryDamaged(AisleError):
    """An inventory is not what its makers document; nothing of it is used."""


class InventoryBusy(AisleError):
    """An inventory is being read in for the first time; after `retry_after` seconds it may be
    there."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after
