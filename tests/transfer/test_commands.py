"""`aisnode export` and `import` as users run them: between nodes and clusters, cut off, killed."""

from __future__ import annotations

import contextlib
import http.server
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.cluster import Cluster, Engines
from tests.cluster.deployments import BLOBS, Deployment
from tests.harness import ACCESS_KEY, BIN, SECRET_KEY, Node

KEYS = {"AISLE_SOURCE_ACCESS_KEY": ACCESS_KEY, "AISLE_SOURCE_SECRET_KEY": SECRET_KEY}
SECONDS = 120.0
MIB = 1 << 20


def aisnode(
    *arguments: object,
    engines: Engines = Engines(()),  # noqa: B008 - a value that nobody changes
    environment: Mapping[str, str] | None = None,
    **options: Any,
) -> subprocess.Popen[str]:
    """Start one of the subcommands."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AISLE_")}
    return subprocess.Popen(
        [str(BIN / "aisnode"), *map(str, arguments), *engines.options],
        env={**clean, **engines.environment, **(environment or {})},
        **{
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            "text": True,
            **options,
        },
    )


def finish(process: subprocess.Popen[str], *, code: int = 0) -> tuple[str, str]:
    """Its output and errors, once it has ended as it should."""
    try:
        out, err = process.communicate(timeout=SECONDS)
    finally:
        process.kill()
    assert process.returncode == code, out + err
    return out, err


def run(*arguments: object, code: int = 0, **options: Any) -> tuple[str, str]:
    return finish(aisnode(*arguments, **options), code=code)


def fill(client: Any) -> None:
    """Objects of every kind, and uploads that go on."""
    for bucket in ("first", "second"):
        client.create_bucket(Bucket=bucket)
    for number in range(40):
        client.put_object(Bucket="first", Key=f"many/{number:03d}", Body=b"%d" % number)
    client.put_object(Bucket="first", Key="empty", Body=b"")
    client.put_object(
        Bucket="first",
        Key="described é\n",
        Body=os.urandom(100_000),
        Metadata={"colour": "yellow"},
        ContentType="text/plain",
        CacheControl="no-store",
        ChecksumAlgorithm="SHA256",
        StorageClass="STANDARD_IA",
    )
    client.put_object(Bucket="first", Key="large", Body=os.urandom(5 * MIB + 3))
    for key, count, extra in (
        ("few", 2, {}),
        ("more", 6, {"ChecksumAlgorithm": "CRC32C", "ChecksumType": "COMPOSITE"}),
    ):
        upload = client.create_multipart_upload(Bucket="second", Key=key, **extra)["UploadId"]
        where = {"Bucket": "second", "Key": key, "UploadId": upload}
        parts = []
        for number in range(1, count + 1):
            size = 5 * MIB if number < count else 1000
            algorithm = {"ChecksumAlgorithm": "CRC32C"} if extra else {}
            sent = client.upload_part(
                **where, PartNumber=number, Body=os.urandom(size), **algorithm
            )
            told = {"PartNumber": number, "ETag": sent["ETag"]}
            if extra:
                told["ChecksumCRC32C"] = sent["ChecksumCRC32C"]
            parts.append(told)
        client.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})
    upload = client.create_multipart_upload(Bucket="second", Key="goes on")["UploadId"]
    where = {"Bucket": "second", "Key": "goes on", "UploadId": upload}
    client.upload_part(**where, PartNumber=1, Body=bytes(5 * MIB))
    client.upload_part(**where, PartNumber=7, Body=b"seven")


def plain(reply: dict[str, Any]) -> dict[str, Any]:
    """A reply without what differs from one request to the next."""
    reply = {name: value for name, value in reply.items() if name != "ResponseMetadata"}
    if "Body" in reply:
        reply["Body"] = reply["Body"].read()
    return reply


def seen(client: Any) -> dict[Any, Any]:
    """All that boto3 shows of a store."""
    found: dict[Any, Any] = {}
    for bucket in client.list_buckets()["Buckets"]:
        name = bucket["Name"]
        found[name] = bucket
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=name):
            for entry in page.get("Contents", []):
                found[name, entry["Key"]] = [entry, *_object(client, name, entry["Key"])]
        for upload in client.list_multipart_uploads(Bucket=name).get("Uploads", []):
            where = {"Bucket": name, "Key": upload["Key"], "UploadId": upload["UploadId"]}
            found[name, upload["UploadId"]] = [upload, plain(client.list_parts(**where))]
    return found


def _object(client: Any, bucket: str, key: str) -> Iterator[dict[str, Any]]:
    where = {"Bucket": bucket, "Key": key}
    whole = plain(client.get_object(**where, ChecksumMode="ENABLED"))
    yield whole
    yield plain(client.head_object(**where, ChecksumMode="ENABLED"))
    first = plain(client.head_object(**where, PartNumber=1, ChecksumMode="ENABLED"))
    yield first
    for number in range(2, first.get("PartsCount", 1) + 1):
        yield plain(client.get_object(**where, PartNumber=number, ChecksumMode="ENABLED"))
    wanted = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]
    yield plain(client.get_object_attributes(**where, ObjectAttributes=wanted))


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Node]]:
    """A function that starts a node over a directory of the test."""
    nodes: list[Node] = []

    def make(name: str, **options: Any) -> Node:
        node = Node(tmp_path / name, workers=1, **options)
        nodes.append(node)
        return node.start()

    yield make
    for node in nodes:
        node.kill()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[Cluster, Engines]]:
    """Two gateways that serve an empty store."""
    (tmp_path / "engines").mkdir()
    deployment = Deployment("postgres+s3", tmp_path / "engines")
    try:
        engines = deployment.engines()
        running = Cluster(tmp_path / "cluster", engines).start()
        try:
            yield running, engines
        finally:
            running.kill()
    finally:
        deployment.close()


@pytest.mark.parametrize("name", BLOBS)
def test_from_a_node_to_a_cluster_and_back(
    name: str, start: Callable[..., Node], tmp_path: Path
) -> None:
    node = start("a")
    fill(node.client())
    wanted = seen(node.client())
    node.stop()
    (tmp_path / "engines").mkdir()
    deployment = Deployment(name, tmp_path / "engines")
    try:
        engines = deployment.engines()
        sender = aisnode("export", "-", "--data", node.data, text=False)
        receiver = aisnode("import", "-", engines=engines, stdin=sender.stdout)
        assert sender.stdout is not None
        sender.stdout.close()
        sender.stdout = None
        out, err = finish(receiver)
        assert out.startswith("imported 2 buckets, 45 objects, 1 upload with 2 parts, "), err
        finish(sender)
        running = Cluster(tmp_path / "cluster", engines).start()
        try:
            assert seen(running.client()) == wanted
            # Gateways go on serving while their store is exported.
            run("export", tmp_path / "file", engines=engines)
            assert seen(running.client()) == wanted
        finally:
            running.kill()
    finally:
        deployment.close()
    run("import", tmp_path / "file", "--data", tmp_path / "b")
    assert seen(start("b").client()) == wanted


def test_a_node_that_runs_is_neither_exported_nor_imported_into(
    start: Callable[..., Node], tmp_path: Path
) -> None:
    node = start("a")
    for arguments in (("export", tmp_path / "file"), ("import", node.root)):
        _, err = run(*arguments, "--data", node.data, code=1)
        assert err.startswith("aisnode: error: data directory ")
        assert "is in use by another node" in err
        assert err.count("\n") == 1
    assert not (tmp_path / "file").exists()


def test_an_import_that_was_killed_goes_on(start: Callable[..., Node], tmp_path: Path) -> None:
    node = start("a")
    client = node.client()
    client.create_bucket(Bucket="first")
    for number in range(60):
        client.put_object(
            Bucket="first", Key=f"{number:03d}", Body=os.urandom(200_000 * (number % 3))
        )
    client.put_object(Bucket="first", Key="zzz", Body=os.urandom(20 * MIB))
    wanted = seen(client)
    node.stop()
    file, target = tmp_path / "file", tmp_path / "b"
    run("export", file, "--data", node.data)
    for mebibytes in (0, 3, 20):
        killed = aisnode("import", file, "--data", target)
        while size_of(target) <= mebibytes * MIB and killed.poll() is None:
            time.sleep(0.005)
        killed.send_signal(signal.SIGKILL)
        killed.communicate(timeout=SECONDS)
    other = start("b")
    found = seen(other.client())
    assert found.items() <= wanted.items()
    other.stop()
    out, _ = run("import", file, "--data", target)
    assert "refused 0" in out
    assert seen(start("b").client()) == wanted


def size_of(directory: Path) -> int:
    total = 0
    for place, _, names in os.walk(directory):
        for name in names:
            try:
                total += os.stat(os.path.join(place, name)).st_size
            except FileNotFoundError:
                continue
    return total


def wait_for(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_pipe_that_nobody_reads_ends_in_one_line(
    start: Callable[..., Node], tmp_path: Path
) -> None:
    node = start("a")
    node.client().create_bucket(Bucket="first")
    node.client().put_object(Bucket="first", Key="a", Body=bytes(3 * MIB))
    node.stop()
    reader = subprocess.Popen(
        ["head", "-c", "100"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    exporting = aisnode("export", "-", "--data", node.data, stdout=reader.stdin)
    assert reader.stdin is not None
    reader.stdin.close()
    assert reader.wait(SECONDS) == 0
    _, err = finish(exporting, code=1)
    assert err == "aisnode: error: nobody reads the standard output any more\n"
    with open("/dev/full", "wb") as full:
        _, err = run("export", "-", "--data", node.data, code=1, stdout=full)
    assert err == (
        "aisnode: error: the standard output cannot be written: No space left on device\n"
    )


# --- online -------------------------------------------------------------------------------------


def test_a_serving_cluster_pulls_a_serving_node(
    cluster: tuple[Cluster, Engines], start: Callable[..., Node]
) -> None:
    """Both are written to meanwhile, and the connection is cut again and again."""
    running, engines = cluster
    node = start("old")
    fill(node.client())
    ended = threading.Event()
    old = Writer(node, ended, "source", range(0, 40, 2))
    new = Writer(running, ended, "target", range(1, 40, 4))
    new.client.create_bucket(Bucket="own")
    try:
        with Cutter(node.port, every=8 * MIB) as cutter:
            url = f"http://localhost:{cutter.port}"
            first = aisnode("import", url, "--delete", engines=engines, environment=KEYS)
            old.start()
            wait_for(lambda: bucket_exists(running, "first") or first.poll() is not None)
            new.start()
            out, _ = finish(first)
            assert out.startswith("imported 2 buckets, ")
            run("import", url, "--delete", engines=engines, environment=KEYS)
            assert cutter.cuts > 0
    finally:
        ended.set()
        old.join()
        new.join()
    assert old.failures == new.failures == []
    node.client().delete_object(Bucket="first", Key="empty")
    node.client().delete_object(Bucket="second", Key="few")
    out, _ = run("import", node.root, "--follow", "--delete", engines=engines, environment=KEYS)
    assert "refused 0" in out
    wanted, found = seen(node.client()), seen(running.client())
    assert found.pop("own")["Name"] == "own"
    own = {("first", key) for key in new.written}
    assert own
    for name in own:
        assert found.pop(name)[1]["Body"].startswith(b"target")
        wanted.pop(name, None)
    assert found == wanted
    out, _ = run("import", node.root, "--follow", engines=engines, environment=KEYS)
    assert out.startswith("imported 0 buckets, 0 objects, 0 uploads with 0 parts, 0 bytes; skip")
    # Given up: nothing is left of the pull, and what differs is the cluster's own.
    run("import", node.root, "--finish", engines=engines, environment=KEYS)
    node.client().put_object(Bucket="first", Key="large", Body=b"too late")
    out, err = run("import", node.root, engines=engines, environment=KEYS)
    assert out.startswith("imported 0 buckets, 0 objects")
    assert "kept ais://first/large as it is at the target" in err


def bucket_exists(running: Cluster, name: str) -> bool:
    buckets = running.client().list_buckets()["Buckets"]
    return any(bucket["Name"] == name for bucket in buckets)


class Writer(threading.Thread):
    """Writes objects of its own and overwrites some that are there, until told to end."""

    def __init__(
        self, endpoint: Any, ended: threading.Event, name: str, numbers: Sequence[int]
    ) -> None:
        super().__init__(daemon=True)
        self.client = endpoint.client()
        self.written: set[str] = set()
        self.failures: list[Exception] = []
        self._ended, self._name, self._numbers = ended, name, numbers

    def run(self) -> None:
        try:
            for turn in range(10**6):
                if self._ended.wait(0.02):
                    return
                number = self._numbers[turn % len(self._numbers)]
                key = f"{self._name} {turn}" if turn % 3 == 0 else f"many/{number:03d}"
                body = f"{self._name} {turn} ".encode() * (20_000 if turn % 5 == 0 else 1)
                self.client.put_object(Bucket="first", Key=key, Body=body)
                self.written.add(key)
        except Exception as error:  # the test looks at it
            self.failures.append(error)


class Cutter:
    """A TCP relay that breaks each connection after `every` bytes of replies."""

    def __init__(self, target: int, *, every: int) -> None:
        self.cuts = 0
        self._target, self._every = target, every
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Cutter:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._target))
            for source, sink, limit in ((client, server, 0), (server, client, self._every)):
                threading.Thread(target=self._pass, args=(source, sink, limit), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, limit: int) -> None:
        passed = 0
        try:
            while piece := source.recv(64 << 10):
                sink.sendall(piece)
                passed += len(piece)
                if limit and passed >= limit:
                    self.cuts += 1
                    break
        except OSError:
            pass
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            if limit:
                end.close()


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "this node wants to know who asks: log in, or sign with an access key"),
        ({**KEYS, "AISLE_SOURCE_SECRET_KEY": "another secret"}, "signature does not match"),
        ({**KEYS, "AISLE_SOURCE_ACCESS_KEY": "NOBODY"}, "the access key is not known here"),
    ],
)
def test_a_source_wants_its_administrators_keys(
    environment: dict[str, str], expected: str, node: Node, tmp_path: Path
) -> None:
    target = ("--data", tmp_path / "new")
    out, err = run("import", node.root, *target, code=1, environment=environment)
    assert err.startswith(f"aisnode: error: {node.root} wants the keys of its administrator (")
    assert expected in err
    assert err.count("\n") == 1
    assert not any(secret in out + err for secret in (SECRET_KEY, "another secret"))


def test_a_node_without_authentication_is_pulled_without_keys(
    start: Callable[..., Node], tmp_path: Path
) -> None:
    node = start("a", auth=False)
    fill(node.client())
    wanted = seen(node.client())
    run("import", node.root, "--data", tmp_path / "b", "--follow")
    assert seen(start("b", auth=False).client()) == wanted


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Some other web server."""

    def log_message(self, *args: object) -> None:
        pass


def test_what_is_no_node_of_aisle_is_told_as_such(tmp_path: Path) -> None:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    serving = threading.Thread(target=server.serve_forever, daemon=True)
    serving.start()
    try:
        url = f"http://127.0.0.1:{server.server_port}"
        _, err = run("import", url, "--data", tmp_path / "new", code=1)
    finally:
        server.shutdown()
        server.server_close()
    assert err.startswith(f"aisnode: error: {url} cannot be pulled from: is it a node of Aisle")
    assert err.count("\n") == 1
