"""Encryption: what a key cannot open, and keys that are not there.

None of these says anything of the key itself.
"""

from __future__ import annotations

from aisle.core.errors.base import AisleError
from aisle.core.errors.store import BlobMissing


class SealingError(AisleError):
    """An object cannot be encrypted as it was asked for, or cannot be decrypted."""


class CustomerKeyNeeded(SealingError):
    """The object is encrypted with a key that only its client has, and the request has none."""

    def __init__(self) -> None:
        super().__init__(
            "the object is encrypted with a key of its client's (SSE-C), which the request must"
            " bring along"
        )


class CustomerKeyWrong(SealingError):
    """The object is encrypted with another key than the one that the request has."""

    def __init__(self) -> None:
        super().__init__("the object is encrypted with another key of its client's (SSE-C)")


class CustomerKeyUnused(SealingError):
    """The request has a key, and the object is not encrypted with a key of its client's."""

    def __init__(self) -> None:
        super().__init__("the object is not encrypted with a key of its client's (SSE-C)")


class EncryptionBlocked(SealingError):
    """The bucket does not take objects that are encrypted so."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"the bucket does not take objects that are encrypted with {kind}")
        self.kind = kind


class EncryptionDiffers(SealingError):
    """The object is encrypted otherwise than a request that makes it longer says."""

    def __init__(self) -> None:
        super().__init__("the object is encrypted otherwise than the request says")


class KeyNotFound(SealingError):
    """The key ring has no key of this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the key ring has no key {name!r}")
        self.name = name


class KeyRingMissing(SealingError):
    """The node was started without a key ring, and shares its index, so it has made no key."""

    def __init__(self) -> None:
        super().__init__(
            "This node has no key ring: it can neither encrypt nor decrypt with keys of its own."
        )


class KeyUnusable(SealingError):
    """An object's key was wrapped with a key that this node does not have (any more)."""

    def __init__(self, identity: str) -> None:
        super().__init__(f"the key {identity} that the object is encrypted with is not at hand")
        self.identity = identity


class SealBroken(BlobMissing):
    """Encrypted bytes are not those that were written, or not in their place."""

    def __init__(self, blob: str) -> None:
        super().__init__(blob, "damaged: its encrypted bytes are not those that were written")
