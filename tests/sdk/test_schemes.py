"""One round of everything that carries a body or comes back in one, over HTTP and over HTTPS.

Over HTTPS the SDK announces a body and sends none, waits for a redirect, and sends the body where
that points. So a server that takes the first request for the upload loses data without an error:
each test reads back what it wrote.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from aistore import Client
from aistore.sdk.bucket import Bucket
from aistore.sdk.errors import ErrBckNotFound

from tests.harness import Node
from tests.servers.certificates import make

MIB = 1 << 20
_numbers = itertools.count(1)


@pytest.fixture(scope="module", params=["http", "https"])
def node(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Node]:
    directory = tmp_path_factory.mktemp(request.param)
    tls = make(directory / "certificates") if request.param == "https" else None
    running = Node(directory / "data", auth=False, workers=2, tls=tls).start()
    yield running
    assert running.stop() == 0, running.log_tail()


@pytest.fixture
def client(node: Node, monkeypatch: pytest.MonkeyPatch) -> Client:
    # The library below the SDK prefers this one to what its caller says.
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)
    return Client(node.root, ca_cert=str(node.tls.ca) if node.tls else None)


@pytest.fixture
def bucket(client: Client) -> Iterator[Bucket]:
    made = client.bucket(f"schemes-{next(_numbers)}").create()
    yield made
    made.delete(missing_ok=True)


@pytest.mark.parametrize("size", [0, 1, 4096, 5 * MIB + 1])
def test_bytes_of_any_size_make_the_round(bucket: Bucket, size: int) -> None:
    data = os.urandom(size)
    written = bucket.object("bytes").get_writer().put_content(data)
    assert written.status_code == 200
    assert written.history == []
    assert bucket.object("bytes").get_reader().read_all() == data
    assert bucket.object("bytes").props.size == size


@pytest.mark.parametrize("size", [0, 1000, 5 * MIB + 1])
def test_a_file_makes_the_round(bucket: Bucket, tmp_path: Path, size: int) -> None:
    file = tmp_path / "file"
    file.write_bytes(os.urandom(size))
    bucket.object("dir/of it/ü+%").get_writer().put_file(file)
    with (tmp_path / "back").open("wb") as back:
        for piece in bucket.object("dir/of it/ü+%").get_reader():
            back.write(piece)
    assert (tmp_path / "back").read_bytes() == file.read_bytes()


def test_a_directory_of_files_is_put(bucket: Bucket, tmp_path: Path) -> None:
    for name in ("a", "b", "d/c"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(name.encode() * 1000)
    bucket.put_files(tmp_path, prepend="put/", recursive=True)
    found = {entry.name: entry.size for entry in bucket.list_all_objects(props="name,size")}
    assert found == {"put/a": 1000, "put/b": 1000, "put/d/c": 3000}


def test_a_range_and_the_url(bucket: Bucket, node: Node) -> None:
    data = os.urandom(100_000)
    thing = bucket.object("ranged")
    thing.get_writer().put_content(data)
    assert thing.get_reader(byte_range="bytes=10-99").read_all() == data[10:100]
    url = thing.get_url()
    assert url.startswith(node.root)
    verify = str(node.tls.ca) if node.tls else True
    assert requests.get(url, verify=verify, timeout=20).content == data


def test_appended_pieces_become_one_object(bucket: Bucket) -> None:
    pieces = [os.urandom(size) for size in (1000, 70_000, 1)]
    writer = bucket.object("appended").get_writer()
    handle = ""
    for piece in pieces:
        handle = writer.append_content(piece, handle=handle)
        assert handle
    writer.append_content(b"", handle=handle, flush=True)
    assert bucket.object("appended").get_reader().read_all() == b"".join(pieces)


def test_what_is_written_to_a_file_object_is_there_when_it_is_closed(bucket: Bucket) -> None:
    with bucket.object("file").get_writer().as_file(mode="w") as file:
        file.write(b"one ")
        file.write(b"two")
    assert bucket.object("file").get_reader().read_all() == b"one two"
    with bucket.object("file").get_reader().as_file() as read:
        assert read.read(4) == b"one "
        assert read.read() == b"two"


def test_parts_become_one_object(bucket: Bucket) -> None:
    parts = [os.urandom(size) for size in (100_000, 3, 70_000)]
    upload = bucket.object("parts").multipart_upload().create()
    for number, part in enumerate(parts, 1):
        upload.add_part(number).put_content(part)
    assert upload.complete().status_code == 200
    assert bucket.object("parts").get_reader().read_all() == b"".join(parts)


def test_an_aborted_upload_leaves_nothing(bucket: Bucket) -> None:
    upload = bucket.object("aborted").multipart_upload().create()
    upload.add_part(1).put_content(b"some bytes")
    upload.abort()
    assert list(bucket.list_all_objects()) == []


def test_a_copy_has_the_same_bytes(client: Client, bucket: Bucket) -> None:
    bucket.object("source").get_writer().put_content(b"some bytes")
    other = client.bucket(f"schemes-{next(_numbers)}").create()
    try:
        bucket.object("source").copy(other.object("copied"))
        assert other.object("copied").get_reader().read_all() == b"some bytes"
    finally:
        other.delete()


def test_objects_are_listed_and_deleted(client: Client, bucket: Bucket) -> None:
    for number in range(12):
        bucket.object(f"n/{number:02}").get_writer().put_content(b"x" * number)
    listed = bucket.list_all_objects(prefix="n/", page_size=5, props="name,size")
    assert [(entry.name, entry.size) for entry in listed] == [
        (f"n/{number:02}", number) for number in range(12)
    ]
    bucket.object("n/00").delete()
    group = bucket.objects(obj_names=[f"n/{number:02}" for number in range(1, 10)])
    client.job(group.delete()).wait(timeout=30)
    assert [entry.name for entry in bucket.list_all_objects()] == ["n/10", "n/11"]


def test_a_body_for_no_bucket_is_refused_by_the_right_error(client: Client) -> None:
    with pytest.raises(ErrBckNotFound):
        client.bucket("no-such-bucket").object("k").get_writer().put_content(b"some bytes")


def test_metadata_of_an_object_is_set_and_read(bucket: Bucket) -> None:
    thing = bucket.object("custom")
    thing.get_writer().put_content(b"some bytes")
    thing.get_writer().set_custom_props({"colour": "red"})
    assert thing.props.custom_metadata["colour"] == "red"
