"""Clients that read and write the same keys through every gateway at once, and keep a history.

The keys are few at a time, so that clients meet, and are left for fresh ones after some dozens of
operations, so that no key's history grows long. What they do: plain, conditional and multipart
writes of small objects (rows) and of objects of several stripes, deletions, reads, listings; and
keys that are written once and read in the end.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from itertools import count
from types import TracebackType
from typing import Self

from tests.cluster.checker import FINAL
from tests.cluster.connection import Door, Doors, Trouble
from tests.cluster.history import History, Kind, Listing, Operation, Outcome
from tests.cluster.values import Value, Values
from tests.crash.client import target
from tests.harness import Reply

MIB = 1 << 20
SMALL = (0, 200, 5_000, 60_000)
LARGE = (300_000, 5 * MIB, 9 * MIB)
PART = (100_000, 4 * MIB + 1)
SLOTS = {"small": 4, "large": 1, "multi": 1, "race": 2}
_OPERATIONS_A_KEY = 30
_PAUSE = 0.02


@dataclass
class Record:
    """What all clients of one run write down."""

    bucket: str
    doors: Sequence[Door]
    history: History = field(default_factory=History)
    values: Values = field(default_factory=Values)
    troubles: list[Trouble] = field(default_factory=list)
    _used: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def key(self, kind: str, slot: int) -> str:
        """The key that is in use for a slot."""
        with self._lock:
            self._used[f"{kind}/{slot}"] += 1
            turn = self._used[f"{kind}/{slot}"] // _OPERATIONS_A_KEY
        return f"{kind}/{slot}-{turn}"


class Client:
    """One client: every method is one operation and its record. `close` it."""

    def __init__(self, name: str, record: Record, seed: object) -> None:
        self.name = name
        self._record = record
        self._doors = Doors(record.doors, record.troubles)
        self._random = random.Random(f"{seed}/{name}")
        self._numbers = count()

    def close(self) -> None:
        self._doors.close()

    def write_on(self, stop: threading.Event) -> None:
        """Write without a break, so that there is always a commit under way."""
        with closing(self):
            while not stop.is_set():
                self.put_once()

    def work(self, stop: threading.Event) -> None:
        """Go on at random until told to stop."""
        operations: list[Callable[[], None]] = [
            *[self.put_small, self.get_small] * 4, self.delete_small, self.create, self.create,
            *[self.swap] * 3, *[self.put_once] * 4, self.put_large, self.get_large, self.upload,
            self.list_all,
        ]  # fmt: skip
        with closing(self):
            while not stop.wait(self._random.uniform(0, 2 * _PAUSE)):
                self._random.choice(operations)()

    # --- operations ---------------------------------------------------------------------------

    def put_small(self) -> None:
        self.write("put", self._key("small"), self._new_small())

    def put_large(self) -> None:
        size = self._random.choices(LARGE, (8, 1, 1))[0] + self._random.randrange(50)
        self.write("put", self._key("large"), self._record.values.new(size))

    def get_small(self) -> None:
        self.read(self._key(self._random.choice(("small", "race"))))

    def get_large(self) -> None:
        self.read(self._key(self._random.choice(("large", "multi"))))

    def delete_small(self) -> None:
        self.write("delete", self._key("small"))

    def create(self) -> None:
        """Take part in the race for a key; whoever comes first has it."""
        kind = self._random.choice(("race", "race", "small"))
        self.write("put-if-absent", self._key(kind), self._new_small())

    def put_once(self) -> None:
        """Write a key that nobody else writes: what is lost stays lost, and the only reason to be
        refused is one's own write."""
        kind: Kind = self._random.choice(("put", "put-if-absent"))
        self.write(kind, f"once/{self.name}-{next(self._numbers)}", self._new_small())

    def swap(self) -> None:
        """Read, and write if nothing has changed since."""
        key = self._key("small")
        found = self.read(key)
        if found is not None:
            self.write("put-if-match", key, self._new_small(), expected=found)

    def upload(self) -> None:
        """A multipart upload, every step through another door."""
        key = self._key("multi")
        sizes = [self._random.choices(PART, (6, 1))[0], self._random.randrange(1, 50_000)]
        value = self._record.values.new(*sizes, multipart=True)
        begun = self._call("POST", target(self._record.bucket, key, uploads=None))[0]
        if begun is None:
            return
        upload = begun.xml.findtext("UploadId") or ""
        listed = ""
        for number, part in enumerate(value.parts, 1):
            query = {"partNumber": number, "uploadId": upload}
            put, start, _, door = self._call("PUT", self._target(key, **query), part)
            if put is None:
                return
            if put.status != 200:
                self._doors.wrong(door, start, f"a part of {upload} of {key}: {put}")
                return
            etag = put.headers.get("etag", "")
            listed += f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"
        document = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()
        self._write("put", key, value, "POST", self._target(key, uploadId=upload), document)

    def list_all(self) -> None:
        """List everything below one of the prefixes, page by page, each through another door."""
        prefix = self._random.choice(("small/", "race/", "once/", "large/", "multi/", ""))
        self.list(prefix)

    # --- requests -----------------------------------------------------------------------------

    def write(
        self, kind: Kind, key: str, value: Value | None = None, *, expected: Value | None = None
    ) -> None:
        """Put or delete, and record what came of it."""
        headers = {}
        if kind == "put-if-absent":
            headers["If-None-Match"] = "*"
        elif expected is not None:
            headers["If-Match"] = f'"{expected.etag}"'
        method = "DELETE" if kind == "delete" else "PUT"
        body = value.body if value else b""
        self._write(kind, key, value, method, self._target(key), body, headers, expected)

    def _write(
        self,
        kind: Kind,
        key: str,
        value: Value | None,
        method: str,
        where: str,
        body: bytes,
        headers: Mapping[str, str] | None = None,
        expected: Value | None = None,
    ) -> None:
        reply, start, end, door = self._call(method, where, body, headers)
        outcome: Outcome = "unknown"
        if not self._doors.sent:
            return
        if reply is not None:
            told = _outcome(kind, reply)
            if told is None:
                self._doors.wrong(door, start, f"{kind} {key}: {reply}")
            elif told == "conflict":
                return  # it did not happen, and says nothing of the object
            else:
                outcome = told  # type: ignore[assignment]
        if outcome == "done" and value is not None and reply is not None:
            etag = reply.headers.get("etag") or reply.xml.findtext("ETag") or ""
            if etag.strip('"') != value.etag:
                self._doors.wrong(door, start, f"{kind} {key}: the ETag should be {value.etag}")
        self._record.history.add(
            Operation(
                f"{self.name} via {door}", kind, key, start, end, outcome,
                value.name if value else "", expected.name if expected else "",
            )
        )  # fmt: skip

    def read(self, key: str) -> Value | None:
        """Get an object, and record what it was."""
        reply, start, end, door = self._call("GET", self._target(key))
        if reply is None:
            return None
        found: str | None = None
        if reply.status == 200:
            found = self._record.values.identify(reply.headers.get("etag", ""), reply.body)
        elif reply.code != "NoSuchKey":
            self._doors.wrong(door, start, f"get {key}: {reply}")
            return None
        client = FINAL if self.name == FINAL else f"{self.name} via {door}"
        self._record.history.add(Operation(client, "get", key, start, end, found=found))
        return self._record.values.named(reply.headers.get("etag", "")) if found else None

    def list(self, prefix: str) -> None:
        """List a prefix, and record what was there."""
        start, entries, more = time.monotonic(), dict[str, str](), ""
        while True:
            query = {"list-type": 2, "prefix": prefix, "max-keys": 100}
            if more:
                query["continuation-token"] = more
            reply, began, end, door = self._call("GET", target(self._record.bucket, **query))
            if reply is None:
                return
            if reply.status != 200:
                self._doors.wrong(door, began, f"list {prefix}: {reply}")
                return
            for entry in reply.xml.iter("Contents"):
                key = entry.findtext("Key") or ""
                entries[key] = self._record.values.name(entry.findtext("ETag") or "")
            more = reply.xml.findtext("NextContinuationToken") or ""
            if not more:
                break
        self._record.history.add(Listing(f"{self.name} via {door}", prefix, start, end, entries))

    def _call(
        self, method: str, where: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> tuple[Reply | None, float, float, str]:
        door = self._random.choice(self._doors.names)
        start = time.monotonic()
        reply = self._doors.call(door, method, where, body, headers)
        return reply, start, time.monotonic(), door

    def _target(self, key: str, **query: object) -> str:
        return target(self._record.bucket, key, **query)

    def _key(self, kind: str) -> str:
        return self._record.key(kind, self._random.randrange(SLOTS[kind]))

    def _new_small(self) -> Value:
        return self._record.values.new(self._random.choice(SMALL), self._random.randrange(16, 64))


def _outcome(kind: Kind, reply: Reply) -> str | None:
    """What a reply says of a write; `None` if it cannot be true."""
    if reply.status in (200, 204) and b"<Error>" not in reply.body[:200]:
        return "done"
    conditional = kind in ("put-if-absent", "put-if-match")
    if reply.status == 412 and conditional:
        return "refused"
    if reply.status == 404 and kind == "put-if-match" and reply.code == "NoSuchKey":
        return "missing"
    if reply.status == 409 and reply.code == "ConditionalRequestConflict":
        return "conflict"
    return None


class Load:
    """A number of clients at work, from entry to exit of the context; `writers` do nothing but
    write."""

    def __init__(self, record: Record, *, clients: int, writers: int = 0, seed: object) -> None:
        self._work = [Client(f"c{number}", record, seed).work for number in range(clients)]
        self._work += [Client(f"w{number}", record, seed).write_on for number in range(writers)]
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(clients + writers)
        self._running: list[Future[None]] = []

    def __enter__(self) -> Self:
        self._running = [self._pool.submit(each, self._stop) for each in self._work]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._pool.shutdown()
        if error is None:
            for each in self._running:
                each.result()


def read_everything(record: Record, seed: object) -> None:
    """Read every key through any door, and list everything through each."""
    with closing(Client(FINAL, record, seed)) as reader:
        for key in record.history.keys:
            reader.read(key)
    for door in record.doors:
        alone = Record(record.bucket, [door], record.history, record.values, record.troubles)
        with closing(Client(FINAL, alone, seed)) as lister:
            lister.list("")
