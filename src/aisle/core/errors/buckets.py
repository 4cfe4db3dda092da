"""Buckets, objects, archives and uploads: what is not there, is there already, or is not as asked.

What a bucket behind a bucket adds to these is in `remote`.
"""

from __future__ import annotations

from collections.abc import Mapping

from aisle.core.errors.base import AisleError


class BucketNotFound(AisleError):
    """`provider` is `""` where only the request tells whose bucket is meant."""

    def __init__(self, bucket: str, namespace: str = "", provider: str = "") -> None:
        super().__init__(f'bucket "{bucket}" does not exist')
        self.bucket = bucket
        self.namespace = namespace
        self.provider = provider


class BucketExists(AisleError):
    """The name is taken; `owned` tells whether by the caller."""

    def __init__(self, bucket: str, *, owned: bool, namespace: str = "") -> None:
        super().__init__(f'bucket "{bucket}" already exists')
        self.bucket = bucket
        self.namespace = namespace
        self.owned = owned


class BucketNotEmpty(AisleError):
    """The bucket has objects or uploads, or if it is or was `versioned` perhaps only versions."""

    def __init__(self, bucket: str, *, versioned: bool = False) -> None:
        super().__init__(f'bucket "{bucket}" is not empty')
        self.bucket = bucket
        self.versioned = versioned


class ObjectNotFound(AisleError):
    def __init__(self, bucket: str, key: str) -> None:
        super().__init__(f'object "{bucket}/{key}" does not exist')
        self.bucket = bucket
        self.key = key


class VersionNotFound(AisleError):
    def __init__(self, bucket: str, key: str, version: str) -> None:
        super().__init__(f'object "{bucket}/{key}" has no version "{version}"')
        self.bucket = bucket
        self.key = key
        self.version = version


class DeleteMarkerFound(ObjectNotFound):
    """The key is there, but its newest version is a delete marker."""

    def __init__(self, bucket: str, key: str, version: str) -> None:
        super().__init__(bucket, key)
        self.version = version


class DeleteMarkerNamed(AisleError):
    """The version that was asked for by its id is a delete marker: it can only be removed."""

    def __init__(self, version: str, mtime: int) -> None:
        super().__init__("this version is a delete marker")
        self.version = version
        self.mtime = mtime


class VersionsKept(AisleError):
    """Versioning cannot be suspended: the bucket has `what` configuration, which needs versions."""

    def __init__(self, bucket: str, what: str) -> None:
        self.what = what
        super().__init__(
            f'versioning of "{bucket}" cannot be suspended: it has {what} configuration'
        )


class ObjectLocked(AisleError):
    """The version is locked, and must not be removed or changed like that."""


class UploadNotFound(AisleError):
    def __init__(self, upload: str) -> None:
        super().__init__(f'multipart upload "{upload}" does not exist')
        self.upload = upload


class InvalidPart(AisleError):
    """A part named in complete is absent, or is not the one that was uploaded."""

    def __init__(self, number: int, *, upload: str, etag: str = "") -> None:
        super().__init__(f"part {number} was not uploaded, or its ETag or checksum differs")
        self.number = number
        self.upload = upload
        self.etag = etag


class InvalidPartOrder(AisleError):
    """The part numbers named in complete do not ascend."""


class InvalidPartNumber(AisleError):
    """A read asked for a part that the object does not have."""

    def __init__(self, number: int, count: int) -> None:
        super().__init__(f"part {number} does not exist, the object has {count}")
        self.number = number
        self.count = count


class PartTooSmall(AisleError):
    """A part other than the last is below the configured minimum."""

    def __init__(self, number: int, *, size: int, minimum: int, etag: str) -> None:
        super().__init__(f"part {number} has {size} bytes, the minimum is {minimum}")
        self.number = number
        self.size = size
        self.minimum = minimum
        self.etag = etag


class PreconditionFailed(AisleError):
    """A condition of the request does not hold; `condition` is the header that failed."""

    def __init__(self, condition: str) -> None:
        super().__init__(f"the condition {condition} does not hold")
        self.condition = condition


class NotModified(AisleError):
    """A conditional read found nothing newer; not a failure, but it ends the read. `headers` are
    the object's own, by which caches go."""

    def __init__(self, etag: str, mtime: int, headers: Mapping[str, str] | None = None) -> None:
        super().__init__("the object has not been modified")
        self.etag = etag
        self.mtime = mtime
        self.headers = headers or {}


class RangeNotSatisfiable(AisleError):
    def __init__(self, requested: str, size: int) -> None:
        super().__init__(f"the range {requested} lies outside of {size} bytes")
        self.requested = requested
        self.size = size


class ArchiveError(AisleError):
    """An object is not the archive it should be, or one that cannot be read; the archive is named
    where it is known: see `of`."""

    def of(self, bucket: str, key: str) -> ArchiveError:
        """The same, told of an object."""
        return ArchiveError(f'"{bucket}/{key}" cannot be read as an archive: {self}')


class MemberNotFound(AisleError):
    """An archive has no file of that name, or none that matches."""

    def __init__(self, bucket: str, key: str, member: str) -> None:
        super().__init__(f'"{bucket}/{key}" has no {member}')
        self.bucket = bucket
        self.key = key
        self.member = member


class WriteConflict(AisleError):
    """Another writer changed the same thing at the same time; the caller may try again."""


class WriteOffsetWrong(AisleError):
    """An append does not begin where the object ends."""

    def __init__(self, offset: int, size: int) -> None:
        super().__init__(f"the object has {size} bytes, and not {offset}")
        self.offset = offset
        self.size = size


class TooManyAppends(AisleError):
    """The object has as many parts as one may have."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the object has {limit} parts already")


class TokenReused(AisleError):
    """The token of a request stands for another one."""

    def __init__(self) -> None:
        super().__init__("the token stands for another request")


class AnnotationNotFound(AisleError):
    def __init__(self, name: str) -> None:
        super().__init__(f'there is no annotation "{name}"')
        self.name = name


class TooManyAnnotations(AisleError):
    """The object has as many annotations as one may have."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the object has {limit} annotations already")
