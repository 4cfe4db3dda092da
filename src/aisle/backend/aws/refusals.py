"""Every S3 error as a `RemoteError`: one table of codes, and a status where there is no code.

An error's text names what was asked and what the service calls the failure; nothing of its message,
which may hold what was signed. Spec: Amazon S3 API reference, "Error responses".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from aisle.core.errors import (
    PreconditionFailed,
    RemoteBucketNotFound,
    RemoteChanged,
    RemoteDenied,
    RemoteObjectNotFound,
    RemoteRefused,
    RemoteThrottled,
    RemoteUnavailable,
    RemoteUnknown,
)
from aisle.outgoing.request import Refusal, Reply, retry_after
from aisle.outgoing.s3 import read_error

_DENIED: Final = frozenset(
    {"AccessDenied", "AccountProblem", "AllAccessDisabled", "AuthFailure", "ExpiredToken",
     "InvalidAccessKeyId", "InvalidPayer", "InvalidSecurity", "InvalidToken", "NotSignedUp",
     "RequestExpired", "RequestTimeTooSkewed", "SignatureDoesNotMatch", "TokenRefreshRequired",
     "UnauthorizedAccess"}
)  # fmt: skip
# Of these, what other credentials may mend.
STALE: Final = frozenset(
    {"ExpiredToken", "InvalidAccessKeyId", "InvalidToken", "SignatureDoesNotMatch",
     "TokenRefreshRequired"}
)  # fmt: skip
_THROTTLED: Final = frozenset(
    {"BandwidthLimitExceeded", "RequestLimitExceeded", "RequestThrottled",
     "RequestThrottledException", "ServiceUnavailable", "SlowDown", "Throttling",
     "ThrottlingException", "TooManyRequests"}
)  # fmt: skip
_PASSING: Final = frozenset(
    {"ConditionalRequestConflict", "InternalError", "OperationAborted", "RequestTimeout"}
)
_LASTING: Final = frozenset({501, 505, 507})
_REGIONAL: Final = frozenset(
    {"AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "PermanentRedirect",
     "TemporaryRedirect"}
)  # fmt: skip


class Elsewhere(RemoteRefused):
    """The bucket is in another region; `region` is told by the service itself."""

    def __init__(self, name: str, region: str, *, status: int) -> None:
        super().__init__(name, f"the bucket is in region {region}", status=status)
        self.region = region


class Judgement:
    """A judge of replies about the remote bucket `name`: of one operation, said as `what`.

    `key` is the object it is about, if any; `conditional` is the header of a write's condition; in
    a read `etag` says that it was about one version. `stale` is told of credentials that were not
    taken. `good` are statuses beside 2xx that are no failures.
    """

    __slots__ = ("_conditional", "_etag", "_good", "_key", "_name", "_stale", "_what")

    def __init__(
        self,
        name: str,
        what: str,
        *,
        key: str = "",
        conditional: str = "",
        etag: bool = False,
        good: frozenset[int] = frozenset(),
        stale: Callable[[], None],
    ) -> None:
        self._name = name
        self._what = what
        self._key = key
        self._conditional = conditional
        self._etag = etag
        self._good = good
        self._stale = stale

    def __call__(self, reply: Reply) -> Refusal | None:
        # Some operations begin with 200 and end with an error.
        if reply.status < 300 and not (reply.body and b"<Error" in reply.body[:512]):
            return None
        if reply.status in self._good:
            return None
        code, region = read_error(reply.body)
        if reply.status < 300 and not code:
            return None
        status = 500 if reply.status < 300 else reply.status
        region = reply.headers.get("x-amz-bucket-region", "") or region
        if region and (300 <= status < 400 or status == 400 or code in _REGIONAL):
            return Refusal(Elsewhere(self._name, region, status=status))
        if code in STALE:
            self._stale()
        return self._refusal(reply, status, code)

    def _refusal(self, reply: Reply, status: int, code: str) -> Refusal:
        name, said = self._name, f"{status} {code}" if code else f"status {status}"
        text = f"{self._what} was answered with {said}"
        if (found := self._expected(reply, status, code)) is not None:
            return Refusal(found)
        if status == 429 or status == 503 or code in _THROTTLED:
            wait = retry_after(reply.headers)
            slow = RemoteThrottled(name, text, code=code, retry_after=1.0 if wait is None else wait)
            return Refusal(slow, passing=True)
        if code in _DENIED or (status in (401, 403) and not code):
            denied = RemoteDenied(name, text, code=code)
            skewed = code == "RequestTimeTooSkewed"
            return Refusal(denied, passing=skewed, skewed=skewed)
        if code in _PASSING or (status >= 500 and status not in _LASTING):
            return Refusal(
                RemoteUnavailable(name, text, code=code), passing=True, done=status >= 500
            )
        if status < 400 or code in _REGIONAL:
            code = ""  # where the service sends us is nothing for clients, who would go there
        return Refusal(RemoteRefused(name, text, status=status, code=code))

    def _expected(self, reply: Reply, status: int, code: str) -> Exception | None:
        """What is no trouble of the service: things that are not there, or not so."""
        name = self._name
        if status == 412 or (self._etag and status == 416):
            if not self._conditional:
                return RemoteChanged(name, f'"{self._key}" is another one by now')
            if reply.doubtful:
                return RemoteUnknown(name, f"{self._what} was repeated, and may have been done")
            return PreconditionFailed(self._conditional)
        if code == "NoSuchBucket" or (status == 404 and not code and not self._key):
            return RemoteBucketNotFound(name, "there is no such bucket")
        if code in ("NoSuchKey", "NoSuchVersion") or (status == 404 and not code):
            if self._conditional:
                return PreconditionFailed(self._conditional)
            return RemoteObjectNotFound(name, f'there is no object "{self._key}"')
        return None
