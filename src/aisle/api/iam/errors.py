"""THE table of IAM and STS errors: how what happened below is told to a client of the query APIs.

Codes and statuses are those of botocore's models and of IAM's "Common Errors"; `IamError` is for
what only this dialect can know. No message repeats a password, a secret or a signature.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from aisle.api.iam.xml import document, element
from aisle.core import errors as e

# code -> status
STATUS: Final[Mapping[str, int]] = {
    "AccessDenied": 403,
    "ConcurrentModification": 409,
    "DeleteConflict": 409,
    "EntityAlreadyExists": 409,
    "ExpiredToken": 403,
    "ExpiredTokenException": 400,
    "IncompleteBody": 400,
    "IncompleteSignature": 400,
    "InsufficientStorage": 507,
    "InvalidAction": 400,
    "InvalidClientTokenId": 403,
    "InvalidIdentityToken": 400,
    "InvalidInput": 400,
    "InvalidUserType": 400,
    "LimitExceeded": 409,
    "MalformedPolicyDocument": 400,
    "MalformedQueryString": 400,
    "MissingAction": 400,
    "MissingAuthenticationToken": 403,
    "NoSuchEntity": 404,
    "NotImplemented": 501,
    "PackedPolicyTooLarge": 400,
    "PasswordPolicyViolation": 400,
    "RequestEntityTooLarge": 413,
    "ServiceFailure": 500,
    "ServiceUnavailable": 503,
    "SignatureDoesNotMatch": 403,
    "Throttling": 400,
    "UnmodifiableEntity": 400,
    "ValidationError": 400,
}


class IamError(e.AisleError):
    """An error of this dialect by its code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Told(NamedTuple):
    """An error as a client is told it."""

    code: str
    message: str

    @property
    def status(self) -> int:
        return STATUS[self.code]


Teller = Callable[[Any], Told]


def _spoken(code: str) -> Teller:
    """With the error's own sentence as the message."""
    return lambda error: Told(code, str(error))


def _plain(code: str, message: str) -> Teller:
    told = Told(code, message)
    return lambda error: told


TABLE: Final[Mapping[type[e.AisleError], Teller]] = {
    IamError: lambda error: Told(error.code, str(error)),
    e.InvalidRequest: _spoken("ValidationError"),
    e.InvalidArgument: _spoken("ValidationError"),
    e.InvalidName: _spoken("ValidationError"),
    e.NotSupported: _spoken("NotImplemented"),
    e.IncompleteBody: _plain("IncompleteBody", "The body is not as long as it was announced."),
    e.AccessDenied: _spoken("AccessDenied"),
    e.InvalidAccessKey: _plain(
        "InvalidClientTokenId", "The security token included in the request is invalid."
    ),
    e.SignatureMismatch: _plain(
        "SignatureDoesNotMatch",
        "The request signature we calculated does not match the signature you provided. Check your"
        " AWS Secret Access Key and signing method.",
    ),
    e.RequestExpired: _spoken("SignatureDoesNotMatch"),
    e.ClockSkewTooLarge: _plain(
        "SignatureDoesNotMatch",
        "The difference between the request time and the current time is too large.",
    ),
    e.MalformedCredentials: _spoken("IncompleteSignature"),
    e.InvalidCredentials: _plain("AccessDenied", "Access Denied"),
    e.InvalidToken: _spoken("InvalidClientTokenId"),
    e.ExpiredToken: _spoken("ExpiredToken"),
    e.TooManyAttempts: _spoken("Throttling"),
    e.RateLimited: _spoken("Throttling"),
    e.AuthError: _plain("AccessDenied", "Access Denied"),
    e.UserNotFound: _spoken("NoSuchEntity"),
    e.AccessKeyNotFound: _spoken("NoSuchEntity"),
    e.UserPolicyNotFound: _spoken("NoSuchEntity"),
    e.RoleNotFound: _spoken("NoSuchEntity"),
    e.AccountNotFound: _spoken("NoSuchEntity"),
    e.UserExists: _spoken("EntityAlreadyExists"),
    e.AccessKeyExists: _spoken("EntityAlreadyExists"),
    e.UserInUse: _spoken("DeleteConflict"),
    e.InvalidPassword: _spoken("PasswordPolicyViolation"),
    e.LimitExceeded: _spoken("LimitExceeded"),
    e.MalformedPolicy: _spoken("MalformedPolicyDocument"),
    e.WriteConflict: _spoken("ConcurrentModification"),
    e.OutOfSpace: _plain("InsufficientStorage", "There is not enough space left."),
    e.ReadOnlyStore: _plain("InsufficientStorage", "There is not enough space left."),
    e.StoreUnavailable: _plain(
        "ServiceUnavailable", "The service is unavailable. Please try again."
    ),
    e.AisleError: _plain("ServiceFailure", "We encountered an internal error. Please try again."),
}


def tell(error: e.AisleError) -> Told:
    """The error as a client is told it, by the nearest class in the table."""
    for kind in type(error).__mro__:
        teller = TABLE.get(kind)
        if teller is not None:
            return teller(error)
    raise AssertionError("every AisleError is an AisleError")


def render(told: Told, *, namespace: str, request_id: str) -> bytes:
    """The XML body of an error."""
    kind = "Sender" if told.status < 500 else "Receiver"
    inner = {"Type": kind, "Code": told.code, "Message": told.message}
    return document("ErrorResponse", namespace, element("Error", inner), request_id)
