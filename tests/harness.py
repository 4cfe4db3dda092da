"""A real node, started as users start it, and the two ways to speak to it.

`Endpoint.client` is an unpatched boto3 client; `Endpoint.send` is one raw HTTP request, for what
no SDK would send: the target, headers and body go out as given, signed by botocore's own signer so
that the server is never checked against itself. `Node` is the endpoint of one `aisnode`, which it
runs as a child in its own process group, from the console script of this environment;
`tests.cluster.cluster` has the endpoint of many.

Nothing of the server is imported here.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.parse
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from tests.servers.certificates import Certificates

ACCESS_KEY = "AISLEROOTACCESSKEY00"
SECRET_KEY = "root/Secret+Key/with=signs/0123456789abc"
REGION = "us-east-1"
BIN = Path(sys.executable).parent
START_SECONDS = 30.0
# What a node would take from the environment of whoever runs the tests.
FOREIGN = ("AISLE_", "AIS_", "AWS_", "AZURE_", "GOOGLE_", "STORAGE_EMULATOR_")
# Nor does it find files of theirs, or look for a cloud around it.
NOWHERE = {
    "AWS_CONFIG_FILE": "/nonexistent/config",
    "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent/credentials",
    "AWS_EC2_METADATA_DISABLED": "true",
    "CLOUDSDK_CONFIG": "/nonexistent",
    "NO_GCE_CHECK": "true",
}
STOP_SECONDS = 20.0


def free_port() -> int:
    """A TCP port that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(frozen=True)
class Reply:
    """One HTTP response: names of `headers` are lower case, a repeated one keeps all values."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def xml(self) -> ET.Element:
        """The body as XML with namespaces dropped from the tags, so that paths stay short."""
        root = ET.fromstring(self.body)
        for element in root.iter():
            element.tag = element.tag.rpartition("}")[2]
        return root

    @property
    def code(self) -> str:
        """The code of an S3 error, or `""` where the body is not one."""
        if not self.body.lstrip().startswith(b"<"):
            return ""
        return self.xml.findtext("Code") or ""


class Signer(S3SigV4Auth):  # type: ignore[misc]  # botocore has no types
    """botocore's S3 signer with the payload hash, and if need be the time, told from outside."""

    def __init__(
        self,
        access_key: str,
        secret_key: str,
        *,
        payload: str,
        region: str = REGION,
        service: str = "s3",
        at: str | None = None,
    ) -> None:
        super().__init__(Credentials(access_key, secret_key), service, region)
        self._payload = payload
        self._at = at

    def payload(self, request: AWSRequest) -> str:
        return self._payload

    def _modify_request_before_signing(self, request: AWSRequest) -> None:
        if self._at is not None:
            request.context["timestamp"] = self._at
        super()._modify_request_before_signing(request)


@dataclass(frozen=True)
class Signed:
    """The headers of a signed request and what chunk signatures go on from."""

    headers: dict[str, str]
    signature: str
    timestamp: str
    scope: str
    signer: Signer

    def chain(self, string_to_sign: str) -> str:
        """Sign `string_to_sign` with the same date, region and key."""
        request = AWSRequest(method="PUT", url="http://unused/")
        request.context["timestamp"] = self.timestamp
        return str(self.signer.signature(string_to_sign, request))


def sign(
    method: str,
    target: str,
    *,
    host: str,
    headers: Mapping[str, str] | None = None,
    payload: str = "UNSIGNED-PAYLOAD",
    access_key: str = ACCESS_KEY,
    secret_key: str = SECRET_KEY,
    region: str = REGION,
    service: str = "s3",
    at: str | None = None,
) -> Signed:
    """Sign a request with SigV4; `target` is signed as it will be sent."""
    signer = Signer(access_key, secret_key, payload=payload, region=region, service=service, at=at)
    request = AWSRequest(
        method=method, url=f"http://{host}{target}", headers={**(headers or {}), "Host": host}
    )
    signer.add_auth(request)
    signed = {str(name): str(value) for name, value in request.headers.items()}
    timestamp = str(request.context["timestamp"])
    return Signed(
        headers=signed,
        signature=signed["Authorization"].rpartition("Signature=")[2],
        timestamp=timestamp,
        scope=f"{timestamp[:8]}/{region}/{service}/aws4_request",
        signer=signer,
    )


def presign(
    method: str,
    target: str,
    *,
    host: str,
    expires: int | str = 600,
    headers: Mapping[str, str] | None = None,
    access_key: str = ACCESS_KEY,
    secret_key: str = SECRET_KEY,
    region: str = REGION,
    at: str | None = None,
) -> str:
    """The target of a presigned URL; `headers` are signed and have to be sent along."""
    at = at or time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    sent = {**(headers or {}), "Host": host}
    path, _, query = target.partition("?")
    names = ";".join(sorted(name.lower() for name in sent))
    pairs = dict(urllib.parse.parse_qsl(query, keep_blank_values=True)) | {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"{access_key}/{at[:8]}/{region}/s3/aws4_request",
        "X-Amz-Date": at,
        "X-Amz-Expires": str(expires),
        "X-Amz-SignedHeaders": names,
    }
    encoded = sorted(
        (urllib.parse.quote(name, safe="-_.~"), urllib.parse.quote(value, safe="-_.~"))
        for name, value in pairs.items()
    )
    target = path + "?" + "&".join(f"{name}={value}" for name, value in encoded)
    signer = Signer(access_key, secret_key, payload="UNSIGNED-PAYLOAD", region=region)
    request = AWSRequest(method=method, url=f"http://{host}{target}", headers=sent)
    request.context["timestamp"] = at
    canonical = signer.canonical_request(request)
    signature = signer.signature(signer.string_to_sign(request, canonical), request)
    return f"{target}&X-Amz-Signature={signature}"


def encode_key(key: str) -> str:
    """A key as S3 clients write it into a path: everything but unreserved bytes and slashes."""
    return urllib.parse.quote(key.encode("utf-8", "surrogateescape"), safe="/-_.~")


class Endpoint:
    """Where S3 is served, at `address` and `port`; `host` is what clients write into Host."""

    def __init__(
        self, port: int, address: str = "127.0.0.1", tls: Certificates | None = None
    ) -> None:
        self.port = port
        self.address = address
        self.tls = tls
        self._clients: list[Any] = []

    @property
    def host(self) -> str:
        """What a client writes into Host."""
        name = "localhost" if self.address == "127.0.0.1" else self.address
        return f"{name}:{self.port}"

    @property
    def root(self) -> str:
        """The endpoint at the root."""
        return f"{'https' if self.tls else 'http'}://{self.host}"

    @property
    def endpoint(self) -> str:
        """The endpoint that the documents tell: under `/s3`."""
        return f"{self.root}/s3"

    def close_clients(self) -> None:
        """Close the connections of every client that `client` made."""
        for client in self._clients:
            client.close()
        self._clients.clear()

    def client(
        self,
        *,
        service: str = "s3",
        endpoint: str | None = None,
        access_key: str = ACCESS_KEY,
        secret_key: str = SECRET_KEY,
        token: str = "",
        region: str = REGION,
        **config: Any,
    ) -> Any:
        """A boto3 client with default settings but for `config`; errors are not retried."""
        client = boto3.client(
            service,
            endpoint_url=endpoint or self.endpoint,
            verify=str(self.tls.ca) if self.tls else None,
            region_name=region,
            aws_access_key_id=access_key,
            aws_secret_access_key=secret_key,
            aws_session_token=token or None,
            config=Config(**{"retries": {"max_attempts": 1}, "max_pool_connections": 32} | config),
        )
        self._clients.append(client)
        return client

    def send(
        self,
        method: str,
        target: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | Iterable[bytes] = b"",
        signed: bool = True,
        payload: str = "UNSIGNED-PAYLOAD",
        host: str | None = None,
        unsigned_headers: Mapping[str, str] | None = None,
        timeout: float = 30,
        **signing: Any,
    ) -> Reply:
        """Send one request just as given and return the whole reply.

        `unsigned_headers` are sent but not signed. `Content-Length` is added for a bytes body of
        a PUT or POST unless it is given.
        """
        host = host or self.host
        fields = dict(headers or {})
        if signed:
            fields = sign(
                method, target, host=host, headers=fields, payload=payload, **signing
            ).headers
        fields.update(unsigned_headers or {})
        fields.setdefault("Host", host)
        framed = {"content-length", "transfer-encoding"} & {name.lower() for name in fields}
        if isinstance(body, bytes) and not framed and (body or method in ("PUT", "POST")):
            fields["Content-Length"] = str(len(body))
        return exchange(
            self.port,
            method,
            target,
            fields,
            body,
            timeout=timeout,
            address=self.address,
            tls=self.tls.context if self.tls else None,
        )


class Node(Endpoint):
    """One `aisnode` on a free loopback port, over a data directory that outlives restarts.

    `prefix` is put before its command (what enters a namespace, say), and `address`
    is where it then listens. With `tls` it serves HTTPS, and every client of it trusts that
    authority.
    """

    def __init__(
        self,
        data: Path,
        *,
        auth: bool = True,
        workers: int = 2,
        mountpaths: Sequence[Path] = (),
        options: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        address: str = "127.0.0.1",
        prefix: Sequence[str] = (),
        tls: Certificates | None = None,
    ) -> None:
        super().__init__(free_port(), address, tls)
        self.data = data
        self.auth = auth
        self.log = data.with_name(data.name + ".log")
        self._command = [
            *prefix, str(BIN / "aisnode"), "--data", str(data),
            "--host", address, "--port", str(self.port),
            "--workers", str(workers), "--domain", "localhost", "--no-access-log",
            *(part for path in mountpaths for part in ("--mountpath", str(path))),
            *(("--tls-cert", str(tls.cert), "--tls-key", str(tls.key)) if tls else ()),
            *options,
        ]  # fmt: skip
        self._environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(FOREIGN) and name != "S3_ENDPOINT"
        } | NOWHERE
        if auth:
            self._environment["AISLE_ROOT_ACCESS_KEY"] = ACCESS_KEY
            self._environment["AISLE_ROOT_SECRET_KEY"] = SECRET_KEY
        self._environment.update(environment or {})
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        return self._process is not None

    @property
    def pid(self) -> int:
        assert self._process is not None, "the node is not running"
        return self._process.pid

    def start(self) -> Node:
        """Start the process and return once it answers."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            try:
                if self.send("GET", "/v1/health", signed=False, timeout=5).status == 200:
                    return self
            except OSError:
                pass
            time.sleep(0.05)
        code = self._process.poll()
        self.kill()
        state = "still running" if code is None else f"exit status {code}"
        raise AssertionError(f"the node did not come up ({state}):\n{self.log_tail()}")

    def stop(self) -> int:
        """Ask the node to end, as a service manager does, and return its exit status."""
        assert self._process is not None, "the node is not running"
        self._process.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self) -> int:
        """Return the exit status of a node that has been told to end, by whatever way."""
        assert self._process is not None, "the node is not running"
        self.close_clients()
        try:
            status = self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the node did not stop:\n{self.log_tail()}") from None
        self._process = None
        return status

    def kill(self) -> None:
        """End every process of the node at once, as a power cut would."""
        if self._process is not None:
            members = children(self._process.pid)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None
            # A worker that is still dying would hold its files, and so their disk, a moment longer.
            deadline = time.monotonic() + STOP_SECONDS
            while not all(map(is_gone, members)):
                assert time.monotonic() < deadline, f"of {members} some do not die"
                time.sleep(0.01)

    def restart(self) -> Node:
        """Stop if running, then start over the same data and port."""
        if self._process is not None:
            self.stop()
        return self.start()

    def __enter__(self) -> Node:
        return self if self.running else self.start()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self.kill()  # the test has failed already
        elif self.running:
            assert self.stop() == 0, self.log_tail()

    def log_tail(self, lines: int = 40) -> str:
        if not self.log.exists():
            return "(no log)"
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def children(pid: int) -> list[int]:
    """Process ids of the children that its first thread has, none if it has ended."""
    try:
        return [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def is_gone(pid: int) -> bool:
    """Whether the process and all its threads have ended, reaped or not.

    The first thread of a dying process may be a zombie while the others still hold its sockets.
    """
    proc = Path(f"/proc/{pid}")
    try:
        state = (proc / "stat").read_text().rpartition(")")[2].split()[0]
        return state == "Z" and len(list((proc / "task").iterdir())) == 1
    except (FileNotFoundError, ProcessLookupError):
        return True


def exchange(
    port: int,
    method: str,
    target: str,
    headers: Mapping[str, str],
    body: bytes | Iterable[bytes] = b"",
    *,
    timeout: float = 30,
    address: str = "127.0.0.1",
    tls: ssl.SSLContext | None = None,
) -> Reply:
    """One request and its reply over a connection of its own; `headers` are all that is sent."""
    if tls is None:
        connection = http.client.HTTPConnection(address, port, timeout=timeout)
    else:
        connection = http.client.HTTPSConnection(address, port, timeout=timeout, context=tls)
    try:
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value.encode("utf-8"))
        connection.endheaders()
        try:
            for piece in [body] if isinstance(body, bytes) else body:
                if piece:
                    connection.send(piece)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the server answered early and closed: its reply is still there to be read
        response = connection.getresponse()
        content = response.read()
        fields: dict[str, str] = {}
        for name, value in response.getheaders():
            lower = name.lower()
            fields[lower] = f"{fields[lower]}, {value}" if lower in fields else value
        return Reply(response.status, fields, content)
    finally:
        connection.close()
