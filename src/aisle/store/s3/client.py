"""`S3Client`: signed requests to one bucket, repeated where that may help, with a clear failure.

* Every request the engine makes may be repeated: keys are never used twice for different bytes.
* A request is given up after `ATTEMPTS` or `PATIENCE` seconds; each attempt has its own time.
* No redirect is followed, no proxy, cookie or credential is taken from the environment, and no
  address is contacted but the endpoint's.
* Failures are `S3Refusal` (the server said no, with its code) or `StoreUnavailable`; their text
  names the bucket, the endpoint and the operation and nothing that was signed with.

Spec: Amazon S3 API reference, REST, "Error responses".
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Final, NamedTuple, TypeVar
from urllib.parse import quote

import aiohttp
from yarl import URL

from aisle.core import checksums, sigv4
from aisle.core.errors import OutOfSpace, ReadOnlyStore, StoreError, StoreUnavailable
from aisle.store.s3.url import Location
from aisle.store.s3.xml import error_code

ATTEMPTS: Final = 5
PATIENCE: Final = 60.0  # after which no further attempt begins
BACKOFF: Final = 0.2
CONNECT_SECONDS: Final = 5.0
REPLY_SECONDS: Final = 30.0
SLOWEST: Final = 256 << 10  # bytes a second, below which an upload counts as stuck
READ_BUFFER: Final = 128 << 10  # reading pauses at twice as much

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

# A call has one limit, which the caller sets; a body may take as long as it goes on arriving.
_CALL: Final = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS)
_READ: Final = aiohttp.ClientTimeout(
    total=None, sock_connect=CONNECT_SECONDS, sock_read=REPLY_SECONDS
)

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


class Reply(NamedTuple):
    """A reply of 2xx."""

    headers: Mapping[str, str]
    body: bytes

    @property
    def date(self) -> float:
        """The server's clock, in seconds; ours if it does not tell."""
        told = _date(self.headers)
        return time.time() if told is None else told


class S3Client:
    """Requests to the bucket of `location`. Make it inside the event loop that uses it.

    Without keys requests are not signed at all.
    """

    def __init__(self, location: Location, *, access_key: str, secret_key: str) -> None:
        self.location = location
        self._access_key = access_key
        self._secret_key = secret_key
        self._ahead = 0.0  # seconds by which the server's clock is ahead of ours
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            read_bufsize=READ_BUFFER,
            auto_decompress=False,
            trust_env=False,
            skip_auto_headers=("Accept", "Accept-Encoding"),
        )

    async def call(
        self,
        method: str,
        key: str = "",
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: Pieces = (),
        seconds: float = REPLY_SECONDS,
        attempts: int = ATTEMPTS,
    ) -> Reply:
        """One operation and its whole reply. `seconds` is how long the server may take for it,
        beside the time that the body takes. Raises `S3Refusal` and other `StoreError`s."""
        size = sum(map(len, body))

        async def attempt() -> Reply:
            async with asyncio.timeout(seconds + size / SLOWEST):
                response = await self._send(
                    method, key, query or {}, headers or {}, body, size, _CALL
                )
                async with response:
                    content = await response.read()
            self._check(method, response, content)
            return Reply(response.headers, content)

        return await self._persist(method, attempt, attempts)

    async def get(self, key: str, offset: int, length: int) -> aiohttp.ClientResponse:
        """Begin to read a range, of one byte at least; the caller reads the reply and closes it."""
        headers = {"range": f"bytes={offset}-{offset + length - 1}"}

        async def attempt() -> aiohttp.ClientResponse:
            async with asyncio.timeout(REPLY_SECONDS):
                response = await self._send("GET", key, {}, headers, (), 0, _READ)
                if response.status == 206:
                    return response
                async with response:
                    content = await response.read() if response.status != 200 else b""
            self._check("GET", response, content)
            raise self._refusal("GET", response.status, "RangeIgnored")

        return await self._persist("GET", attempt, ATTEMPTS)

    async def close(self) -> None:
        await self._session.close()

    # --- one attempt ------------------------------------------------------------------------

    async def _send(
        self,
        method: str,
        key: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        body: Pieces,
        size: int,
        limits: aiohttp.ClientTimeout,
    ) -> aiohttp.ClientResponse:
        url = self.location.url(key)
        if query:
            pairs = [f"{quote(n, safe='')}={quote(v, safe='')}" for n, v in query.items()]
            url = f"{url}?{'&'.join(pairs)}"
        fields = dict(headers)
        if self._access_key:
            fields = sigv4.sign(
                method,
                url,
                headers=headers,
                payload_hash=sigv4.UNSIGNED_PAYLOAD,
                access_key=self._access_key,
                secret_key=self._secret_key,
                region=self.location.region,
                time=time.time() + self._ahead,
            )
        if method in ("PUT", "POST"):
            fields["content-length"] = str(size)
        return await self._session.request(
            method,
            URL(url, encoded=True),
            headers=fields,
            data=_Body(body) if size else None,
            timeout=limits,
            allow_redirects=False,
        )

    def _check(self, method: str, response: aiohttp.ClientResponse, content: bytes) -> None:
        """Raise `S3Refusal` unless the reply is a success to its last byte."""
        # CompleteMultipartUpload and UploadPartCopy may begin with 200 and end with an error.
        code = error_code(content)
        if response.status < 300 and not code:
            return
        if code == "RequestTimeTooSkewed":
            told = _date(response.headers)
            if told is not None:
                self._ahead = told - time.time()
        status = 500 if response.status < 300 else response.status
        raise self._refusal(method, status, code)

    def _refusal(self, method: str, status: int, code: str) -> S3Refusal:
        said = f"{status} {code}" if code else f"status {status}"
        return S3Refusal(
            f"{method} in {self.location} was answered with {said}", status=status, code=code
        )

    async def _persist(
        self, method: str, attempt: Callable[[], Awaitable[_Result]], attempts: int
    ) -> _Result:
        """What `attempt` returns, tried again while failures are of a kind that passes."""
        started = time.monotonic()
        for number in range(1, attempts + 1):
            failure: StoreError
            try:
                return await attempt()
            except S3Refusal as refusal:
                if not refusal.passing:
                    raise refusal.told(writing=method in ("PUT", "POST")) from None
                failure = refusal
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                failure = StoreUnavailable(f"{method} in {self.location} failed: {_reason(error)}")
            if number == attempts or time.monotonic() - started > PATIENCE:
                raise failure
            # Apart from each other, so that writers that failed together do not return together.
            await asyncio.sleep(BACKOFF * 2 ** (number - 1) * random.uniform(0.5, 1.0))  # noqa: S311
        raise AssertionError("at least one attempt is made")


def crc32c(body: Pieces) -> str:
    """The checksum of a body as `x-amz-checksum-crc32c` has it."""
    hasher = checksums.ALGORITHMS["CRC32C"].new()
    for piece in body:
        hasher.update(piece)
    return base64.b64encode(hasher.digest()).decode()


class _Body:
    """A body to be sent, from its beginning each time it is asked for: the HTTP client repeats a
    request by itself when a kept connection turns out to be dead."""

    __slots__ = ("_pieces",)

    def __init__(self, pieces: Pieces) -> None:
        self._pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return "the connection was lost"


def _date(headers: Mapping[str, str]) -> float | None:
    with contextlib.suppress(ValueError):
        return parsedate_to_datetime(headers.get("Date", "")).timestamp()
    return None
