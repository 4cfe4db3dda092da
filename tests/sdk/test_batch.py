"""The SDK's get-batch: `Client.batch` and every option of `Batch`."""

from __future__ import annotations

import io

import pytest
from aistore import Client
from aistore.sdk.batch.batch import Batch
from aistore.sdk.bucket import Bucket
from aistore.sdk.enums import Colocation
from aistore.sdk.errors import AISError, ErrBckNotFound
from aistore.sdk.retry_config import RetryConfig
from tenacity import Retrying, stop_after_attempt

from tests.archives import FILES, files_of, tar_of
from tests.harness import Node

LARGE = bytes(range(256)) * 4096


@pytest.fixture
def full(bucket: Bucket) -> Bucket:
    """A bucket with small objects, a large one and a shard."""
    for number in range(20):
        bucket.object(f"small/{number:02}").get_writer().put_content(b"x" * number)
    bucket.object("large").get_writer().put_content(LARGE)
    bucket.object("shard.tar").get_writer().put_content(tar_of(FILES))
    return bucket


def small(bucket: Bucket) -> list[str]:
    return [entry.name for entry in bucket.list_all_objects(prefix="small/")]


@pytest.mark.parametrize("extension", [".tar", ".tgz", ".tar.gz", ".zip"])
@pytest.mark.parametrize(("streams", "decodes"), [(True, False), (False, False), (False, True)])
@pytest.mark.parametrize("only_name", [False, True])
def test_a_batch_gives_every_kind_of_entry(
    client: Client, full: Bucket, extension: str, streams: bool, decodes: bool, only_name: bool
) -> None:
    batch: Batch = client.batch(
        small(full),
        bucket=full,
        output_format=extension,
        streaming_get=streams,
        only_obj_name=only_name,
        colocation=Colocation.TARGET_AWARE,
    )
    batch.add(full.object("large")).add("large", start=10, length=20, opaque=b"\xff\xfe id")
    batch.add("shard.tar", archpath="dir/two.txt").add("large", start=len(LARGE) - 3, length=-1)
    batch.add("missing").add("shard.tar", archpath="missing")
    found = list(batch.get(decode_as_stream=decodes))
    assert [len(data) for _, data in found[:20]] == list(range(20))
    wanted = [LARGE, LARGE[10:30], FILES["dir/two.txt"], LARGE[-3:], b"", b""]
    assert [data for _, data in found[20:]] == wanted
    told = [out for out, _ in found]
    assert [out.size for out in told[20:]] == [len(data) for data in wanted]
    assert told[21].opaque == b"\xff\xfe id"
    assert (told[22].obj_name, told[22].archpath) == ("shard.tar", "dir/two.txt")
    assert {(out.bucket, out.provider) for out in told} == {(full.name, "ais")}
    assert [bool(out.err_msg) for out in told] == [False] * 24 + [True] * 2
    assert len(batch) == 0


def test_a_batch_is_used_again(client: Client, full: Bucket) -> None:
    batch = client.batch(bucket=full).add("small/03")
    for _ in range(2):
        assert [data for _, data in batch.get(clear_batch=False)] == [b"xxx"]
    raw = batch.get(raw=True)
    assert files_of("a.tar", io.BytesIO(raw.read()).read()) == [(f"{full.name}/small/03", b"xxx")]


def test_a_batch_goes_over_buckets(client: Client, full: Bucket) -> None:
    other = client.bucket(f"{full.name}-other").create()
    try:
        other.object("k").get_writer().put_content(b"other")
        batch = client.batch([full.object("small/01"), other.object("k")])
        batch.add("k", bck=other.name, provider="ais")
        assert [data for _, data in batch.get()] == [b"x", b"other", b"other"]
    finally:
        other.delete()


def test_a_batch_that_is_not_to_go_on_fails(open_node: Node, full: Bucket) -> None:
    once = Retrying(stop=stop_after_attempt(1), reraise=True)
    client = Client(open_node.root, retry_config=RetryConfig(http_retry=0, network_retry=once))
    for streams in (True, False):
        batch = client.batch(["gone"], full, cont_on_err=False, streaming_get=streams)
        with pytest.raises(AISError) as told:
            batch.get()
        assert told.value.status_code == 404
    with pytest.raises(ErrBckNotFound):
        client.batch(["k"], client.bucket("no-such-bucket")).get()
