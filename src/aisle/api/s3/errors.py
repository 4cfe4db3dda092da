"""THE table of S3 errors: how what happened below is told to an S3 client.

Codes, statuses and messages are Amazon's ("Error responses", S3 API reference). `S3Error` is for
what only this dialect can know; everything else is raised below and translated by `TABLE`, the
most specific class first. Nothing here decides what is an error.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from aisle.api.s3.xml import DECLARATION, MalformedXML, element
from aisle.core import errors as e
from aisle.core.dates import iso_date
from aisle.core.redaction import redact_canonical


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


# code -> status, message
MESSAGES: Final[Mapping[str, tuple[int, str]]] = {
    "AccessControlListNotSupported": (400, "The bucket does not allow ACLs"),
    "AccessDenied": (403, "Access Denied"),
    "AmbiguousBucketName": (404, "Several buckets have this name under different providers"),
    "AuthorizationHeaderMalformed": (400, "The authorization header is malformed"),
    "AuthorizationQueryParametersError": (400, "Error parsing the authorization parameters"),
    "BadDigest": (400, "The digest or checksum you specified did not match what we received."),
    "BucketAlreadyExists": (
        409,
        "The requested bucket name is not available. The bucket namespace is shared by all users"
        " of the system. Please select a different name and try again.",
    ),
    "BucketAlreadyOwnedByYou": (
        409,
        "Your previous request to create the named bucket succeeded and you already own it.",
    ),
    "BucketNotEmpty": (409, "The bucket you tried to delete is not empty"),
    "ConditionalRequestConflict": (
        409,
        "A conflicting operation occurred. If using PutObject you can retry the request. If using"
        " multipart upload you should initiate another CreateMultipartUpload request and"
        " re-upload each part.",
    ),
    "EntityTooLarge": (400, "Your proposed upload exceeds the maximum allowed size"),
    "EntityTooSmall": (
        400,
        "Your proposed upload is smaller than the minimum allowed size",
    ),
    "ExpiredToken": (400, "The provided token has expired."),
    "IncompleteBody": (
        400,
        "You did not provide the number of bytes specified by the Content-Length HTTP header",
    ),
    "InsufficientStorage": (507, "There is not enough space left to store the data."),
    "InternalError": (500, "We encountered an internal error. Please try again."),
    "InvalidAccessKeyId": (
        403,
        "The AWS Access Key Id you provided does not exist in our records.",
    ),
    "InvalidArgument": (400, "Invalid Argument"),
    "InvalidBucketAclWithObjectOwnership": (
        400,
        "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
    ),
    "InvalidBucketName": (400, "The specified bucket is not valid."),
    "InvalidObjectState": (
        403,
        "The operation is not valid for the current state of the object.",
    ),
    "InvalidDigest": (400, "The Content-MD5 you specified was invalid."),
    "InvalidLocationConstraint": (400, "The specified location-constraint is not valid"),
    "InvalidPart": (
        400,
        "One or more of the specified parts could not be found. The part may not have been"
        " uploaded, or the specified entity tag may not match the part's entity tag.",
    ),
    "InvalidPartNumber": (416, "The requested partnumber is not satisfiable"),
    "InvalidPartOrder": (
        400,
        "The list of parts was not in ascending order. Parts must be ordered by part number.",
    ),
    "InvalidRange": (416, "The requested range is not satisfiable"),
    "InvalidRequest": (400, "Invalid Request"),
    "InvalidToken": (400, "The provided token is malformed or otherwise invalid."),
    "InvalidStorageClass": (400, "The storage class you specified is not valid"),
    "InvalidURI": (400, "Couldn't parse the specified URI."),
    "KeyTooLongError": (400, "Your key is too long"),
    "MalformedACLError": (
        400,
        "The XML you provided was not well-formed or did not validate against our published schema",
    ),
    "MalformedPolicy": (400, "Policies must be valid JSON and the first byte must be '{'"),
    "MalformedXML": (
        400,
        "The XML you provided was not well-formed or did not validate against our published schema",
    ),
    "MaxMessageLengthExceeded": (400, "Your request was too big."),
    "MetadataTooLarge": (400, "Your metadata headers exceed the maximum allowed metadata size"),
    "MethodNotAllowed": (405, "The specified method is not allowed against this resource."),
    "MissingContentLength": (411, "You must provide the Content-Length HTTP header."),
    "MissingRequestBodyError": (400, "Request body is empty."),
    "MissingSecurityHeader": (400, "Your request was missing a required header."),
    "NoSuchBucket": (404, "The specified bucket does not exist"),
    "NoSuchBucketPolicy": (404, "The bucket policy does not exist"),
    "NoSuchConfiguration": (404, "The specified configuration does not exist"),
    "NoSuchKey": (404, "The specified key does not exist."),
    "NoSuchPublicAccessBlockConfiguration": (
        404,
        "The public access block configuration was not found",
    ),
    "NoSuchUpload": (
        404,
        "The specified multipart upload does not exist. The upload ID may be invalid, or the"
        " upload may have been aborted or completed.",
    ),
    "NoSuchVersion": (404, "The specified version does not exist."),
    "NotImplemented": (
        501,
        "A header or query you provided implies functionality that is not implemented.",
    ),
    "OwnershipControlsNotFoundError": (404, "The bucket ownership controls were not found"),
    "PreconditionFailed": (
        412,
        "At least one of the pre-conditions you specified did not hold",
    ),
    "RequestTimeTooSkewed": (
        403,
        "The difference between the request time and the current time is too large.",
    ),
    "ServiceUnavailable": (503, "The service is unavailable. Please retry."),
    "SignatureDoesNotMatch": (
        403,
        "The request signature we calculated does not match the signature you provided. Check"
        " your key and signing method.",
    ),
    "RequestTimeout": (
        400,
        "Your socket connection to the server was not read from or written to within the timeout"
        " period.",
    ),
    "SlowDown": (503, "Please reduce your request rate."),
    "UnexpectedContent": (400, "This request does not support content"),
    "UnresolvableGrantByEmailAddress": (
        400,
        "The email address you provided does not match any account on record.",
    ),
    "XAmzContentSHA256Mismatch": (
        400,
        "The provided 'x-amz-content-sha256' header does not match what was computed.",
    ),
}

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
    code = "AuthorizationQueryParametersError" if error.query else "AuthorizationHeaderMalformed"
    return Told(400, code, str(error))


def _argument(error: e.InvalidArgument) -> Told:
    details = {"ArgumentName": error.name, "ArgumentValue": error.value} if error.name else {}
    return Told(400, "InvalidArgument", str(error), details)


def _relayed(error: e.RemoteRefused) -> Told:
    """What the remote refused, by the name that it has for it."""
    return Told(error.status, error.code or "InvalidRequest", str(error))


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
    e.RequestExpired: _spoken("AccessDenied"),
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
    e.BucketNotEmpty: _with("BucketNotEmpty", lambda error: {"BucketName": error.bucket}),
    e.ObjectNotFound: _with("NoSuchKey", lambda error: {"Key": error.key}),
    e.VersionNotFound: _with(
        "NoSuchVersion", lambda error: {"Key": error.key, "VersionId": error.version}
    ),
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
