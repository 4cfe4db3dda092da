"""The writers: each owns its keys and goes on, at random, from one acknowledged state to the next.

`Writer` does everything that changes objects; `Contender`s race for the same fresh keys with
`If-None-Match: *`; `BucketMaker` makes and removes buckets. `work` runs until `stop` is set; a
lost connection leaves a doubt in the ledger, which is settled by reading as soon as anyone answers.
"""

from __future__ import annotations

import base64
import hashlib
import random
import threading
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from tests.crash.checks import read_state, settle_uploads
from tests.crash.client import Answer, Client, Lost, NotSent, target
from tests.crash.ledger import Ledger, Piece, State, Upload, bytes_of, multipart, plain

BUCKET = "crash"
KEYS = 10
SMALL = (0, 300, 9_000, 64 << 10)  # rows
LARGE = ((64 << 10) + 1, 200_000, 700_000)  # files
_seeds = count(1)


def expect(answer: Answer, *statuses: int) -> Answer:
    assert answer.status in statuses, f"{answer.status}: {answer.body[:500]!r}"
    return answer


class Writer:
    """Owns the keys `<name>/<n>` of the bucket."""

    def __init__(self, name: str, directory: Path, seed: int) -> None:
        self.name = name
        self.ledger = Ledger(directory / f"{name}.jsonl")
        self.done = 0
        self._random = random.Random(f"{seed}/{name}")
        self._keys = [f"{name}/{number}" for number in range(KEYS)]

    def work(self, port: int, stop: threading.Event) -> None:
        operations = (
            self.put, self.put, self.put, self.delete, self.delete_many, self.copy,
            self.upload, self.upload, self.finish_upload,
        )  # fmt: skip
        with Client(port) as client:
            while not stop.is_set():
                try:
                    self._settle(client)
                    self._random.choice(operations)(client)
                    self.done += 1
                except Lost:
                    continue
                except NotSent:
                    stop.wait(0.02)

    def _settle(self, client: Client) -> None:
        """Resolve what a lost connection left open."""
        for key, states in list(self.ledger.allowed.items()):
            if len(states) > 1:
                self.ledger.settle(key, read_state(client, BUCKET, key, states))
        open_ends = [u for u in self.ledger.uploads.values() if u.maybe or u.ending]
        if open_ends or self.ledger.strays:
            settle_uploads(client, BUCKET, [self.ledger], prefix=f"{self.name}/")

    def _piece(self, *sizes: int) -> Piece:
        return Piece(next(_seeds), self._random.choice(sizes))

    def _change(self, client: Client, key: str, state: State | None, *request: object) -> Answer:
        """A request that brings `key` to `state`."""
        self.ledger.note("begin", key=key, request=str(request[:2]), state=state)
        try:
            answer = client.call(*request)  # type: ignore[arg-type]
        except Lost:
            self.ledger.doubt(key, state)
            raise
        expect(answer, 200, 204)
        if state is not None and answer.etag:
            assert answer.etag == state.etag
        self.ledger.acknowledge(key, state)
        return answer

    def put(self, client: Client) -> None:
        key = self._random.choice(self._keys)
        piece = self._piece(*SMALL, *LARGE)
        self._change(client, key, plain(piece), "PUT", target(BUCKET, key), bytes_of(piece))

    def delete(self, client: Client) -> None:
        key = self._random.choice(self._keys)
        self._change(client, key, None, "DELETE", target(BUCKET, key))

    def delete_many(self, client: Client) -> None:
        keys = self._random.sample(self._keys, 3)
        items = "".join(f"<Object><Key>{key}</Key></Object>" for key in keys)
        document = f"<Delete><Quiet>true</Quiet>{items}</Delete>".encode()
        self.ledger.note("begin", key=keys[0], request="DeleteObjects", keys=keys)
        headers = {"Content-MD5": base64.b64encode(hashlib.md5(document).digest()).decode()}
        try:
            answer = client.call("POST", target(BUCKET, delete=None), document, headers)
        except Lost:
            for key in keys:
                self.ledger.doubt(key, None)
            raise
        assert b"<Error>" not in expect(answer, 200).body
        for key in keys:
            self.ledger.acknowledge(key, None)

    def copy(self, client: Client) -> None:
        source, key = self._random.sample(self._keys, 2)
        state = self.ledger.known(source)
        if state is None:
            return
        headers = {"x-amz-copy-source": f"/{BUCKET}/{source}"}
        self._change(
            client, key, plain(*state.pieces), "PUT", target(BUCKET, key), b"", headers
        )  # fmt: skip

    def upload(self, client: Client) -> None:
        """A whole multipart upload, which is now and then left half done."""
        key = self._random.choice(self._keys)
        self.ledger.note("begin", key=key, request="CreateMultipartUpload")
        try:
            answer = client.call("POST", target(BUCKET, key, uploads=None))
        except Lost:
            self.ledger.strays[key] = self.ledger.strays.get(key, 0) + 1
            raise
        upload_id = expect(answer, 200).xml.findtext("UploadId") or ""
        upload = self.ledger.uploads[upload_id] = Upload(key)
        self.ledger.note("begun", key=key, upload=upload_id)
        for number in range(1, self._random.choice((1, 2, 2, 6)) + 1):
            self._put_part(client, upload_id, upload, number)
        if self._random.random() < 0.8:
            self._end(client, upload_id, upload)

    def _put_part(self, client: Client, upload_id: str, upload: Upload, number: int) -> None:
        piece = self._piece(300, 9_000, *LARGE[:2])
        path = target(BUCKET, upload.key, partNumber=number, uploadId=upload_id)
        try:
            answer = client.call("PUT", path, bytes_of(piece))
        except Lost:
            upload.maybe[number] = piece
            self.ledger.note("part unknown", key=upload.key, upload=upload_id, number=number)
            raise
        assert expect(answer, 200).etag == plain(piece).etag
        upload.parts[number] = piece

    def finish_upload(self, client: Client) -> None:
        """Replace a part of an upload that an earlier life of the node began, and end it."""
        found = [(i, u) for i, u in self.ledger.uploads.items() if not u.gone]
        if not found:
            return
        upload_id, upload = self._random.choice(found)
        if not upload.parts or self._random.random() < 0.5:
            self._put_part(client, upload_id, upload, 1)
        self._end(client, upload_id, upload)

    def _end(self, client: Client, upload_id: str, upload: Upload) -> None:
        path = target(BUCKET, upload.key, uploadId=upload_id)
        if self._random.random() < 0.15:
            self.ledger.note("begin", key=upload.key, request="Abort", upload=upload_id)
            upload.ending = "abort"
            expect(client.call("DELETE", path), 204)
        else:
            numbers = sorted(upload.parts)
            if len(numbers) > 1 and self._random.random() < 0.2:
                del numbers[self._random.randrange(len(numbers))]  # a part that is not used
            state = multipart(upload.parts[number] for number in numbers)
            items = "".join(
                f"<Part><PartNumber>{number}</PartNumber>"
                f"<ETag>{plain(upload.parts[number]).etag}</ETag></Part>"
                for number in numbers
            )
            document = f"<CompleteMultipartUpload>{items}</CompleteMultipartUpload>".encode()
            upload.ending = "complete"
            answer = self._complete(client, upload.key, state, path, document)
            assert answer.xml.findtext("ETag") == f'"{state.etag}"', answer.body
        upload.ending, upload.gone = "", True
        self.ledger.note("ended", key=upload.key, upload=upload_id)

    def _complete(
        self, client: Client, key: str, state: State, path: str, document: bytes
    ) -> Answer:
        """Complete, and ask a second time if the first reply was lost, as SDKs do."""
        try:
            return self._change(client, key, state, "POST", path, document)
        except Lost:
            if self._random.random() < 0.5:
                raise
        return self._change(client, key, state, "POST", path, document)


@dataclass
class Race:
    """What the contenders for one key were told."""

    won: list[State] = field(default_factory=list)
    unknown: list[State] = field(default_factory=list)
    refused: int = 0


class Races:
    """The keys that several contenders race for, `race/<n>`, and how each race ended."""

    def __init__(self, directory: Path) -> None:
        self.ledger = Ledger(directory / "races.jsonl")
        self.races: defaultdict[int, Race] = defaultdict(Race)
        self.lock = threading.Lock()
        self.checked = 0

    def settle(self, client: Client, *, final: bool = False) -> None:
        """Hold the races run since the last time (or all of them) against what is stored."""
        numbers = range(0 if final else self.checked, len(self.races))
        for number in numbers:
            race, key = self.races[number], f"race/{number:05}"
            story = f"{key}: {race}\n{self.ledger.story(key)}"
            assert len(race.won) <= 1, story
            allowed: list[State | None] = list(race.won or race.unknown)
            if not race.won and not race.refused:
                allowed.append(None)
            found = read_state(client, BUCKET, key, tuple(allowed))
            assert found in allowed, f"found {found} of {story}"
            # From now on it is decided.
            self.races[number] = Race([found] if found else [], [], 0 if found is None else 1)
            self.ledger.allowed[key] = (found,)
        self.checked = len(self.races)


class Contender:
    """One of those that race; all run through the same numbers."""

    def __init__(self, races: Races, size: int) -> None:
        self.races = races
        self.done = 0
        self._size = size
        self._next = 0

    def work(self, port: int, stop: threading.Event) -> None:
        # Never behind what was settled: a race that was decided is over.
        self._next = max(self._next, len(self.races.races))
        with Client(port) as client:
            while not stop.wait(0.005):
                try:
                    self._race(client, self._next)
                    self.done += 1
                except NotSent:
                    stop.wait(0.02)
                    continue
                except Lost:
                    pass
                self._next += 1

    def _race(self, client: Client, number: int) -> None:
        key, piece = f"race/{number:05}", Piece(next(_seeds), self._size)
        ledger, lock = self.races.ledger, self.races.lock
        with lock:
            race = self.races.races[number]
            ledger.note("begin", key=key, state=plain(piece))
        try:
            answer = client.call(
                "PUT", target(BUCKET, key), bytes_of(piece), {"If-None-Match": "*"}
            )
        except Lost:
            with lock:
                race.unknown.append(plain(piece))
                ledger.note("unknown", key=key, state=plain(piece))
            raise
        expect(answer, 200, 412, 409)
        with lock:
            ledger.note("answered", key=key, status=answer.status, state=plain(piece))
            if answer.status == 200:
                race.won.append(plain(piece))
            elif answer.status == 412:
                race.refused += 1


class BucketMaker:
    """Makes and removes the buckets `crash-<n>`."""

    def __init__(self, directory: Path, seed: int) -> None:
        self.ledger = Ledger(directory / "buckets.jsonl")
        self.done = 0
        self.allowed: dict[str, set[bool]] = {f"crash-{n}": {False} for n in range(4)}
        self._random = random.Random(f"{seed}/buckets")

    def work(self, port: int, stop: threading.Event) -> None:
        with Client(port) as client:
            while not stop.wait(0.01):
                try:
                    self.settle(client)
                    self._toggle(client, self._random.choice(list(self.allowed)))
                    self.done += 1
                except Lost:
                    continue
                except NotSent:
                    stop.wait(0.02)

    def _toggle(self, client: Client, bucket: str) -> None:
        exists = self.allowed[bucket] == {True}
        self.ledger.note("begin", key=bucket, make=not exists)
        self.allowed[bucket] = {True, False}
        if exists:
            expect(client.call("DELETE", target(bucket)), 204)
        else:
            expect(client.call("PUT", target(bucket)), 200)
        self.allowed[bucket] = {not exists}
        self.ledger.note("acknowledged", key=bucket, exists=not exists)

    def settle(self, client: Client) -> None:
        answer = expect(client.call("GET", "/"), 200)
        listed = {name.text for name in answer.xml.iterfind("Buckets/Bucket/Name")}
        for bucket, allowed in self.allowed.items():
            assert (bucket in listed) in allowed, f"{bucket}\n{self.ledger.story(bucket)}"
            self.allowed[bucket] = {bucket in listed}
        assert listed - self.allowed.keys() == {BUCKET}
