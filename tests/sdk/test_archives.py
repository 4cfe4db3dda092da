"""Archives through the SDK: readers of members, archives of many objects, and what is in them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from aistore import Client
from aistore.sdk.archive_config import ArchiveConfig, ArchiveMode
from aistore.sdk.bucket import Bucket
from aistore.sdk.errors import AISError, ErrBckNotFound
from aistore.sdk.multiobj import ObjectRange

from tests.archives import FILES, NAMES, archive_of, files_of
from tests.sdk.support import finish

ENTRY_IN_ARCHIVE = 1 << 7
_numbers = itertools.count(1)


@pytest.fixture
def other(client: Client) -> Iterator[Bucket]:
    """A second bucket."""
    made = client.bucket(f"sdk-archives-{next(_numbers)}").create()
    yield made
    made.delete(missing_ok=True)


def fill(bucket: Bucket, count: int = 10) -> dict[str, bytes]:
    files = {f"obj-{number:02}": b"%d" % number * 1000 for number in range(count)}
    for name, data in files.items():
        bucket.object(name).get_writer().put_content(data)
    return files


def content(bucket: Bucket, name: str) -> list[tuple[str, bytes]]:
    return files_of(name, bucket.object(name).get_reader().read_all())


@pytest.mark.parametrize("name", NAMES)
def test_members_are_read(bucket: Bucket, name: str) -> None:
    bucket.object(name).get_writer().put_content(archive_of(name, FILES))
    for member, data in FILES.items():
        reader = bucket.object(name).get_reader(archive_config=ArchiveConfig(archpath=member))
        assert reader.read_all() == data
    reader = bucket.object(name).get_reader(archive_config=ArchiveConfig(archpath="large.bin"))
    assert b"".join(reader) == FILES["large.bin"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("mode", "text", "chosen"),
    [
        (ArchiveMode.REGEXP, r"o\.txt$", ["dir/two.txt"]),
        (ArchiveMode.PREFIX, "dir/one", ["dir/one.txt", "dir/one.json"]),
        (ArchiveMode.SUFFIX, ".txt", ["dir/one.txt", "dir/two.txt"]),
        (ArchiveMode.SUBSTR, "arge", ["large.bin"]),
        (ArchiveMode.WDSKEY, "dir/one", ["dir/one.txt", "dir/one.json"]),
    ],
)
def test_members_that_match_come_as_a_tar(
    bucket: Bucket, name: str, mode: ArchiveMode, text: str, chosen: list[str]
) -> None:
    bucket.object(name).get_writer().put_content(archive_of(name, FILES))
    config = ArchiveConfig(regex=text, mode=mode)
    data = bucket.object(name).get_reader(archive_config=config).read_all()
    assert files_of("x.tar", data) == [(member, FILES[member]) for member in chosen]


@pytest.mark.parametrize("name", NAMES)
def test_a_list_of_objects_becomes_an_archive_and_grows(
    client: Client, bucket: Bucket, other: Bucket, name: str
) -> None:
    files = fill(bucket)
    group = bucket.objects(obj_names=["obj-03", "obj-01"])
    finish(client, *group.archive(name, to_bck=other))
    assert content(other, name) == [(key, files[key]) for key in ("obj-03", "obj-01")]
    assert bucket.object(name).props_cached is None
    group = bucket.objects(obj_template="obj-{07..09..2}")
    jobs = group.archive(name, to_bck=other, allow_append=True, include_source_name=True)
    finish(client, *jobs)
    more = [(f"{bucket.name}/{key}", files[key]) for key in ("obj-07", "obj-09")]
    assert content(other, name)[2:] == more
    finish(client, *bucket.objects(obj_names=["obj-00"]).archive(name, to_bck=other))
    assert content(other, name) == [("obj-00", files["obj-00"])]


def test_a_range_and_a_prefix_become_archives_in_the_same_bucket(
    client: Client, bucket: Bucket
) -> None:
    files = fill(bucket)
    group = bucket.objects(obj_range=ObjectRange("obj-", 2, 12, pad_width=2))
    finish(client, *group.archive("some.tgz"))
    assert content(bucket, "some.tgz") == list(files.items())[2:]
    for _ in range(2):  # the second time the archive itself lies among the objects
        finish(client, *bucket.objects(obj_range=ObjectRange("")).archive("obj-all.tar"))
        assert dict(content(bucket, "obj-all.tar")).keys() - {"some.tgz"} == files.keys()


def test_what_is_missing_ends_the_job_unless_errors_are_passed_over(
    client: Client, bucket: Bucket
) -> None:
    files = fill(bucket, 2)
    group = bucket.objects(obj_names=["obj-00", "absent", "obj-01"])
    (job,) = group.archive("x.tar")
    client.job(job).wait(timeout=30)
    assert "absent" in client.job(job).get_details().list_snapshots()[0].abort_err
    assert "x.tar" not in [entry.name for entry in bucket.list_all_objects()]
    finish(client, *group.archive("x.tar", continue_on_err=True))
    assert content(bucket, "x.tar") == list(files.items())


def test_the_type_may_be_told(client: Client, bucket: Bucket) -> None:
    files = fill(bucket, 2)
    finish(client, *bucket.objects(obj_names=list(files)).archive("shard", mime=".zip"))
    data = bucket.object("shard").get_reader().read_all()
    assert files_of("x.zip", data) == list(files.items())


def test_an_archive_that_cannot_be_made_is_refused(bucket: Bucket, client: Client) -> None:
    group = bucket.objects(obj_names=["x"])
    with pytest.raises(AISError, match="tells no archive type"):
        group.archive("shard")
    with pytest.raises(AISError, match="contradicts"):
        group.archive("shard.tar", mime=".zip")
    with pytest.raises(AISError, match="unknown archive type"):
        group.archive("shard", mime=".rar")
    with pytest.raises(ErrBckNotFound):
        group.archive("shard.tar", to_bck=client.bucket("no-such-bucket"))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("page_size", [0, 2])
def test_the_members_of_an_archive_are_listed(bucket: Bucket, name: str, page_size: int) -> None:
    bucket.object(f"dir/{name}").get_writer().put_content(archive_of(name, FILES))
    bucket.object("dir/other").get_writer().put_content(b"x")
    entries = bucket.list_archive(f"dir/{name}", props="name,size", page_size=page_size)
    found = [(entry.name, entry.size) for entry in entries]
    assert found == [(f"dir/{name}/{member}", len(FILES[member])) for member in sorted(FILES)]
    assert all(entry.flags & ENTRY_IN_ARCHIVE for entry in entries)
    entries = bucket.list_archive(f"dir/{name}", include_archive_obj=True)
    assert entries[0].name == f"dir/{name}"
    assert len(entries) == len(FILES) + 1
