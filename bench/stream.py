"""Plays large GETs, PUTs and multipart uploads, in a process of its own.

`python -m bench.stream` reads one `Job` as JSON from standard input and writes one `Outcome` to
standard output. Each connection is a thread; all their time is spent in system calls that release
the interpreter. What a GET reads is only counted; the job `store`, which comes before it and is not
measured, reads back every object and compares it with what was written.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal
from xml.etree import ElementTree

from bench.servers import HOST, Server
from bench.signing import Credentials, Signer
from bench.wire import Connection, Reply, WireError

Kind = Literal["store", "GET", "PUT", "multipart"]
_NAMESPACE = "{*}"


@dataclass(frozen=True, slots=True)
class Job:
    """`connections` threads repeat `kind` on objects of `size` bytes for `seconds`, each at
    least `at_least` times; over `objects` keys (GET, store) or ever new ones (PUT, multipart).
    """

    kind: Kind
    port: int
    access_key: str
    secret_key: str
    bucket: str
    size: int
    connections: int
    seconds: float
    objects: int
    at_least: int = 1
    part_size: int = 8 << 20


@dataclass(slots=True)
class Outcome:
    """Seconds from the first request to the last reply, each operation's seconds, and errors."""

    elapsed: float = 0.0
    latencies: list[float] = field(default_factory=list)
    errors: int = 0
    first_error: str = ""


def job(server: Server, kind: Kind, bucket: str, **numbers: int | float) -> Job:
    keys = server.credentials
    fields = {"kind": kind, "port": server.port, "bucket": bucket, **numbers}
    return Job(access_key=keys.access_key, secret_key=keys.secret_key, **fields)  # type: ignore[arg-type]


def run(job: Job) -> Outcome:
    """Play the job in another process, whose CPU is not the server's nor this one's."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.stream"],
        input=json.dumps(dataclasses.asdict(job)),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        return Outcome(errors=1, first_error=done.stderr.strip()[-300:])
    return Outcome(**json.loads(done.stdout))


class Player:
    """What the threads of one job share."""

    def __init__(self, job: Job) -> None:
        self.job = job
        host = f"{HOST}:{job.port}"
        self.signer = Signer(host, Credentials(job.access_key, job.secret_key))
        self.outcome = Outcome()
        self.content = os.memfd_create("body")
        block = os.urandom(1 << 20)
        for _ in range(0, job.size, len(block)):
            os.write(self.content, block)
        self._lock = threading.Lock()
        self._number = 0
        self._deadline = 0.0
        self._operations: dict[str, Callable[[Connection, int], None]] = {
            "store": self._store,
            "GET": self._get,
            "PUT": self._put_new,
            "multipart": self._multipart,
        }

    def connect(self) -> Connection:
        return Connection(HOST, self.job.port)

    def play(self) -> None:
        """One thread's share."""
        job, connection = self.job, self.connect()
        operation = self._operations[job.kind]
        count = 0
        while count < job.at_least or time.perf_counter() < self._deadline:
            with self._lock:
                number, self._number = self._number, self._number + 1
            began = time.perf_counter()
            try:
                operation(connection, number)
            except (OSError, WireError) as error:
                with self._lock:
                    self.outcome.errors += 1
                    self.outcome.first_error = self.outcome.first_error or str(error)
                connection.close()
            else:
                self.outcome.latencies.append(time.perf_counter() - began)
            count += 1
        connection.close()

    def all(self) -> Outcome:
        began = time.perf_counter()
        self._deadline = began + self.job.seconds
        threads = [threading.Thread(target=self.play) for _ in range(self.job.connections)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.outcome.elapsed = time.perf_counter() - began
        return self.outcome

    def _store(self, connection: Connection, number: int) -> None:
        key = f"get/{self.job.size}/{number % self.job.objects}"
        self._put(connection, key)
        reply = connection.exchange("GET", self._target("GET", key), keep=True)
        written = os.pread(self.content, self.job.size, 0)
        if self._checked(reply, "GET").body != written:
            raise WireError(f"{key}: what was read is not what was written")

    def _get(self, connection: Connection, number: int) -> None:
        key = f"get/{self.job.size}/{number % self.job.objects}"
        reply = self._checked(connection.exchange("GET", self._target("GET", key)), "GET")
        if reply.length != self.job.size:
            raise WireError(f"GET returned {reply.length} bytes")

    def _put_new(self, connection: Connection, number: int) -> None:
        self._put(connection, f"put/{self.job.size}/{os.getpid()}-{number}")

    def _multipart(self, connection: Connection, number: int) -> None:
        job, key = self.job, f"multipart/{os.getpid()}-{number}"
        begun = self._checked(
            connection.exchange("POST", self._target("POST", key, uploads="")), "create"
        )
        upload = ElementTree.fromstring(begun.body).findtext(f"{_NAMESPACE}UploadId") or ""
        parts = []
        for part in range(1, job.size // job.part_size + 1):
            target = self._target("PUT", key, uploadId=upload, partNumber=str(part))
            reply = connection.exchange("PUT", target, file=self.content, size=job.part_size)
            etag = self._checked(reply, "part").headers.get("etag", "")
            parts.append(f"<Part><PartNumber>{part}</PartNumber><ETag>{etag}</ETag></Part>")
        xml = f"<CompleteMultipartUpload>{''.join(parts)}</CompleteMultipartUpload>"
        target = self._target("POST", key, uploadId=upload)
        done = self._checked(connection.exchange("POST", target, body=xml.encode()), "complete")
        if b"<Error>" in done.body:  # S3 may fail after the head has been sent
            raise WireError(f"complete: {done.body[:200]!r}")

    def _put(self, connection: Connection, key: str) -> None:
        target = self._target("PUT", key)
        self._checked(
            connection.exchange("PUT", target, file=self.content, size=self.job.size), "PUT"
        )

    def _target(self, method: str, key: str, **query: str) -> str:
        return self.signer.target(method, self.job.bucket, key, query)

    @staticmethod
    def _checked(reply: Reply, what: str) -> Reply:
        if reply.status >= 300:
            raise WireError(f"{what}: {reply.status} {reply.body[:160]!r}")
        return reply


def main() -> None:
    json.dump(dataclasses.asdict(Player(Job(**json.load(sys.stdin))).all()), sys.stdout)


if __name__ == "__main__":
    main()
