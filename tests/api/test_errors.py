"""The table of S3 errors: everything that can be raised below is told, in well-formed XML."""

from __future__ import annotations

import inspect
import xml.etree.ElementTree as ET
from collections.abc import Iterator

import pytest

from aisle.api.base import Context
from aisle.api.s3 import dialect
from aisle.api.s3.errors import TABLE, S3Error, render, tell
from aisle.api.s3.messages import MESSAGES
from aisle.core import errors as e
from aisle.core.http import RequestHead


class Body:
    """No body."""

    count = 0

    async def read(self) -> bytes:
        return b""


def context(method: str = "GET") -> Context:
    context = Context(RequestHead(method, b"/b/k", b"", {}), Body(), "REQ1")
    context.resource = "/b/k"
    return context


def subclasses(kind: type[e.AisleError]) -> Iterator[type[e.AisleError]]:
    for sub in kind.__subclasses__():
        yield sub
        yield from subclasses(sub)


# An example of each, and how it is told.
EXAMPLES: list[tuple[e.AisleError, int, str]] = [
    (e.InvalidRequest("no"), 400, "InvalidRequest"),
    (e.InvalidArgument("bad", name="n", value="v<"), 400, "InvalidArgument"),
    (e.InvalidName("bad", name="n"), 400, "InvalidBucketName"),
    (e.KeyTooLong(1025, 1024), 400, "KeyTooLongError"),
    (e.CustomerKeyNeeded(), 400, "InvalidRequest"),
    (e.CustomerKeyUnused(), 400, "InvalidRequest"),
    (e.CustomerKeyWrong(), 403, "AccessDenied"),
    (e.EncryptionBlocked("SSE-C"), 403, "AccessDenied"),
    (e.EncryptionDiffers(), 400, "EncryptionTypeMismatch"),
    (e.KeyNotFound("nobody"), 400, "KMS.NotFoundException"),
    (e.KeyRingMissing(), 501, "NotImplemented"),
    (e.KeyUnusable("aisle/1"), 400, "KMS.KMSInvalidStateException"),
    (e.SealBroken("aa"), 500, "InternalError"),
    (e.SealingError("cannot"), 400, "InvalidRequest"),
    (e.NotSupported("not yet"), 501, "NotImplemented"),
    (e.EntityTooLarge(2, 1), 400, "EntityTooLarge"),
    (e.IncompleteBody("short"), 400, "IncompleteBody"),
    (e.RequestTimeout("silence"), 400, "RequestTimeout"),
    (e.TooBusy("later"), 503, "SlowDown"),
    (e.RateLimited("of a bucket", 2.5), 503, "SlowDown"),
    (e.DigestMismatch("CRC32", expected="a", computed="b"), 400, "BadDigest"),
    (e.DigestMismatch("Content-MD5", expected="a", computed="b"), 400, "BadDigest"),
    (
        e.DigestMismatch("x-amz-content-sha256", expected="a", computed="b"),
        400,
        "XAmzContentSHA256Mismatch",
    ),
    (e.AuthError("who?"), 403, "AccessDenied"),
    (e.AccessDenied("no"), 403, "AccessDenied"),
    (e.InvalidAccessKey("AK"), 403, "InvalidAccessKeyId"),
    (e.SignatureMismatch("AK", string_to_sign="s\n<"), 403, "SignatureDoesNotMatch"),
    (e.RequestExpired("Request has expired"), 403, "AccessDenied"),
    (e.ExpiredToken("it was good until now"), 400, "ExpiredToken"),
    (e.InvalidToken("it was not issued here"), 400, "InvalidToken"),
    (e.ClockSkewTooLarge(1.0, now=2000.0, limit=900), 403, "RequestTimeTooSkewed"),
    (e.MalformedCredentials("bad"), 400, "AuthorizationHeaderMalformed"),
    (e.MalformedCredentials("bad", query=True), 400, "AuthorizationQueryParametersError"),
    (e.MalformedPolicy("Invalid effect in policy"), 400, "MalformedPolicy"),
    (e.BucketNotFound("b"), 404, "NoSuchBucket"),
    (e.BucketExists("b", owned=True), 409, "BucketAlreadyOwnedByYou"),
    (e.BucketExists("b", owned=False), 409, "BucketAlreadyExists"),
    (e.BucketNotEmpty("b"), 409, "BucketNotEmpty"),
    (e.ObjectNotFound("b", "k"), 404, "NoSuchKey"),
    (e.VersionNotFound("b", "k", "v"), 404, "NoSuchVersion"),
    (e.DeleteMarkerFound("b", "k", "v"), 404, "NoSuchKey"),
    (e.DeleteMarkerNamed("v", 10**9), 405, "MethodNotAllowed"),
    (e.ObjectLocked("it is held"), 403, "AccessDenied"),
    (e.VersionsKept("b", "a lock"), 409, "InvalidBucketState"),
    (e.WriteOffsetWrong(1, 2), 400, "InvalidWriteOffset"),
    (e.TooManyAppends(10_000), 400, "TooManyParts"),
    (e.TokenReused(), 400, "IdempotencyParameterMismatch"),
    (e.AnnotationNotFound("a"), 404, "NoSuchAnnotation"),
    (e.TooManyAnnotations(1000), 400, "AnnotationLimitExceeded"),
    (e.UploadNotFound("u"), 404, "NoSuchUpload"),
    (e.InvalidPart(1, upload="u"), 400, "InvalidPart"),
    (e.InvalidPartOrder("order"), 400, "InvalidPartOrder"),
    (e.InvalidPartNumber(2, 1), 416, "InvalidPartNumber"),
    (e.PartTooSmall(1, size=1, minimum=2, etag="e"), 400, "EntityTooSmall"),
    (e.PreconditionFailed("If-Match"), 412, "PreconditionFailed"),
    (e.NotModified("etag", 10**9), 304, ""),
    (e.RangeNotSatisfiable("bytes=9-", 5), 416, "InvalidRange"),
    (e.WriteConflict("again"), 409, "ConditionalRequestConflict"),
    (e.StoreError("disk"), 500, "InternalError"),
    (e.OutOfSpace("full"), 507, "InsufficientStorage"),
    (e.ReadOnlyStore("ro"), 507, "InsufficientStorage"),
    (e.StoreUnavailable("later"), 503, "ServiceUnavailable"),
    (e.BlobMissing("id"), 500, "InternalError"),
    (e.BodyCorrupt("b", "k", "MD5"), 500, "InternalError"),
    (e.RowChanged("t", b"k"), 500, "InternalError"),
    (e.RemoteError("aws://b", "odd"), 503, "ServiceUnavailable"),
    (e.RemoteBucketNotFound("aws://b", "gone"), 404, "NoSuchBucket"),
    (e.RemoteObjectNotFound("aws://b", "gone"), 404, "NoSuchKey"),
    (e.RemoteDenied("aws://b", "no"), 403, "AccessDenied"),
    (e.RemoteThrottled("aws://b", "later", retry_after=2), 503, "SlowDown"),
    (e.RemoteUnavailable("aws://b", "no answer"), 503, "ServiceUnavailable"),
    (e.RemoteUnknown("aws://b", "no answer"), 503, "ServiceUnavailable"),
    (e.RemoteBroken("aws://b", "short"), 503, "ServiceUnavailable"),
    (e.RemoteChanged("aws://b", "another"), 503, "ServiceUnavailable"),
    (e.RemoteRefused("aws://b", "odd", status=409, code="Odd"), 409, "Odd"),
    (e.RemoteRefused("aws://b", "elsewhere", status=301), 502, "InvalidRequest"),
    (e.BackendDisabled("aws is off"), 400, "InvalidRequest"),
    (e.ClusterNotAttached("east"), 400, "InvalidRequest"),
    (e.RemoteLoop("ais://@east/b"), 508, "LoopDetected"),
    (e.AmbiguousName("b", ["ais", "aws"]), 404, "AmbiguousBucketName"),
    (e.ColdGetDisabled("b", "k"), 403, "InvalidObjectState"),
    (e.InventoryNotFound("none"), 404, "NoSuchConfiguration"),
    (e.InventoryDamaged("odd"), 400, "InvalidRequest"),
    (e.InventoryBusy("later", retry_after=3), 503, "SlowDown"),
    (e.InventoryExists("one"), 500, "InternalError"),  # no request of S3's makes one
    # Archives belong to the native API.
    (e.ArchiveError("no archive"), 500, "InternalError"),
    (e.MemberNotFound("ais://b", "k.tar", "file"), 500, "InternalError"),
    # Users belong to the native API and IAM's.
    (e.InvalidCredentials(), 403, "AccessDenied"),
    (e.TooManyAttempts(1.0), 403, "AccessDenied"),
    (e.UserNotFound("u"), 500, "InternalError"),
    (e.UserExists("u"), 500, "InternalError"),
    (e.UserInUse("u", "access keys"), 500, "InternalError"),
    (e.RoleNotFound("r"), 500, "InternalError"),
    (e.RoleExists("r"), 500, "InternalError"),
    (e.ClusterNotFound("c"), 500, "InternalError"),
    (e.ClusterExists("c"), 500, "InternalError"),
    (e.AccountNotFound("1"), 500, "InternalError"),
    (e.EmailExists("a@b.c"), 500, "InternalError"),
    (e.AccessKeyNotFound("k"), 500, "InternalError"),
    (e.AccessKeyExists("k"), 500, "InternalError"),
    (e.UserPolicyNotFound("p"), 500, "InternalError"),
    (e.InvalidPassword("no"), 500, "InternalError"),
    (e.LimitExceeded("enough"), 500, "InternalError"),
    (e.ConfigError("no"), 500, "InternalError"),
    (S3Error("NoSuchBucket"), 404, "NoSuchBucket"),
]


@pytest.mark.parametrize(
    ("error", "status", "code"), EXAMPLES, ids=lambda value: type(value).__name__
)
def test_an_error_is_told(error: e.AisleError, status: int, code: str) -> None:
    response = dialect.tell(context(), error)
    assert response.status == status
    assert isinstance(response.body, bytes)
    if status == 304:
        assert response.body == b""
        return
    root = ET.fromstring(response.body)
    assert root.tag == "Error"
    assert root.findtext("Code") == code
    assert root.findtext("Message")
    assert root.findtext("Resource") == "/b/k"
    assert root.findtext("RequestId") == "REQ1"
    assert root.findtext("HostId")
    head = dialect.tell(context("HEAD"), error)
    assert (head.status, head.body) == (status, b"")


def test_every_error_of_the_house_has_an_example() -> None:
    """A new class has to say how it is told."""
    known = {type(error) for error, _, _ in EXAMPLES}
    inside = f"{e.__name__}."
    house = {kind for kind in subclasses(e.AisleError) if kind.__module__.startswith(inside)}
    assert house == {*known} - {S3Error}


def test_every_error_of_the_house_is_imported_from_the_package() -> None:
    inside = f"{e.__name__}."
    house = {kind for kind in subclasses(e.AisleError) if kind.__module__.startswith(inside)}
    assert {getattr(e, name) for name in e.__all__} == {e.AisleError, *house}


def test_what_is_wrong_inside_is_not_told() -> None:
    """No path, key of a row or blob id leaves the house."""
    for error in (e.StoreError("/secret"), e.BlobMissing("secret"), e.RowChanged("t", b"secret")):
        response = dialect.tell(context(), error)
        assert isinstance(response.body, bytes)
        assert b"secret" not in response.body


def test_the_table_goes_by_the_nearest_class() -> None:
    for kind in TABLE:
        assert inspect.isclass(kind)
        assert issubclass(kind, e.AisleError)

    class Special(e.ObjectNotFound):
        pass

    assert tell(Special("b", "k")).code == "NoSuchKey"


@pytest.mark.parametrize("code", MESSAGES)
def test_every_code_has_a_status_of_an_error_and_a_message(code: str) -> None:
    status, message = MESSAGES[code]
    assert 400 <= status < 600
    assert message
    told = tell(S3Error(code))
    assert (told.status, told.code, told.message) == (status, code, message)


def test_an_unsatisfiable_range_tells_the_size() -> None:
    response = dialect.tell(context(), e.RangeNotSatisfiable("bytes=9-", 5))
    assert (b"content-range", b"bytes */5") in response.headers


@pytest.mark.parametrize(
    "text", ["<&>\"'", "\x00\x01\x1f\x7f", "\ufffe\uffff", "\udcff", "é🦆", "]]>"]
)
def test_whatever_a_client_sent_is_told_in_well_formed_bytes(text: str) -> None:
    told = tell(e.InvalidArgument(text, name=text, value=text))
    body = render(told, resource=text, request_id="R", host_id="H")
    assert ET.fromstring(body).findtext("Code") == "InvalidArgument"
