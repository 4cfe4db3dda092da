"""`Bucket.copy`, `Object.promote` and `Object.blob_download`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from aistore import Client
from aistore.sdk.bucket import Bucket
from aistore.sdk.errors import AISError, ErrBckNotFound

from tests.sdk.support import fill, finish, names


@pytest.fixture
def full(bucket: Bucket) -> Bucket:
    return fill(bucket, ("a", "b/1.jpg", "b/2.png"))


@pytest.fixture
def to(client: Client, full: Bucket) -> Iterator[Bucket]:
    """A bucket that is not there."""
    named = client.bucket(f"{full.name}-to")
    yield named
    named.delete(missing_ok=True)


def test_a_bucket_is_copied_whole(client: Client, full: Bucket, to: Bucket) -> None:
    full.object("a").get_writer().set_custom_props({"colour": "blue"})
    finish(client, full.copy(to))
    assert names(to) == ["a", "b/1.jpg", "b/2.png"]
    assert to.object("b/1.jpg").get_reader().read_all() == b"b/1.jpg"
    assert to.object("a").props.custom_metadata["colour"] == "blue"


def test_a_copy_takes_every_option(client: Client, full: Bucket, to: Bucket) -> None:
    options = {"prefix_filter": "b/", "prepend": "x/", "ext": {"jpg": "txt"}, "num_workers": -1}
    finish(client, full.copy(to, dry_run=True, **options))
    assert to.name not in [found.name for found in client.cluster().list_buckets()]
    finish(client, full.copy(to, force=True, latest=True, **options))
    assert names(to) == ["x/b/1.txt", "x/b/2.png"]
    to.object("x/b/3").get_writer().put_content(b"")
    to.object("y").get_writer().put_content(b"")
    finish(client, full.copy(to, sync=True, **options))
    assert names(to) == ["x/b/1.txt", "x/b/2.png", "y"]


def test_a_bucket_is_copied_within_itself(client: Client, full: Bucket) -> None:
    with pytest.raises(AISError, match="onto itself"):
        full.copy(full)
    finish(client, full.copy(full, prepend="copy/"))
    assert names(full) == ["a", "b/1.jpg", "b/2.png", "copy/a", "copy/b/1.jpg", "copy/b/2.png"]


def test_a_bucket_that_is_not_there_is_told(client: Client, to: Bucket) -> None:
    with pytest.raises(ErrBckNotFound):
        client.bucket("no-such-bucket").copy(to)
    assert to.name not in [found.name for found in client.cluster().list_buckets()]


def test_what_this_node_does_not_do_is_told(full: Bucket, tmp_path: Path) -> None:
    with pytest.raises(AISError, match="--promote-dir"):
        full.object("x").promote(str(tmp_path))
    with pytest.raises(AISError, match="not a remote bucket"):
        full.object("a").blob_download(chunk_size=1024, num_workers=2)
