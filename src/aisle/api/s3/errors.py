"""THE table of S3 errors: how what happened below is told to an S3 client.

Codes, statuses and messages are Amazon's and stand in `messages`. `S3Error` is for what only this
dialect can know; everything else is raised below and translated by `TABLE`, the most specific class
first. What may live here is how an error is told; nothing here decides what is an error.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from aisle.api.s3.messages import MESSAGES
from aisle.api.s3.xml import DECLARATION, MalformedXML, element
from aisle.core import errors as e
from aisle.core.dates import iso_date
from aisle.core.redaction import redact_canonical
from aisle.query.errors import QueryError, QueryUnavailable


class S3Error(e.AisleError):
    """An error of this dialect by its code; `details` become elements of the reply."""

    def __init__(self, code: str, message: str = "", **details: object) -> None:
        super().__init__(message or MESSAGES[code][1])
        self.code = code
        self.details = details


class Told(NamedTuple):
    """An error as S3 tells it."""

    status: int
    code: str
    message: str
    details: Mapping[str, object] = {}


Teller = Callable[[Any], Told]


def _plain(code: str) -> Teller:
    status, message = MESSAGES[code]
    told = Told(status, code, message)
    return lambda error: told


def _spoken(code: str) -> Teller:
    """With the error's own sentence as the message."""
    status = MESSAGES[code][0]
    return lambda error: Told(status, code, str(error))


def _with(code: str, details: Callable[[Any], Mapping[str, object]]) -> Teller:
    status, message = MESSAGES[code]
    return lambda error: Told(status, code, message, details(error))


def _versions_kept(error: e.VersionsKept) -> Told:
    """In Amazon's words, by which Terraform knows that versioning is to be left as it is."""
    what = f"{error.what[:1].upper()}{error.what[1:]} configuration"
    status = MESSAGES["InvalidBucketState"][0]
    return Told(
        status,
        "InvalidBucketState",
        f"{what} is present on this bucket, so the versioning state cannot be changed.",
    )


def _expired(error: e.RequestExpired) -> Told:
    times: dict[str, object] = {}
    if error.expiry is not None:
        times = {"Expires": iso_date(int(error.expiry)), "ServerTime": iso_date(int(error.now))}
    return Told(MESSAGES["AccessDenied"][0], "AccessDenied", str(error), times)


def _digest(error: e.DigestMismatch) -> Told:
    if error.algorithm == "x-amz-content-sha256":
        code = "XAmzContentSHA256Mismatch"
        return Told(
            400,
            code,
            MESSAGES[code][1],
            {
                "ClientComputedContentSHA256": error.expected,
                "S3ComputedContentSHA256": error.computed,
            },
        )
    message = (
        f"The {error.algorithm} you specified did not match the calculated checksum."
        if error.algorithm != "Content-MD5"
        else "The Content-MD5 you specified did not match what we received."
    )
    details = {"ExpectedDigest": error.expected, "CalculatedDigest": error.computed}
    return Told(400, "BadDigest", message, details)


def _credentials(error: e.MalformedCredentials) -> Told:
    if error.foreign:
        # The value is not told: it may be a password or a token of somewhere else.
        return Told(400, "InvalidArgument", str(error), {"ArgumentName": "Authorization"})
    code = "AuthorizationQueryParametersError" if error.query else "AuthorizationHeaderMalformed"
    return Told(400, code, str(error))


def _argument(error: e.InvalidArgument) -> Told:
    details = {"ArgumentName": error.name, "ArgumentValue": error.value} if error.name else {}
    return Told(400, "InvalidArgument", str(error), details)


def _not_empty(error: e.BucketNotEmpty) -> Told:
    status, message = MESSAGES["BucketNotEmpty"]
    if error.versioned:
        message += ". You must delete all versions in the bucket."
    return Told(status, "BucketNotEmpty", message, {"BucketName": error.bucket})


def _locked(_: e.ObjectLocked) -> Told:
    return Told(403, "AccessDenied", "Access Denied because object protected by object lock.")


def _key_unknown(error: e.KeyNotFound) -> Told:
    return Told(400, "KMS.NotFoundException", f"Invalid keyId {error.name!r}")


def _key_wrong(_: e.CustomerKeyWrong) -> Told:
    return Told(
        403,
        "AccessDenied",
        "Requests specifying Server Side Encryption with Customer provided keys must provide the"
        " correct secret key.",
    )


def _key_needed(_: e.CustomerKeyNeeded) -> Told:
    return Told(
        400,
        "InvalidRequest",
        "The object was stored using a form of Server Side Encryption. The correct parameters must"
        " be provided to retrieve the object.",
    )


def _key_unused(_: e.CustomerKeyUnused) -> Told:
    return Told(
        400, "InvalidRequest", "The encryption parameters are not applicable to this object."
    )


def _relayed(error: e.RemoteRefused) -> Told:
    """What the remote refused, by the name that it has for it. What is no error to a client, a
    redirect say, is the remote's failure."""
    status = error.status if error.status >= 400 else 502
    return Told(status, error.code or "InvalidRequest", str(error))


def _own(error: S3Error) -> Told:
    return Told(MESSAGES[error.code][0], error.code, str(error), error.details)


TABLE: Final[Mapping[type[e.AisleError], Teller]] = {
    S3Error: _own,
    MalformedXML: _plain("MalformedXML"),
    e.MalformedPolicy: _spoken("MalformedPolicy"),
    e.InvalidRequest: _spoken("InvalidRequest"),
    e.InvalidArgument: _argument,
    e.InvalidName: _with("InvalidBucketName", lambda error: {"BucketName": error.name}),
    e.KeyTooLong: _with(
        "KeyTooLongError", lambda error: {"Size": error.size, "MaxSizeAllowed": error.limit}
    ),
    e.NotSupported: _spoken("NotImplemented"),
    e.EntityTooLarge: _with(
        "EntityTooLarge", lambda error: {"ProposedSize": error.size, "MaxSizeAllowed": error.limit}
    ),
    e.IncompleteBody: _plain("IncompleteBody"),
    e.RequestTimeout: _plain("RequestTimeout"),
    e.TooBusy: _plain("SlowDown"),
    e.RateLimited: _plain("SlowDown"),
    e.DigestMismatch: _digest,
    e.AccessDenied: _plain("AccessDenied"),
    e.InvalidAccessKey: _with(
        "InvalidAccessKeyId", lambda error: {"AWSAccessKeyId": error.access_key}
    ),
    e.SignatureMismatch: _with(
        "SignatureDoesNotMatch",
        lambda error: {
            "AWSAccessKeyId": error.access_key,
            "StringToSign": error.string_to_sign,
            "SignatureProvided": error.provided,
            "CanonicalRequest": redact_canonical(error.canonical_request),
        },
    ),
    e.RequestExpired: _expired,
    e.ExpiredToken: _plain("ExpiredToken"),
    e.InvalidToken: _plain("InvalidToken"),
    e.ClockSkewTooLarge: _with(
        "RequestTimeTooSkewed",
        lambda error: {
            "RequestTime": iso_date(int(error.requested)),
            "ServerTime": iso_date(int(error.now)),
            "MaxAllowedSkewMilliseconds": int(error.limit * 1000),
        },
    ),
    e.MalformedCredentials: _credentials,
    e.AuthError: _plain("AccessDenied"),
    e.BucketNotFound: _with("NoSuchBucket", lambda error: {"BucketName": error.bucket}),
    e.BucketNotEmpty: _not_empty,
    e.ObjectNotFound: _with("NoSuchKey", lambda error: {"Key": error.key}),
    e.VersionNotFound: _with(
        "NoSuchVersion", lambda error: {"Key": error.key, "VersionId": error.version}
    ),
    e.DeleteMarkerNamed: _plain("MethodNotAllowed"),
    e.ObjectLocked: _locked,
    e.VersionsKept: _versions_kept,
    e.WriteOffsetWrong: _plain("InvalidWriteOffset"),
    e.TooManyAppends: _plain("TooManyParts"),
    e.TokenReused: _plain("IdempotencyParameterMismatch"),
    e.AnnotationNotFound: _with("NoSuchAnnotation", lambda error: {"AnnotationName": error.name}),
    e.TooManyAnnotations: _plain("AnnotationLimitExceeded"),
    e.UploadNotFound: _with("NoSuchUpload", lambda error: {"UploadId": error.upload}),
    e.InvalidPart: _with(
        "InvalidPart",
        lambda error: {
            "UploadId": error.upload,
            "PartNumber": error.number,
            "ETag": error.etag,
        },
    ),
    e.InvalidPartOrder: _plain("InvalidPartOrder"),
    e.InvalidPartNumber: _with(
        "InvalidPartNumber",
        lambda error: {"PartNumberRequested": error.number, "ActualPartCount": error.count},
    ),
    e.PartTooSmall: _with(
        "EntityTooSmall",
        lambda error: {
            "ProposedSize": error.size,
            "MinSizeAllowed": error.minimum,
            "PartNumber": error.number,
            "ETag": error.etag,
        },
    ),
    e.CustomerKeyNeeded: _key_needed,
    e.CustomerKeyUnused: _key_unused,
    e.CustomerKeyWrong: _key_wrong,
    e.EncryptionBlocked: _plain("AccessDenied"),
    e.EncryptionDiffers: _plain("EncryptionTypeMismatch"),
    e.KeyNotFound: _key_unknown,
    e.KeyRingMissing: _spoken("NotImplemented"),
    e.KeyUnusable: _spoken("KMS.KMSInvalidStateException"),
    e.SealingError: _spoken("InvalidRequest"),
    e.PreconditionFailed: _with("PreconditionFailed", lambda error: {"Condition": error.condition}),
    e.RangeNotSatisfiable: _with(
        "InvalidRange",
        lambda error: {"RangeRequested": error.requested, "ActualObjectSize": error.size},
    ),
    e.RemoteBucketNotFound: _spoken("NoSuchBucket"),
    e.RemoteObjectNotFound: _spoken("NoSuchKey"),
    e.RemoteDenied: _spoken("AccessDenied"),
    e.RemoteThrottled: _spoken("SlowDown"),
    e.RemoteRefused: _relayed,
    e.RemoteError: _spoken("ServiceUnavailable"),
    e.BackendDisabled: _spoken("InvalidRequest"),
    e.ClusterNotAttached: _spoken("InvalidRequest"),
    e.AmbiguousName: _spoken("AmbiguousBucketName"),
    e.ColdGetDisabled: _spoken("InvalidObjectState"),
    QueryError: lambda error: Told(400, error.code, str(error)),
    QueryUnavailable: _spoken("NotImplemented"),
    e.InventoryNotFound: _spoken("NoSuchConfiguration"),
    e.InventoryDamaged: _spoken("InvalidRequest"),
    e.InventoryBusy: _spoken("SlowDown"),
    e.WriteConflict: _plain("ConditionalRequestConflict"),
    e.OutOfSpace: _plain("InsufficientStorage"),
    e.ReadOnlyStore: _plain("InsufficientStorage"),
    e.StoreUnavailable: _plain("ServiceUnavailable"),
    e.StoreError: _plain("InternalError"),
    e.AisleError: _plain("InternalError"),
}


def tell(error: e.AisleError) -> Told:
    """The error as S3 tells it, by the nearest class in the table."""
    if isinstance(error, e.BucketExists):
        code = "BucketAlreadyOwnedByYou" if error.owned else "BucketAlreadyExists"
        return Told(409, code, MESSAGES[code][1], {"BucketName": error.bucket})
    for kind in type(error).__mro__:
        teller = TABLE.get(kind)
        if teller is not None:
            return teller(error)
    return Told(500, "InternalError", MESSAGES["InternalError"][1])


def retry_after(error: e.AisleError) -> int:
    """After how many seconds another try has a chance."""
    if isinstance(error, e.RateLimited | e.RemoteThrottled | e.InventoryBusy):
        return max(1, math.ceil(error.retry_after))
    return 1


def render(told: Told, *, resource: str, request_id: str, host_id: str) -> bytes:
    """The XML body of an error."""
    parts = [
        element("Code", told.code),
        element("Message", told.message),
        *(element(name, value) for name, value in told.details.items() if value != ""),
        element("Resource", resource),
        element("RequestId", request_id),
        element("HostId", host_id),
    ]
    return f"{DECLARATION}<Error>{''.join(parts)}</Error>".encode()
