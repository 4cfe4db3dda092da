"""`Service`: signed requests about one remote bucket, wherever it turns out to be.

A bucket's region is the configured one, else its profile's, else Amazon's oldest; when the service
says that it is another, that one is used from then on. Only the region is taken from such a reply,
never a host: the request goes to the configured endpoint, or to Amazon's of that region.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from aisle.backend.aws.addresses import Address, address, default_style
from aisle.backend.aws.credentials import Chain
from aisle.backend.aws.options import DEFAULT_REGION, Options, is_region
from aisle.backend.aws.refusals import Elsewhere, Judgement
from aisle.backend.exchange import doubting, told
from aisle.backend.sending import text_of, value_of
from aisle.core import sigv4
from aisle.core.errors import RemoteBucketNotFound, RemoteObjectNotFound
from aisle.outgoing.request import Body, Judge, Reply, Request, Sign, TransportError
from aisle.outgoing.stream import Stream
from aisle.outgoing.transport import Transport

# For which a bucket is taken to be there still, after it answered: see `Service.head`.
SEEN_SECONDS: Final = 60.0

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Call:
    """One operation: `path` is a percent-encoded key, `key` the same as it is told; what else
    there is is as `Judgement` and `Transport.call` have it."""

    method: str
    what: str
    path: str = ""
    key: str = ""
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Body | None = None
    sha256: str = ""  # of the body, where it is known
    conditional: str = ""
    etag: bool = False
    good: frozenset[int] = frozenset()

    @property
    def writes(self) -> bool:
        return self.method not in ("GET", "HEAD")


class Service:
    """See the module. `name` is the bucket's in errors."""

    def __init__(self, transport: Transport, chain: Chain, options: Options, name: str) -> None:
        self.name = name
        self.options = options
        self.region = options.region
        self._transport = transport
        self._chain = chain
        self._seen = 0.0
        bucket, endpoint = options.bucket, options.endpoint
        self.style = default_style(endpoint, bucket, path_style=options.path_style)

    async def call(self, call: Call, **limits: Any) -> Reply:
        """The operation's whole reply. Raises `RemoteError`s, `PreconditionFailed`."""

        async def work() -> Reply:
            request, sign = await self._prepared(call)
            judge: Judge = self._judge(call)
            if call.writes:
                judge = doubting(self.name, judge)
            return await self._transport.call(request, judge, sign=sign, **limits)

        reply = await self._settled(call, work)
        self._seen = time.monotonic()
        return reply

    async def open(self, call: Call) -> Stream:
        """Begin an operation whose reply is a body, which the caller closes."""

        async def work() -> Stream:
            request, sign = await self._prepared(call)
            return await self._transport.open(request, self._judge(call), sign=sign)

        stream = await self._settled(call, work)
        self._seen = time.monotonic()
        return stream

    async def once(self, call: Call, *, signed: bool, style: str) -> Stream:
        """One attempt, whose reply is the caller's whatever its status."""
        try:
            request, sign = await self._prepared(call, style=style, signed=signed)
            return await self._transport.once(request, sign=sign if signed else None)
        except TransportError as error:
            raise told(self.name, error, writes=call.writes) from None

    async def head(self, call: Call) -> Reply:
        """A HEAD about a key. It has no body that would tell an absent object from an absent
        bucket, so the bucket is looked for too unless it was there a moment ago."""
        try:
            return await self.call(call)
        except RemoteObjectNotFound:
            if time.monotonic() - self._seen > SEEN_SECONDS or not self._seen:
                await self.call(Call("HEAD", "HeadBucket"))
            raise

    def told_region(self, region: str) -> bool:
        """Take the bucket's region from the service; whether it is another one than before."""
        if not is_region(region) or region == self.region:
            return False
        self.region = region
        return True

    # --- one attempt ------------------------------------------------------------------------

    async def _settled(self, call: Call, work: Callable[[], Awaitable[_Result]]) -> _Result:
        """What `work` returns, once more if the bucket turns out to be in another region."""
        try:
            try:
                return await work()
            except Elsewhere as elsewhere:
                if not self.told_region(elsewhere.region):
                    raise
                return await work()
        except TransportError as error:
            raise told(self.name, error, writes=call.writes) from None
        except RemoteBucketNotFound:
            self._seen = 0.0
            raise

    async def _prepared(
        self, call: Call, *, style: str = "", signed: bool = True
    ) -> tuple[Request, Sign]:
        if not self.region and signed:
            self.region = await self._chain.region(self.name) or DEFAULT_REGION
        options, region = self.options, self.region or DEFAULT_REGION
        place = address(options.endpoint, region, options.bucket, style or self.style)
        headers = {name: value_of(value) for name, value in call.headers.items()}
        headers["host"] = place.host
        url = place.url(call.path, call.query)
        return Request(call.method, url, headers, call.body), self._signer(place, call)

    def _signer(self, place: Address, call: Call) -> Sign:
        region = self.region or DEFAULT_REGION
        payload = call.sha256 or (sigv4.UNSIGNED_PAYLOAD if call.body else sigv4.EMPTY_SHA256)

        async def sign(request: Request, now: float) -> Mapping[str, str]:
            keys = await self._chain.keys(self.name)
            if keys is None:
                return request.headers
            headers = {name: text_of(value) for name, value in request.headers.items()}
            signed = sigv4.sign(
                request.method,
                request.url,
                headers=headers,
                host=place.host,
                payload_hash=payload,
                access_key=keys.access,
                secret_key=keys.secret,
                session_token=keys.token,
                region=region,
                time=now,
            )
            return {name: value_of(value) for name, value in signed.items()}

        return sign

    def _judge(self, call: Call) -> Judgement:
        return Judgement(
            self.name,
            call.what,
            key=call.key,
            conditional=call.conditional,
            etag=call.etag,
            good=call.good,
            stale=self._chain.forget,
        )
