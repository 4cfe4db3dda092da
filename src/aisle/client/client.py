"""`Client`: one node or cluster, as seen by a program or by the command line.

`act`, `upload` and `download` send any request of the native API; the methods above them say what
they do in Python's words and return plain values. A client may be used by many
threads at once, and keeps a connection for each.
"""

from __future__ import annotations

import hashlib
import http.client
import json
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Final, Self

from aisle.client.auth import Auth
from aisle.client.buckets import Bucket
from aisle.client.environment import Keys, surroundings
from aisle.client.errors import ClientError
from aisle.client.jobs import Job, JobStatus, list_jobs
from aisle.client.replies import Reply, read_json
from aisle.client.transport import IDLE_SECONDS, Transport
from aisle.core.sigv4 import EMPTY_SHA256, UNSIGNED_PAYLOAD

_JSON: Final = "application/json"


class Client:
    """Speaks to the node at `endpoint`, such as `http://localhost:8080`.

    Requests are signed with `keys`, or carry `token` as a bearer token, or neither. Over HTTPS the
    node's certificate is checked against `ca_file` (the system's authorities if it is empty) unless
    `verify` is false, and `client_cert` is shown to it: paths of a certificate and its key.
    `timeout` is how many seconds the node may be silent.

    Every method raises `ClientError`, and `Refused` (one of its kinds) when the node says no.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        keys: Keys | None = None,
        token: str = "",
        ca_file: str = "",
        verify: bool = True,
        client_cert: tuple[str, str] | None = None,
        timeout: float = IDLE_SECONDS,
    ) -> None:
        self._transport = Transport(
            endpoint,
            keys=keys,
            token=token,
            ca_file=ca_file,
            verify=verify,
            client_cert=client_cert,
            timeout=timeout,
        )

    @classmethod
    def from_environment(
        cls, environ: Mapping[str, str], *, endpoint: str = "", timeout: float = IDLE_SECONDS
    ) -> Self:
        """A client as `AIS_ENDPOINT` and the other variables say; `endpoint` stands over them."""
        told = surroundings(environ, endpoint)
        return cls(
            told.endpoint,
            keys=told.keys,
            token=told.token,
            ca_file=told.ca_file,
            verify=told.verify,
            client_cert=told.client_cert,
            timeout=timeout,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def endpoint(self) -> str:
        """The node's address, without a path."""
        return self._transport.endpoint

    def close(self) -> None:
        """Close all connections; a request after that makes a new one.

        Requests that other threads are in the middle of fail.
        """
        self._transport.close()

    # --- any request ------------------------------------------------------------------------

    def act(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        action: str = "",
        value: object = None,
        headers: Mapping[str, str] | None = None,
        *,
        name: str = "",
    ) -> Reply:
        """Send a request with an action message (none for `""`) and read the reply whole.

        `name` is the message's own, which a few actions have.
        """
        fields = dict(headers or {})
        if not action:
            return self._send(method, path, query, b"", fields)
        body = json.dumps({"action": action, "name": name, "value": value}).encode()
        return self._send(method, path, query, body, {**fields, "content-type": _JSON})

    def ask(self, method: str, path: str, query: Mapping[str, str], value: object) -> Any:
        """Send `value` (nothing for `None`) as JSON, as it is, and give what the reply's says."""
        return read_json(self.tell(method, path, query, value).body)

    def tell(self, method: str, path: str, query: Mapping[str, str], value: object) -> Reply:
        """The same, for a reply that is not JSON."""
        body = b"" if value is None else json.dumps(value).encode()
        return self._send(method, path, query, body, {"content-type": _JSON} if body else {})

    def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: bytes,
        headers: Mapping[str, str],
    ) -> Reply:
        digest = hashlib.sha256(body).hexdigest() if body else EMPTY_SHA256
        repeatable = method in ("GET", "HEAD")
        with self._transport.exchange(
            method, path, query, headers, [body], len(body), digest, repeatable=repeatable
        ) as response:
            return Reply(response.headers, response.read(), response.status)

    def upload(
        self,
        path: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        pieces: Iterable[bytes],
        size: int | None,
    ) -> Reply:
        """PUT a body piece by piece; one of unknown size (`None`) goes in chunks.

        A body that can be iterated again is sent again if the connection turns out to be dropped,
        if the node is busy or sends us elsewhere; of a generator only the first attempt is made.
        """
        # What is appended, to an object or to an archive, must not come twice.
        repeatable = not any(name.startswith(("append", "arch")) for name in query)
        with self._transport.exchange(
            "PUT", path, query, headers, pieces, size, UNSIGNED_PAYLOAD, repeatable=repeatable
        ) as reply:
            return Reply(reply.headers, reply.read(), reply.status)

    def download(
        self, path: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes = b""
    ) -> AbstractContextManager[http.client.HTTPResponse]:
        """GET what the caller reads, inside of `with`; a few requests have a `body` for that."""
        digest = hashlib.sha256(body).hexdigest() if body else EMPTY_SHA256
        pieces = [body] if body else []
        return self._transport.exchange(
            "GET", path, query, headers, pieces, len(body), digest, repeatable=True
        )

    # --- buckets, jobs and the cluster -------------------------------------------------------

    def bucket(self, name: str, *, provider: str = "ais", namespace: str = "") -> Bucket:
        """The bucket `name`, or `ais://name`; nothing is asked of the node."""
        scheme, separator, rest = name.partition("://")
        if separator:
            provider, name = scheme, rest.rstrip("/")
            if name[:1] in ("@", "#"):
                namespace, _, name = name.partition("/")
        if not name or "/" in name:
            raise ClientError(f'"{name}" is not the name of a bucket')
        return Bucket(self, name, provider, namespace)

    def buckets(self, *, provider: str = "") -> list[Bucket]:
        """The buckets there are, of one provider or of all, by provider and name."""
        reply = self.act("GET", "/v1/buckets", {"provider": provider}, "list")
        found = sorted(
            (row["provider"], _namespace(row.get("namespace")), row["name"])
            for row in read_json(reply.body)
        )
        return [Bucket(self, name, owner, space) for owner, space, name in found]

    def job(self, uuid: str) -> Job:
        """The job of that id; nothing is asked of the node."""
        return Job(self, uuid)

    def jobs(self, *, kind: str = "", active: bool = False) -> list[JobStatus]:
        """The jobs that the cluster remembers: all, those of one kind, or only the running ones."""
        return list_jobs(self, kind, active=active)

    def cluster_map(self) -> dict[str, Any]:
        """The nodes of the cluster, in AIStore's form: `pmap`, `tmap`, `proxy_si`, `uuid`."""
        told: dict[str, Any] = read_json(self.act("GET", "/v1/daemon", {"what": "smap"}).body)
        return told

    def cluster_config(self) -> dict[str, Any]:
        """The configuration of the cluster, section by section."""
        reply = self.act("GET", "/v1/cluster", {"what": "cluster_config"})
        told: dict[str, Any] = read_json(reply.body)
        return told

    @property
    def auth(self) -> Auth:
        """Users, their keys, roles, and logging in."""
        return Auth(self)

    def is_ready(self) -> bool:
        """Whether the node is there and ready to serve."""
        try:
            self.act("GET", "/v1/health", {"prr": "true"})
        except ClientError:
            return False
        return True


def _namespace(row: Mapping[str, str] | None) -> str:
    """A namespace as URIs have it, `@uuid#name`."""
    uuid, name = (row or {}).get("uuid", ""), (row or {}).get("name", "")
    return (f"@{uuid}" if uuid else "") + (f"#{name}" if name else "")
