"""The crash test of versions: SIGKILL at random moments over a bucket that keeps them.

Each writer owns keys and knows of each what it was told: which versions and delete markers are
there, in which order, and of the last request without an answer what it may have done. After every
kill each key's versions are those, whole, newest first, and the current one is the newest; a
version that was removed for good is not back. At the end the rows are as `namespace.versions`
promises, and the sweep finds nothing but what the kills left behind.

`AISLE_CRASH_VERSION_KILLS` sets the number of kills, `AISLE_CRASH_SEED` the choices of the writers.
"""

from __future__ import annotations

import asyncio
import os
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from aisle.namespace import housekeeping
from aisle.namespace.store import Store, store_id
from aisle.store.files import FileBlobs
from aisle.store.sqlite import SqliteIndex
from tests.crash.client import Answer, Client, Lost, NotSent, target
from tests.crash.ledger import Piece, State, bytes_of, multipart, plain
from tests.crash.site import seed_of_today
from tests.harness import Node
from tests.namespace.versioned import check_invariants

KILLS = int(os.environ.get("AISLE_CRASH_VERSION_KILLS", "8"))
BUCKET = "versions"
WRITERS, KEYS = 4, 3
SIZES = (0, 300, 9_000, (64 << 10) + 1, 200_000)
DAY = 86_400 * 10**9


class Told(NamedTuple):
    """A version as a listing tells it; a marker has no ETag."""

    version: str
    etag: str
    latest: bool

    @property
    def is_marker(self) -> bool:
        return not self.etag


class History:
    """What a key's owner knows of its versions, newest first, and what may have come or gone."""

    def __init__(self) -> None:
        self.known: list[tuple[str, State | None]] = []
        self.may_have_come: list[State | None] = []  # None: a marker
        self.has_come = False  # it was acknowledged; only its id is not known yet
        self.may_have_gone: list[str] = []
        self.gone: set[str] = set()


class Writer:
    """Owns the keys `<name>/<n>`."""

    def __init__(self, name: str, seed: int) -> None:
        self.name, self.done = name, 0
        self.histories = {f"{name}/{number}": History() for number in range(KEYS)}
        self._random = random.Random(f"{seed}/{name}")
        self._pieces = 0

    def work(self, port: int, stop: threading.Event) -> None:
        steps = (self.put, self.put, self.complete, self.delete, self.remove, self.remove_top)
        with Client(port) as client:
            while not stop.is_set():
                try:
                    key = self._random.choice(list(self.histories))
                    self.settle(client, key)
                    self._random.choice(steps)(client, key, self.histories[key])
                    self.done += 1
                except Lost:
                    continue
                except NotSent:
                    stop.wait(0.02)

    def _piece(self) -> Piece:
        self._pieces += 1
        seed = int.from_bytes(self.name.encode(), "big") * 10**6 + self._pieces
        return Piece(seed, self._random.choice(SIZES))

    def put(self, client: Client, key: str, history: History) -> None:
        piece = self._piece()
        history.may_have_come.append(plain(piece))
        _expect(client.call("PUT", target(BUCKET, key), bytes_of(piece)), 200)
        self._came(client, key)

    def complete(self, client: Client, key: str, history: History) -> None:
        begun = _expect(client.call("POST", target(BUCKET, key, uploads=None)), 200)
        upload, pieces = begun.xml.findtext("UploadId") or "", [self._piece(), self._piece()]
        pieces[0] = pieces[0]._replace(size=max(pieces[0].size, 1))
        items = ""
        for number, piece in enumerate(pieces, 1):
            path = target(BUCKET, key, partNumber=number, uploadId=upload)
            etag = _expect(client.call("PUT", path, bytes_of(piece)), 200).etag
            items += f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"
        document = f"<CompleteMultipartUpload>{items}</CompleteMultipartUpload>".encode()
        history.may_have_come.append(multipart(pieces))
        path = target(BUCKET, key, uploadId=upload)
        _expect(client.call("POST", path, document), 200)
        self._came(client, key)

    def delete(self, client: Client, key: str, history: History) -> None:
        history.may_have_come.append(None)
        _expect(client.call("DELETE", target(BUCKET, key)), 204)
        self._came(client, key)

    def remove(self, client: Client, key: str, history: History) -> None:
        if history.known:
            self._remove(client, key, history, self._random.choice(history.known)[0])

    def remove_top(self, client: Client, key: str, history: History) -> None:
        if history.known:
            self._remove(client, key, history, history.known[0][0])

    def _remove(self, client: Client, key: str, history: History, version: str) -> None:
        history.may_have_gone.append(version)
        _expect(client.call("DELETE", target(BUCKET, key, versionId=version)), 204)
        history.may_have_gone.remove(version)
        history.gone.add(version)
        history.known = [known for known in history.known if known[0] != version]

    def _came(self, client: Client, key: str) -> None:
        """An acknowledged version must be there; its id is learned from a listing."""
        self.histories[key].has_come = True
        self.settle(client, key)

    def settle(self, client: Client, key: str) -> None:
        """Hold what is there against what is known; a request without an answer has either been
        done or not."""
        history, found = self.histories[key], list_key(client, key)
        versions = [told.version for told in found]
        assert len(versions) == len(set(versions))
        assert history.gone.isdisjoint(versions), f"{key}: a removed version is back"
        for version in history.may_have_gone:
            if version not in versions:
                history.known = [known for known in history.known if known[0] != version]
                history.gone.add(version)
        history.may_have_gone.clear()
        fresh = found[: len(found) - len(history.known)]
        assert len(fresh) <= len(history.may_have_come), f"{key}: nobody wrote {fresh}"
        assert fresh or not history.has_come, f"{key}: an acknowledged version is not there"
        history.has_come = False
        for told in reversed(fresh):
            matching = [s for s in history.may_have_come if told.etag == (s.etag if s else "")]
            assert matching, f"{key}: nobody wrote {told}"
            history.known.insert(0, (told.version, matching[0]))
        history.may_have_come.clear()
        assert [known[0] for known in history.known] == versions, f"{key}: {found}"

    def check(self, client: Client) -> None:
        """All versions of all keys, with their bytes."""
        for key, history in self.histories.items():
            self.settle(client, key)
            for place, (version, state) in enumerate(history.known):
                told = client.call("GET", target(BUCKET, key, versionId=version))
                current = client.call("GET", target(BUCKET, key)) if not place else told
                if state is None:
                    assert (told.status, current.status) in ((405, 404), (405, 405))
                else:
                    for answer in (told, current):
                        assert (answer.status, answer.etag) == (200, state.etag)
                        assert answer.body == state.body
            if not history.known:
                assert client.call("GET", target(BUCKET, key)).status == 404


def _expect(answer: Answer, status: int) -> Answer:
    assert answer.status == status, f"{answer.status}: {answer.body[:500]!r}"
    return answer


def list_key(client: Client, key: str) -> list[Told]:
    """The versions of a key as ListObjectVersions tells them, newest first."""
    path = f"/{BUCKET}?versions&prefix={quote(key, safe='')}"
    root = _expect(client.call("GET", path), 200).xml
    found = [
        Told(
            entry.findtext("VersionId") or "",
            (entry.findtext("ETag") or "").strip('"'),
            entry.findtext("IsLatest") == "true",
        )
        for entry in root
        if entry.tag in ("Version", "DeleteMarker") and entry.findtext("Key") == key
    ]
    assert [told.latest for told in found] == [not place for place in range(len(found))]
    return found


def test_acknowledged_versions_survive_kills_at_random_moments(tmp_path: Path) -> None:
    seed = seed_of_today()
    choose = random.Random(seed)
    node = Node(tmp_path / "data", auth=False, workers=2)
    writers = [Writer(f"w{number}", seed) for number in range(WRITERS)]
    node.start()
    try:
        with Client(node.port) as client:
            _expect(client.call("PUT", target(BUCKET)), 200)
            document = (
                b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
            )
            _expect(client.call("PUT", target(BUCKET, versioning=None), document), 200)
        for _ in range(KILLS):
            stop = threading.Event()
            with ThreadPoolExecutor(WRITERS) as pool:
                running = [pool.submit(writer.work, node.port, stop) for writer in writers]
                try:
                    time.sleep(choose.uniform(0.2, 1.2))
                    node.kill()
                finally:
                    stop.set()
                for each in running:
                    each.result()
            node.start()
            with Client(node.port) as client:
                for writer in writers:
                    writer.check(client)
        assert sum(writer.done for writer in writers) > 5 * KILLS, "too few to prove anything"
        node.kill()
        asyncio.run(_rows_are_as_promised(node.data))
    finally:
        node.kill()


async def _rows_are_as_promised(data: Path) -> None:
    index = SqliteIndex.open(data / "index.db")
    blobs = FileBlobs.mount([data / "disk"], store=await store_id(index))
    try:
        store = Store(index, blobs, now=lambda: time.time_ns() + 2 * DAY)
        await store.change_config({"space.sweep_age": "0s"})
        await housekeeping.tidy(store)
        swept = await housekeeping.sweep(store)
        assert swept.missing == []
        await check_invariants(store)
    finally:
        await blobs.close()
        await index.close()
