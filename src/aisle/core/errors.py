"""What can go wrong, told once.

Every failure that a caller may have to hear about is a subclass of `AisleError` raised where it
happened; each dialect has one table that says how to tell it. An exception that is not an
`AisleError` is a bug. Only exceptions live here: no status codes, no wording of a protocol.
"""

from __future__ import annotations

from collections.abc import Sequence


class AisleError(Exception):
    """The root of everything a caller may be told. `str(error)` is one plain sentence."""


# --- the request itself ---------------------------------------------------------------------


class InvalidRequest(AisleError):
    """The request contradicts itself or asks for something that makes no sense."""


class InvalidArgument(AisleError):
    """A parameter has a value it cannot have."""

    def __init__(self, message: str, *, name: str = "", value: str = "") -> None:
        super().__init__(message)
        self.name = name
        self.value = value


class InvalidName(AisleError):
    """A bucket name, key or other identifier breaks its rules."""

    def __init__(self, message: str, *, name: str) -> None:
        super().__init__(message)
        self.name = name


class KeyTooLong(AisleError):
    """An object key has more than 1,024 bytes in UTF-8."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"the key has {size} bytes, the limit is {limit}")
        self.size = size
        self.limit = limit


class NotSupported(AisleError):
    """A known operation or option that this store does not offer."""


class EntityTooLarge(AisleError):
    """A body is larger than the limit for its kind."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"the body has {size} bytes, the limit is {limit}")
        self.size = size
        self.limit = limit


class IncompleteBody(AisleError):
    """The body ended before the announced number of bytes, or went on past it."""


class RequestTimeout(AisleError):
    """The client has neither sent nor taken anything for too long."""


class TooBusy(AisleError):
    """There are as many requests as can be served at a time."""


class RateLimited(AisleError):
    """More requests were sent than are allowed; after `retry_after` seconds one more may come."""

    def __init__(self, what: str, retry_after: float) -> None:
        super().__init__(f"the rate of requests {what} is limited: try again later")
        self.retry_after = retry_after


class DigestMismatch(AisleError):
    """The body's digest is not the one the client sent. Nothing was stored."""

    def __init__(self, algorithm: str, *, expected: str, computed: str) -> None:
        super().__init__(f"{algorithm}: expected {expected}, computed {computed}")
        self.algorithm = algorithm
        self.expected = expected
        self.computed = computed


# --- who is asking --------------------------------------------------------------------------


class AuthError(AisleError):
    """The caller could not be identified or may not do this."""


class AccessDenied(AuthError):
    """Known or anonymous, the caller may not do this."""


class InvalidAccessKey(AuthError):
    """No such access key."""

    def __init__(self, access_key: str) -> None:
        super().__init__("the access key is not known here")
        self.access_key = access_key


class SignatureMismatch(AuthError):
    """The signature was not made with this secret key over this request."""

    def __init__(
        self,
        access_key: str,
        *,
        provided: str = "",
        string_to_sign: str = "",
        canonical_request: str = "",
    ) -> None:
        super().__init__("the request signature does not match")
        self.access_key = access_key
        self.provided = provided
        self.string_to_sign = string_to_sign
        self.canonical_request = canonical_request


class RequestExpired(AuthError):
    """A presigned request is used after its expiry, or before its date."""


class ClockSkewTooLarge(AuthError):
    """The request's date is too far from the server's clock; all in seconds."""

    def __init__(self, requested: float, now: float, limit: float) -> None:
        super().__init__("the difference between the request time and the current one is too large")
        self.requested = requested
        self.now = now
        self.limit = limit


class MalformedCredentials(AuthError):
    """The authorization header or query parameters cannot be read, or are of a wrong scope."""

    def __init__(self, message: str, *, query: bool = False) -> None:
        super().__init__(message)
        self.query = query


class InvalidCredentials(AuthError):
    """No such user, or another password: which of them, nobody is told."""

    def __init__(self) -> None:
        super().__init__("invalid credentials")


class InvalidToken(AuthError):
    """A token that was not issued here, or is void by now; it is never repeated."""


class ExpiredToken(AuthError):
    """A token, or temporary credentials, whose time is over."""


class TooManyAttempts(AuthError):
    """Passwords are tried too quickly; after `retry_after` seconds another try counts."""

    def __init__(self, retry_after: float) -> None:
        super().__init__("too many attempts to log in, try again later")
        self.retry_after = retry_after


# --- users, keys, roles: AIStore's clients tell these by the words "user ", "role ", "cluster " ---


class UserNotFound(AisleError):
    def __init__(self, user: str) -> None:
        super().__init__(f'user "{user}" does not exist')
        self.user = user


class UserExists(AisleError):
    def __init__(self, user: str) -> None:
        super().__init__(f'user "{user}" already exists')
        self.user = user


class UserInUse(AisleError):
    """A user that is not to be deleted while it has access keys or policies."""

    def __init__(self, user: str, what: str) -> None:
        super().__init__(f'user "{user}" still has {what}')
        self.user = user


class RoleNotFound(AisleError):
    def __init__(self, role: str) -> None:
        super().__init__(f'role "{role}" does not exist')
        self.role = role


class RoleExists(AisleError):
    def __init__(self, role: str) -> None:
        super().__init__(f'role "{role}" already exists')
        self.role = role


class ClusterNotFound(AisleError):
    """`cluster` is its uuid or its alias."""

    def __init__(self, cluster: str) -> None:
        super().__init__(f'cluster "{cluster}" is not registered')
        self.cluster = cluster


class ClusterExists(AisleError):
    def __init__(self, cluster: str) -> None:
        super().__init__(f'cluster "{cluster}" is already registered')
        self.cluster = cluster


class AccountNotFound(AisleError):
    def __init__(self, account: str) -> None:
        super().__init__(f'account "{account}" does not exist')
        self.account = account


class EmailExists(AisleError):
    """Another account has the address."""

    def __init__(self, email: str) -> None:
        super().__init__(f'the address "{email}" belongs to another account')
        self.email = email


class AccessKeyNotFound(AisleError):
    def __init__(self, access_key: str) -> None:
        super().__init__(f'access key "{access_key}" does not exist')
        self.access_key = access_key


class AccessKeyExists(AisleError):
    def __init__(self, access_key: str) -> None:
        super().__init__(f'access key "{access_key}" already exists')
        self.access_key = access_key


class UserPolicyNotFound(AisleError):
    def __init__(self, policy: str) -> None:
        super().__init__(f'policy "{policy}" does not exist')
        self.policy = policy


class InvalidPassword(AisleError):
    """A password that cannot be set."""


class LimitExceeded(AisleError):
    """There are as many of something as there may be."""


class MalformedPolicy(AisleError):
    """A policy document cannot be read, or means nothing here; the text is the reason."""


# --- buckets, objects, uploads --------------------------------------------------------------


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
    def __init__(self, bucket: str) -> None:
        super().__init__(f'bucket "{bucket}" is not empty')
        self.bucket = bucket


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
    """A conditional read found nothing newer; not a failure, but it ends the read."""

    def __init__(self, etag: str, mtime: int) -> None:
        super().__init__("the object has not been modified")
        self.etag = etag
        self.mtime = mtime


class RangeNotSatisfiable(AisleError):
    def __init__(self, requested: str, size: int) -> None:
        super().__init__(f"the range {requested} lies outside of {size} bytes")
        self.requested = requested
        self.size = size


# --- buckets behind buckets -----------------------------------------------------------------


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


# --- the store ------------------------------------------------------------------------------


class StoreError(AisleError):
    """An engine could not do its work."""


class OutOfSpace(StoreError):
    """A disk or quota is full. Nothing was changed."""


class ReadOnlyStore(StoreError):
    """The disk or directory cannot be written. Nothing was changed."""


class StoreUnavailable(StoreError):
    """The engine cannot answer now (an I/O error, a lost connection)."""


class BlobMissing(StoreError):
    """Bytes that a row refers to are not there, or are fewer than the row says."""

    def __init__(self, blob: str, reason: str = "missing") -> None:
        super().__init__(f"blob {blob}: {reason}")
        self.blob = blob


class BodyCorrupt(StoreError):
    """Stored bytes are not the ones that were written: their digest has changed."""

    def __init__(self, bucket: str, key: str, algorithm: str) -> None:
        name = f"{bucket}/{key}"
        super().__init__(f'the {algorithm} of object "{name}" is not what it was written with')
        self.bucket = bucket
        self.key = key
        self.algorithm = algorithm


class RowChanged(StoreError):
    """A `Check` in a batch did not hold; nothing of the batch was applied."""

    def __init__(self, table: str, key: bytes) -> None:
        super().__init__(f"row {key!r} of {table} has changed")
        self.table = table
        self.key = key


class ConfigError(AisleError):
    """A setting, option or directory that the node cannot start with."""
