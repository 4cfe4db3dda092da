"""The SDK on a window: a bucket of another node, which is behind `aws://` here."""

from __future__ import annotations

import io
import tarfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aistore import Client
from aistore.sdk.archive_config import ArchiveConfig
from aistore.sdk.bucket import Bucket
from aistore.sdk.enums import FLTPresence
from aistore.sdk.errors import AISError, InvalidBckProvider
from aistore.sdk.list_object_flag import ListObjectFlag
from aistore.sdk.provider import Provider

from tests.conftest import empty_and_remove
from tests.harness import ACCESS_KEY, SECRET_KEY, Node
from tests.sdk.support import fill, finish, names

LARGE = bytes(range(256)) * (24 << 10)  # 6 MiB


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the node may make objects of."""
    return tmp_path_factory.mktemp("promoted")


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """The node that has the remote buckets."""
    running = Node(tmp_path_factory.mktemp("origin") / "data", workers=1).start()
    yield running
    assert running.stop() == 0, running.log_tail()


@pytest.fixture(scope="module")
def near(origin: Node, directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """The node that the SDK speaks to."""
    environment = {
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "S3_ENDPOINT": origin.endpoint,
    }
    options = ["--promote-dir", str(directory)]
    data = tmp_path_factory.mktemp("near") / "data"
    running = Node(data, auth=False, workers=1, environment=environment, options=options).start()
    yield running
    assert running.stop() == 0, running.log_tail()


@pytest.fixture(scope="module")
def there(origin: Node) -> Any:
    """A boto3 client of the remote."""
    return origin.client()


@pytest.fixture
def client(near: Node) -> Client:
    return Client(near.root)


@pytest.fixture
def window(client: Client, there: Any) -> Iterator[Bucket]:
    """A fresh remote bucket, which the first use adds to the cluster."""
    name = f"sdk-{uuid.uuid4().hex[:12]}"
    there.create_bucket(Bucket=name)
    bucket = client.bucket(name, provider="aws")
    yield bucket
    bucket.evict()
    empty_and_remove(there, name)


@pytest.fixture
def own(client: Client) -> Iterator[Bucket]:
    made = client.bucket(f"own-{uuid.uuid4().hex[:12]}").create()
    yield made
    made.delete(missing_ok=True)


def put_there(there: Any, bucket: Bucket, **objects: bytes) -> None:
    for name, body in objects.items():
        there.put_object(Bucket=bucket.name, Key=name, Body=body)


def got_there(there: Any, bucket: Bucket, name: str) -> bytes:
    return bytes(there.get_object(Bucket=bucket.name, Key=name)["Body"].read())


def names_there(there: Any, bucket: Bucket) -> list[str]:
    found = there.list_objects_v2(Bucket=bucket.name)
    return [entry["Key"] for entry in found.get("Contents", ())]


def cached(bucket: Bucket) -> list[str]:
    found = bucket.list_all_objects(flags=[ListObjectFlag.CACHED])
    return [entry.name for entry in found]


def test_a_window_is_a_bucket_like_others(client: Client, there: Any, window: Bucket) -> None:
    put_there(there, window, a=b"one", b=b"two")
    assert "Ais-Bucket-Props" in window.head()
    assert window.name in [found.name for found in client.cluster().list_buckets(provider="aws")]
    window.verify_cloud_bucket()
    assert window.object("a").get_reader().read_all() == b"one"
    told = window.summary(cached=False, present=False)
    assert told["ObjCount"] == {"obj_count_present": "1", "obj_count_remote": "2"}
    _, told = window.info(flt_presence=FLTPresence.FLT_EXISTS)
    assert told["is_present"] is True
    for refused in (window.create, window.delete, lambda: window.rename("another")):
        with pytest.raises(InvalidBckProvider):
            refused()


def test_every_flag_of_a_listing(there: Any, window: Bucket) -> None:
    put_there(there, window, **{"a": b"1", "b": b"22", "d/e": b"333", "gone": b"4"})
    for name in ("a", "gone"):
        window.object(name).get_reader().read_all()
    there.delete_object(Bucket=window.name, Key="gone")
    put_there(there, window, a=b"changed")
    every = ["a", "b", "d/e"]
    flag = ListObjectFlag
    for flags, listed in (
        ([], every),
        ([flag.CACHED], ["a", "gone"]),
        ([flag.NOT_CACHED], ["b", "d/e"]),
        ([flag.MISSING], [*every, "gone"]),
        ([flag.DELETED], [*every, "gone"]),
        ([flag.NAME_ONLY], every),
        ([flag.NAME_SIZE], every),
        ([flag.BCK_PRESENT], every),
        ([flag.DONT_HEAD_REMOTE, flag.DONT_ADD_REMOTE], every),
        ([flag.ONLY_REMOTE_PROPS], every),
        ([flag.NO_RECURSION], ["a", "b", "d/"]),
        ([flag.NO_RECURSION, flag.NO_DIRS], ["a", "b"]),
        ([flag.DIFF], [*every, "gone"]),
        ([flag.IS_S3], every),
    ):
        found = window.list_all_objects(flags=flags, props="name,size,cached,status")
        assert [entry.name for entry in found] == listed, flags
    page = window.list_objects(page_size=1, props="name,size,version,checksum,custom,cached")
    assert [entry.name for entry in page.entries] == ["a"]
    rest = window.list_objects(continuation_token=page.continuation_token, uuid=page.uuid)
    assert [entry.name for entry in rest.entries] == ["b", "d/e"]
    assert [entry.name for entry in window.list_objects_iter(prefix="d/")] == ["d/e"]


def test_readers_read_what_is_remote(there: Any, window: Bucket) -> None:
    put_there(there, window, small=b"0123456789", large=LARGE)
    small, large = window.object("small"), window.object("large")
    assert small.head("size,version").size == 10
    assert cached(window) == []
    assert small.get_reader(byte_range="bytes=2-4").read_all() == b"234"
    assert small.get_reader(direct=True).read_all() == b"0123456789"
    with large.get_reader(num_workers=2).read_all() as view:
        assert view.buf == LARGE
    with large.get_reader().as_file() as file:
        assert file.read(1000) == LARGE[:1000]
        assert file.read() == LARGE[1000:]
    put_there(there, window, small=b"another")
    assert small.get_reader().read_all() == b"0123456789"
    assert small.get_reader(latest=True).read_all() == b"another"
    assert small.props.size == 7
    assert small.get_url().startswith("http")


@pytest.mark.parametrize("streams", [True, False])
def test_a_batch_brings_what_is_remote(
    client: Client, there: Any, window: Bucket, own: Bucket, streams: bool
) -> None:
    fill(own, ["mine"])
    put_there(there, window, a=b"one", large=LARGE)
    batch = client.batch(["large", "a"], bucket=window, streaming_get=streams)
    batch.add(own.object("mine")).add("gone").add("large", start=5, length=7)
    found = list(batch.get())
    assert [data for _, data in found] == [LARGE, b"one", b"mine", b"", LARGE[5:12]]
    assert [out.provider for out, _ in found] == ["aws", "aws", "ais", "aws", "aws"]
    assert [bool(out.err_msg) for out, _ in found] == [False, False, False, True, False]


def test_writers_write_through(client: Client, there: Any, window: Bucket, tmp_path: Path) -> None:
    window.object("put").get_writer().put_content(b"bytes")
    (tmp_path / "one").write_bytes(b"a file")
    window.object("file").get_writer().put_file(tmp_path / "one")
    assert window.put_files(tmp_path, prepend="dir/") == ["dir/one"]
    upload = window.object("parts").multipart_upload().create()
    upload.add_part(1).put_content(LARGE)
    upload.add_part(2).put_content(b"end")
    upload.complete()
    for name, body in (
        ("put", b"bytes"),
        ("file", b"a file"),
        ("dir/one", b"a file"),
        ("parts", LARGE + b"end"),
    ):
        assert got_there(there, window, name) == body
        assert window.object(name).get_reader().read_all() == body
    upload = window.object("none").multipart_upload().create()
    upload.add_part(1).put_content(b"x")
    upload.abort()
    assert not there.list_multipart_uploads(Bucket=window.name).get("Uploads")
    window.object("put").get_writer().set_custom_props({"colour": "red"})
    assert window.object("put").props.custom_metadata["colour"] == "red"
    window.object("put").delete()
    assert names_there(there, window) == ["dir/one", "file", "parts"]


def test_appended_pieces_reach_the_remote(there: Any, window: Bucket) -> None:
    writer = window.object("log").get_writer()
    handle = writer.append_content(b"one ")
    handle = writer.append_content(b"two", handle=handle)
    assert names_there(there, window) == []
    writer.append_content(b"", handle=handle, flush=True)
    assert got_there(there, window, "log") == b"one two"
    with window.object("log").get_writer().as_file(mode="w") as file:
        file.write(b"anew")
    assert got_there(there, window, "log") == b"anew"


def test_buckets_are_copied_between_providers(
    client: Client, there: Any, window: Bucket, own: Bucket
) -> None:
    put_there(there, window, **{"in/a": b"a", "in/b": b"b", "out": b"c"})
    finish(client, window.copy(own, prefix_filter="in/", prepend="copy/"))
    assert names(own) == ["copy/in/a", "copy/in/b"]
    finish(client, own.copy(window))
    assert got_there(there, window, "copy/in/a") == b"a"
    put_there(there, window, **{"in/a": b"newer"})
    finish(client, window.copy(own, prefix_filter="in/", latest=True))
    assert own.object("in/a").get_reader().read_all() == b"newer"
    put_there(there, window, **{"in/a": b"newest"})
    own.object("in/c").get_writer().put_content(b"never there")
    finish(client, window.copy(own, prefix_filter="in/", sync=True))
    assert own.object("in/a").get_reader().read_all() == b"newest"
    assert "in/c" not in names(own)
    window.object("out").copy(own.object("one"))
    own.object("one").copy(window.object("back"))
    assert got_there(there, window, "back") == b"c"
    for body, how in ((b"newer", {"latest": True}), (b"newest", {"sync": True})):
        put_there(there, window, out=body)
        window.object("out").copy(own.object("two"), **how)
        assert own.object("two").get_reader().read_all() == body


def test_groups_of_a_window(client: Client, there: Any, window: Bucket, own: Bucket) -> None:
    put_there(there, window, **{f"a-{i}": b"%d" % i for i in range(4)})
    finish(client, *window.objects(obj_template="a-{0..1}").copy(own, prepend="c/"))
    assert names(own) == ["c/a-0", "c/a-1"]
    fill(own, ["own"])
    finish(client, *own.objects(obj_names=["own"]).copy(window))
    assert got_there(there, window, "own") == b"own"
    group = window.objects(obj_names=["a-2", "a-3"])
    finish(client, *group.archive("two.tar"))
    with tarfile.open(fileobj=io.BytesIO(got_there(there, window, "two.tar"))) as tar:
        assert tar.getnames() == ["a-2", "a-3"]
    finish(client, *group.archive("two.tar", to_bck=own))
    read = ArchiveConfig(archpath="a-2")
    assert window.object("two.tar").get_reader(archive_config=read).read_all() == b"2"
    found = [entry.name for entry in window.list_archive("two.tar")]
    assert found == ["two.tar/a-2", "two.tar/a-3"]
    finish(client, group.evict())
    assert not {"a-2", "a-3"} & set(cached(window))
    finish(client, group.prefetch(latest=True, num_workers=2, continue_on_error=True))
    assert {"a-2", "a-3"} <= set(cached(window))
    finish(client, group.delete())
    assert names_there(there, window) == ["a-0", "a-1", "own", "two.tar"]


def test_files_are_promoted_into_a_window(
    client: Client, there: Any, window: Bucket, directory: Path
) -> None:
    (directory / "a").write_bytes(b"promoted")
    finish(client, window.object("in").promote(str(directory / "a"), src_not_file_share=True))
    assert got_there(there, window, "in") == b"promoted"


def test_a_window_is_evicted_and_comes_back(client: Client, there: Any, window: Bucket) -> None:
    put_there(there, window, a=b"a", large=LARGE)
    finish(client, window.object("large").blob_download(chunk_size=1 << 20, num_workers=2))
    assert cached(window) == ["large"]
    window.evict(keep_md=True)
    listed = client.cluster().list_buckets(provider=Provider.AMAZON)
    assert window.name in [bucket.name for bucket in listed]
    assert cached(window) == []
    assert names(window) == ["a", "large"]
    with pytest.raises(AISError):
        client.bucket("is-not-there", provider="aws").head()
