"""Every public method of the SDK's `Object`, its readers and writers, and its multipart uploads.

`promote` and `blob_download` start jobs, and are tested with these.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
import requests
from aistore import Client
from aistore.sdk.blob_download_config import BlobDownloadConfig
from aistore.sdk.bucket import Bucket
from aistore.sdk.errors import AISError, ErrObjNotFound, ErrRemoteBckNotFound
from aistore.sdk.obj.object import Object
from aistore.sdk.retry_config import RetryConfig
from tenacity import Retrying, stop_after_attempt

from tests.harness import Node

LARGE = bytes(range(256)) * 4096 * 5  # 5 MiB


@pytest.fixture
def impatient(open_node: Node) -> Client:
    """A client that takes the first no for an answer: an absent object is one to be retried."""
    once = Retrying(stop=stop_after_attempt(1), reraise=True)
    config = RetryConfig(http_retry=0, network_retry=once)
    return Client(open_node.root, retry_config=config)


@pytest.fixture
def obj(bucket: Bucket) -> Object:
    """An object that is not there yet."""
    return bucket.object("dir/some object")


def put(obj: Object, content: bytes) -> None:
    obj.get_writer().put_content(content)


def content(obj: Object, **options: Any) -> bytes:
    data: bytes = obj.get_reader(**options).read_all()
    return data


def is_absent(obj: Object) -> bool:
    """Whether HEAD says so: its reply has no body, by which the SDK could tell what is absent."""
    try:
        obj.head()
    except AISError as error:
        return bool(error.status_code == 404)
    return False


# --- names, urls, attributes ----------------------------------------------------------------


def test_an_object_knows_its_names(obj: Object, bucket: Bucket, open_node: Node) -> None:
    assert obj.uname == f"ais/@#/{bucket.name}/dir/some object"
    assert obj.get_semantic_url() == f"ais://{bucket.name}/dir/some object"
    put(obj, b"by its url")
    assert requests.get(obj.get_url(), timeout=10).content == b"by its url"
    assert obj.get_url().startswith(f"{open_node.root}/v1/objects/{bucket.name}/dir/some%20object")


def test_head_tells_what_is_asked_for_and_no_more(obj: Object) -> None:
    put(obj, b"12345")
    told = obj.head()
    assert (told.size, told.present, told.obj_version, told.etag) == (5, True, "", "")
    assert obj.props_cached is told
    assert told.mirror_paths == []
    told = obj.head("version,etag,last-modified,copies,ec,chunked")
    assert (told.obj_version, told.mirror_copies) == ("1", 1)
    assert told.etag == hashlib.md5(b"12345").hexdigest()
    assert told.last_modified.endswith("GMT")
    assert (told.ec, told.chunks) == (None, None)


def test_props_are_those_of_the_server(obj: Object, bucket: Bucket) -> None:
    put(obj, b"12345")
    props = obj.props
    assert (props.name, props.bucket_name, props.bucket_provider) == (
        "dir/some object",
        bucket.name,
        "ais",
    )
    assert props.size == 5
    assert (props.checksum_type, len(props.checksum_value)) == ("xxhash", 16)
    assert props.obj_version == "1"
    assert props.mirror_copies == 1
    assert props.location.startswith("t[t")
    assert int(props.access_time) > 1_700_000_000 * 10**9
    assert props.custom_metadata == {}


def test_the_name_of_an_object_may_be_any_text(bucket: Bucket) -> None:
    for name in ("é😀", "a+b%2F", "q?x=1#y", "a//b"):
        obj = bucket.object(name)
        put(obj, name.encode())
        assert content(obj) == name.encode()
        assert obj.props.name == name


@pytest.mark.parametrize("props", ["cached", "status", "name,colour"])
def test_a_property_that_head_does_not_have_is_refused(
    impatient: Client, bucket: Bucket, props: str
) -> None:
    obj = impatient.bucket(bucket.name).object("x")
    put(obj, b"")
    with pytest.raises(AISError) as refused:
        obj.head(props)
    assert refused.value.status_code == 400


# --- readers --------------------------------------------------------------------------------


@pytest.mark.parametrize("direct", [False, True])
def test_a_reader_reads_all_in_pieces_and_raw(obj: Object, direct: bool) -> None:
    put(obj, LARGE)
    reader = obj.get_reader(direct=direct, chunk_size=100_000)
    assert reader.read_all() == LARGE
    pieces = list(reader)
    assert b"".join(pieces) == LARGE
    assert max(map(len, pieces)) == 100_000
    assert reader.raw().read() == LARGE
    assert reader.attributes.size == len(LARGE)
    assert reader.head().checksum_type == "xxhash"


@pytest.mark.parametrize("direct", [False, True])
@pytest.mark.parametrize(
    ("wanted", "expected"),
    [("bytes=0-3", LARGE[:4]), ("bytes=5242870-", LARGE[-10:]), ("bytes=-7", LARGE[-7:])],
)
def test_a_reader_reads_ranges(obj: Object, direct: bool, wanted: str, expected: bytes) -> None:
    put(obj, LARGE)
    assert content(obj, byte_range=wanted, direct=direct) == expected


def test_a_reader_writes_into_a_file(obj: Object, tmp_path: Path) -> None:
    put(obj, LARGE)
    with (tmp_path / "copy").open("wb") as file:
        obj.get_reader(writer=file)
    assert (tmp_path / "copy").read_bytes() == LARGE


def test_the_latest_version_and_a_blob_download_are_an_ordinary_read(obj: Object) -> None:
    put(obj, LARGE)
    assert content(obj, latest=True) == LARGE
    config = BlobDownloadConfig(chunk_size="1mb", num_workers="4")
    assert content(obj, blob_download_config=config) == LARGE


def test_a_parallel_download(obj: Object) -> None:
    put(obj, LARGE)
    reader = obj.get_reader(num_workers=2, chunk_size=1_500_000)
    with reader.read_all() as view:
        assert view.buf == LARGE
    assert b"".join(reader) == LARGE


def test_a_parallel_download_goes_by_the_parts_of_an_upload(obj: Object) -> None:
    upload = obj.multipart_upload().create()
    for number in (1, 2, 3):
        upload.add_part(number).put_content(LARGE[:1_000_000])
    upload.complete()
    chunks = obj.head("chunked").chunks
    assert (chunks.chunk_count, chunks.max_chunk_size) == (3, 1_000_000)
    with obj.get_reader(num_workers=2).read_all() as view:
        assert view.buf == LARGE[:1_000_000] * 3


def test_a_file_reader_reads_any_amount(obj: Object) -> None:
    put(obj, LARGE)
    with obj.get_reader().as_file() as file:
        assert file.read(10) == LARGE[:10]
        assert file.read(100_000) == LARGE[10:100_010]
        assert file.read() == LARGE[100_010:]
        assert file.read(1) == b""


def test_an_absent_object(impatient: Client, bucket: Bucket) -> None:
    obj = impatient.bucket(bucket.name).object("absent")
    assert is_absent(obj)
    for call in (
        obj.delete,
        obj.get_reader().read_all,
        obj.get_reader(direct=True).read_all,
        lambda: obj.copy(bucket.object("y")),
        lambda: obj.get_writer().set_custom_props({"a": "b"}),
    ):
        with pytest.raises(ErrObjNotFound):
            call()


# --- writers --------------------------------------------------------------------------------


def test_a_writer_puts_bytes_and_files(obj: Object, tmp_path: Path) -> None:
    writer = obj.get_writer()
    assert writer.put_content(b"").status_code == 200
    assert content(obj) == b""
    (tmp_path / "file").write_bytes(LARGE)
    writer.put_file(tmp_path / "file")
    assert content(obj) == LARGE
    assert obj.head("version").obj_version == "2"


def test_appended_pieces_are_seen_when_they_are_flushed(impatient: Client, bucket: Bucket) -> None:
    obj = impatient.bucket(bucket.name).object("log")
    writer = obj.get_writer()
    handle = ""
    for piece in (b"one ", b"two ", LARGE):
        handle = writer.append_content(piece, handle=handle)
        assert handle
    assert is_absent(obj)
    assert writer.append_content(b" end", handle=handle, flush=True) == ""
    assert content(obj) == b"one two " + LARGE + b" end"


def test_an_append_goes_on_where_the_object_ends(obj: Object) -> None:
    put(obj, b"first")
    writer = obj.get_writer()
    writer.append_content(b"", handle=writer.append_content(b", second"), flush=True)
    assert content(obj) == b"first, second"
    assert obj.head("version").obj_version == "2"


def test_a_file_writer_appends_or_begins_anew(obj: Object) -> None:
    with obj.get_writer().as_file("w") as file:
        for number in range(100):
            file.write(b"%d\n" % number)
        file.flush()
        assert content(obj).count(b"\n") == 100
        file.write(b"after the flush\n")
    expected = b"".join(b"%d\n" % number for number in range(100)) + b"after the flush\n"
    assert content(obj) == expected
    with obj.get_writer().as_file() as file:
        file.write(b"appended")
    assert content(obj) == expected + b"appended"
    with obj.get_writer().as_file("w") as file:
        file.write(b"anew")
    assert content(obj) == b"anew"


def test_custom_properties_are_merged_or_replaced(obj: Object) -> None:
    put(obj, b"x")
    writer = obj.get_writer()
    writer.set_custom_props({"colour": "red", "Owner": "some one=else"})
    writer.set_custom_props({"colour": "blue", "path": "/a/b c"})
    props = obj.props
    assert props.custom_metadata == {
        "colour": "blue",
        "Owner": "some one=else",
        "path": "/a/b c",
    }
    assert props.obj_version == "1"
    writer.set_custom_props({"only": "this"}, replace_existing=True)
    assert obj.props.custom_metadata == {"only": "this"}
    assert obj.get_reader().attributes.custom_metadata == {"only": "this"}


# --- copies, deletion, multipart ------------------------------------------------------------


def test_a_copy_has_the_bytes_and_the_metadata(obj: Object, bucket: Bucket, client: Client) -> None:
    put(obj, LARGE)
    obj.get_writer().set_custom_props({"a": "b"})
    near = bucket.object("copies/near")
    assert obj.copy(near, latest=True, sync=True).status_code == 200
    assert content(near) == LARGE
    assert near.props.custom_metadata == {"a": "b"}
    other = client.bucket(f"{bucket.name}-other").create()
    try:
        far = other.object("far")
        obj.copy(far)
        assert content(far) == LARGE
    finally:
        other.delete()


def test_a_copy_to_a_remote_bucket_that_is_not_there(obj: Object, client: Client) -> None:
    put(obj, b"x")
    with pytest.raises(ErrRemoteBckNotFound, match="aws://nobody"):
        obj.copy(client.bucket("nobody", provider="aws").object("y"))


def test_a_deleted_object_is_gone(impatient: Client, bucket: Bucket) -> None:
    obj = impatient.bucket(bucket.name).object("x")
    put(obj, b"")
    assert obj.delete().status_code == 200
    assert is_absent(obj)


def test_parts_become_an_object_in_the_order_of_their_numbers(obj: Object) -> None:
    upload = obj.multipart_upload().create()
    for number, piece in ((3, b"third"), (1, b"first"), (2, b"wrong"), (2, b"second")):
        assert upload.add_part(number).put_content(piece).status_code == 200
    assert upload.complete().status_code == 200
    assert content(obj) == b"firstsecondthird"
    assert upload.complete().status_code == 200, "a repeated request hears the same"


def test_a_part_may_be_a_file(obj: Object, tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(LARGE)
    upload = obj.multipart_upload().create()
    upload.add_part(1).put_file(tmp_path / "part")
    upload.complete()
    assert content(obj) == LARGE


def test_an_aborted_upload_is_gone(impatient: Client, bucket: Bucket) -> None:
    obj = impatient.bucket(bucket.name).object("x")
    upload = obj.multipart_upload().create()
    upload.add_part(1).put_content(b"x")
    assert upload.abort().status_code == 200
    for call in (upload.complete, upload.abort, lambda: upload.add_part(2).put_content(b"y")):
        with pytest.raises(AISError) as refused:
            call()
        assert refused.value.status_code == 404
    assert is_absent(obj)


def test_an_upload_may_change_the_api_on_its_way(
    obj: Object, bucket: Bucket, open_node: Node
) -> None:
    s3 = open_node.client()
    name = {"Bucket": bucket.name, "Key": obj.name}
    upload = obj.multipart_upload().create()
    upload.add_part(1).put_content(b"native ")
    send = {**name, "UploadId": upload.upload_id}
    s3.upload_part(**send, PartNumber=2, Body=b"and S3")
    found = s3.list_parts(**send)["Parts"]
    parts = [{"PartNumber": part["PartNumber"], "ETag": part["ETag"]} for part in found]
    s3.complete_multipart_upload(**send, MultipartUpload={"Parts": parts})
    assert content(obj) == b"native and S3"

    begun = s3.create_multipart_upload(**name)["UploadId"]
    other = obj.multipart_upload()
    other.upload_id = begun
    other.add_part(1).put_content(b"the other way")
    other.complete()
    assert content(obj) == b"the other way"


def test_two_workers_take_alternate_pieces(open_node: Node, bucket: Bucket) -> None:
    """Each request goes over a connection of its own, so that any worker may get it."""
    url = f"{open_node.root}/v1/objects/{bucket.name}/log"
    handle = ""
    for number in range(40):
        query = {"append_type": "append", "append_handle": handle}
        reply = requests.put(url, params=query, data=b"%04d" % number, timeout=10)
        assert reply.status_code == 200, reply.text
        handle = reply.headers["Ais-Append-Handle"]
    query = {"append_type": "flush", "append_handle": handle}
    assert requests.put(url, params=query, timeout=10).status_code == 200
    assert content(bucket.object("log")) == b"".join(b"%04d" % number for number in range(40))
