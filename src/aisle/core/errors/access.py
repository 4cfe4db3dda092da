"""Who is asking, and the users, keys and roles by which the store knows.

The `AuthError`s are about the caller of this request; the others about users, roles and what else
is kept of people, as who administers them is told.
"""

from __future__ import annotations

from aisle.core.errors.base import AisleError

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
    """A presigned request is used after its expiry, which is said, or before its date.

    Times are in seconds.
    """

    def __init__(self, message: str, *, expiry: float | None = None, now: float = 0) -> None:
        super().__init__(message)
        self.expiry = expiry
        self.now = now


class ClockSkewTooLarge(AuthError):
    """The request's date is too far from the server's clock; all in seconds."""

    def __init__(self, requested: float, now: float, limit: float) -> None:
        super().__init__("the difference between the request time and the current one is too large")
        self.requested = requested
        self.now = now
        self.limit = limit


class MalformedCredentials(AuthError):
    """The authorization header or query parameters cannot be read, or are of a wrong scope.

    `foreign` is a header that is not of signature version 4 at all.
    """

    def __init__(self, message: str, *, query: bool = False, foreign: bool = False) -> None:
        super().__init__(message)
        self.query = query
        self.foreign = foreign


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
