"""`S3Client`: signed requests to one bucket, repeated where that may help, with a clear failure.

* Every request the engine makes may be repeated: keys are never used twice for different bytes.
* How often, how long, and what is never followed or taken from the environment: `outgoing`. No
  address is contacted but the endpoint's.
* Failures are `S3Refusal` (the server said no, with its code) or `StoreUnavailable`; their text
  names the bucket, the endpoint and the operation and nothing that was signed with.

Spec: Amazon S3 API reference, REST, "Error responses".
"""

from __future__ import annotations

import base64
import math
from collections.abc import Awaitable, Mapping, Sequence
from typing import Final, TypeVar
from urllib.parse import quote

from aisle.core import checksums, sigv4
from aisle.core.errors import OutOfSpace, ReadOnlyStore, StoreError, StoreUnavailable
from aisle.outgoing.persist import Limits
from aisle.outgoing.request import Judge, Refusal, Reply, Request, TransportError, whole
from aisle.outgoing.s3 import read_error
from aisle.outgoing.stream import Stream
from aisle.outgoing.transport import Transport
from aisle.store.s3.url import Location

# A store waits out what its server is going through, however many writers there are.
LIMITS: Final = Limits(budget=math.inf)
ATTEMPTS: Final = LIMITS.attempts

_FULL: Final = frozenset(
    {
        "InsufficientCapacity",
        "InsufficientStorage",
        "QuotaExceeded",
        "XMinioAdminBucketQuotaExceeded",
        "XMinioStorageFull",
    }
)
# What passes by itself, beside replies of 5xx.
_PASSING: Final = frozenset(
    {"OperationAborted", "RequestTimeout", "RequestTimeTooSkewed", "SlowDown", "TooManyRequests"}
)
_LASTING: Final = frozenset({501, 505, 507})

Pieces = Sequence[bytes]
_Result = TypeVar("_Result")


class S3Refusal(StoreUnavailable):
    """The server answered with an error; `code` is S3's, or `""` if the reply had none."""

    def __init__(self, message: str, *, status: int, code: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code

    @property
    def passing(self) -> bool:
        """Whether the same request may succeed a little later."""
        if self.status == 429 or self.code in _PASSING:
            return True
        return self.status >= 500 and self.status not in _LASTING and self.code not in _FULL

    def told(self, *, writing: bool) -> StoreError:
        """This refusal as callers of the port hear it."""
        if self.status == 507 or self.code in _FULL:
            return OutOfSpace(str(self))
        if writing and self.code == "AccessDenied":
            return ReadOnlyStore(str(self))
        return self


class S3Client:
    """Requests to the bucket of `location`, from one event loop. Without keys requests are not
    signed at all."""

    def __init__(self, location: Location, *, access_key: str, secret_key: str) -> None:
        self.location = location
        self._access_key = access_key
        self._secret_key = secret_key
        self._transport = Transport(LIMITS)

    async def call(
        self,
        method: str,
        key: str = "",
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: Pieces = (),
        seconds: float | None = None,
        attempts: int = ATTEMPTS,
    ) -> Reply:
        """One operation and its whole reply. `seconds` is how long the server may take for it,
        beside the time that the body takes. Raises `S3Refusal` and other `StoreError`s."""
        sent = whole(body) if any(body) else None
        request = Request(method, self._url(key, query or {}), headers or {}, sent)
        return await self._told(
            method,
            self._transport.call(
                request, self._judge(method), sign=self._sign, seconds=seconds, attempts=attempts
            ),
        )

    async def get(self, key: str, offset: int, length: int) -> Stream:
        """Begin to read a range, of one byte at least; the caller reads the reply and closes it."""
        headers = {"range": f"bytes={offset}-{offset + length - 1}"}
        request = Request("GET", self._url(key, {}), headers)
        stream = await self._told(
            "GET", self._transport.open(request, self._judge("GET"), sign=self._sign)
        )
        if stream.status != 206:
            stream.abandon()
            raise self._refusal("GET", stream.status, "RangeIgnored")
        return stream

    async def close(self) -> None:
        await self._transport.close()

    # --- one attempt ------------------------------------------------------------------------

    def _url(self, key: str, query: Mapping[str, str]) -> str:
        url = self.location.url(key)
        pairs = [f"{quote(n, safe='')}={quote(v, safe='')}" for n, v in query.items()]
        return f"{url}?{'&'.join(pairs)}" if pairs else url

    async def _sign(self, request: Request, now: float) -> Mapping[str, str]:
        if not self._access_key:
            return request.headers
        return sigv4.sign(
            request.method,
            request.url,
            headers=request.headers,
            payload_hash=sigv4.UNSIGNED_PAYLOAD,
            access_key=self._access_key,
            secret_key=self._secret_key,
            region=self.location.region,
            time=now,
        )

    def _judge(self, method: str) -> Judge:
        def judge(reply: Reply) -> Refusal | None:
            # CompleteMultipartUpload and UploadPartCopy may begin with 200 and end with an error.
            code = read_error(reply.body).code
            if reply.status < 300 and not code:
                return None
            refusal = self._refusal(method, 500 if reply.status < 300 else reply.status, code)
            return Refusal(
                refusal.told(writing=method in ("PUT", "POST")),
                passing=refusal.passing,
                skewed=code == "RequestTimeTooSkewed",
            )

        return judge

    def _refusal(self, method: str, status: int, code: str) -> S3Refusal:
        said = f"{status} {code}" if code else f"status {status}"
        return S3Refusal(
            f"{method} in {self.location} was answered with {said}", status=status, code=code
        )

    async def _told(self, method: str, work: Awaitable[_Result]) -> _Result:
        try:
            return await work
        except TransportError as error:
            raise StoreUnavailable(f"{method} in {self.location} failed: {error}") from None


def crc32c(body: Pieces) -> str:
    """The checksum of a body as `x-amz-checksum-crc32c` has it."""
    hasher = checksums.ALGORITHMS["CRC32C"].new()
    for piece in body:
        hasher.update(piece)
    return base64.b64encode(hasher.digest()).decode()
