"""Every method of the SDK's `Bucket` that needs no ETL, inventory or cloud.

The SDK picks an exception by a reply's body; a reply to HEAD has none, so what is not there is a
plain `AISError` of status 404 then.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from aistore import Client
from aistore.sdk.bucket import Bucket
from aistore.sdk.enums import FLTPresence
from aistore.sdk.errors import (
    AISError,
    ErrBckAlreadyExists,
    ErrBckNotFound,
    ErrRemoteBckNotFound,
    InvalidBckProvider,
)
from aistore.sdk.list_object_flag import ListObjectFlag
from aistore.sdk.namespace import Namespace
from aistore.sdk.provider import Provider
from aistore.sdk.types import BucketModel

NAMES = ["a/1", "a/2", "b/c/d", "b/e", "z"]


@pytest.fixture
def filled(bucket: Bucket) -> Bucket:
    for name in NAMES:
        bucket.object(name).get_writer().put_content(name.encode())
    return bucket


@pytest.fixture
def spaced(client: Client) -> Iterator[Bucket]:
    """A bucket in a namespace."""
    made = client.bucket("spaced", namespace=Namespace(name="ns")).create()
    yield made
    made.delete(missing_ok=True)


def is_there(bucket: Bucket) -> bool:
    try:
        bucket.head()
    except AISError as error:
        if error.status_code != 404:
            raise
        return False
    return True


# --- life ---------------------------------------------------------------------------------------


def test_a_bucket_is_created_and_deleted(client: Client) -> None:
    bucket = client.bucket("sdk-life")
    assert bucket.create() is bucket
    with pytest.raises(ErrBckAlreadyExists):
        bucket.create()
    assert bucket.create(exist_ok=True) is bucket
    bucket.delete()
    with pytest.raises(ErrBckNotFound):
        bucket.delete()
    bucket.delete(missing_ok=True)
    assert not is_there(bucket)


def test_a_bucket_is_renamed(client: Client, filled: Bucket) -> None:
    old = filled.name
    job = filled.rename("sdk-renamed")
    assert filled.name == "sdk-renamed"
    result = client.job(job).wait(timeout=30, verbose=False)
    assert (result.success, result.error) == (True, "")
    assert client.job(job, "move-bck").wait(timeout=30, verbose=False).success
    assert [entry.name for entry in filled.list_all_objects()] == NAMES
    assert filled.object("b/c/d").get_reader().read_all() == b"b/c/d"
    assert not is_there(client.bucket(old))


def test_a_bucket_cannot_take_the_name_of_another(client: Client, bucket: Bucket) -> None:
    other = client.bucket("sdk-other").create()
    name = bucket.name
    with pytest.raises(ErrBckAlreadyExists):
        bucket.rename("sdk-other")
    assert bucket.name == name
    with pytest.raises(ErrBckNotFound):
        client.bucket("sdk-none").rename("sdk-new")
    other.delete()


def test_only_buckets_of_this_cluster_are_created(client: Client) -> None:
    cloud = client.bucket("sdk-cloud", provider=Provider.AMAZON)
    for refused in (cloud.create, cloud.delete, lambda: cloud.rename("x")):
        with pytest.raises(InvalidBckProvider):
            refused()
    cloud.verify_cloud_bucket()
    assert not is_there(cloud)
    with pytest.raises(ErrRemoteBckNotFound):
        cloud.evict()


def test_what_is_of_this_cluster_is_not_evicted(bucket: Bucket) -> None:
    with pytest.raises(InvalidBckProvider):
        bucket.verify_cloud_bucket()
    with pytest.raises(InvalidBckProvider):
        bucket.evict()


def test_buckets_are_listed(client: Client, bucket: Bucket) -> None:
    for provider in (Provider.AIS, "ais", ""):
        found = {row.name: row for row in client.cluster().list_buckets(provider)}
        assert found[bucket.name].provider == "ais"
        assert found[bucket.name].namespace == Namespace()
    assert client.cluster().list_buckets("aws") == []
    with pytest.raises(InvalidBckProvider):
        client.cluster().list_buckets("nope")


def test_an_inventory_is_refused(bucket: Bucket) -> None:
    for refused in (bucket.create_inventory, bucket.show_inventory, bucket.destroy_inventory):
        with pytest.raises(AISError, match="inventory is of a remote bucket"):
            refused()
    with pytest.raises(AISError, match="inventory"):
        bucket.list_objects(inventory_name="x")


# --- namespaces ---------------------------------------------------------------------------------


def test_a_namespace_has_buckets_of_its_own(client: Client, spaced: Bucket) -> None:
    assert spaced.namespace == Namespace(name="ns")
    assert spaced.get_path() == "ais/@#ns/spaced/"
    with pytest.raises(ErrBckAlreadyExists):
        spaced.create()
    assert not is_there(client.bucket("spaced"))
    spaced.object("key").get_writer().put_content(b"in ns")
    plain = client.bucket("spaced").create()
    assert plain.list_all_objects() == []
    assert spaced.object("key").get_reader().read_all() == b"in ns"
    spaces = [row.namespace for row in client.cluster().list_buckets() if row.name == "spaced"]
    assert spaces == [Namespace(), Namespace(name="ns")]
    plain.delete()
    assert [entry.name for entry in spaced.list_all_objects()] == ["key"]
    spaced.delete()
    with pytest.raises(ErrBckNotFound):
        spaced.delete()


def test_a_bucket_is_renamed_in_its_namespace(client: Client, spaced: Bucket) -> None:
    spaced.object("key").get_writer().put_content(b"x")
    job = spaced.rename("spaced-2")
    assert client.job(job).wait(timeout=30, verbose=False).success
    assert spaced.object("key").get_reader().read_all() == b"x"


def test_a_remote_cluster_is_refused(client: Client) -> None:
    with pytest.raises(AISError, match="not attached"):
        client.bucket("abc", namespace=Namespace(uuid="uuid", name="ns")).create()


# --- what a bucket is ---------------------------------------------------------------------------


def test_props_are_in_the_header_of_head(bucket: Bucket) -> None:
    props = json.loads(bucket.head()["Ais-Bucket-Props"])
    assert props["provider"] == "ais"
    assert {
        "backend_bck", "write_policy", "checksum", "versioning", "lru", "mirror", "ec", "chunks",
        "rate_limit", "extra", "access", "features", "bid", "created",
    } <= set(props)  # fmt: skip
    assert props["access"] == str((1 << 64) - 1)
    assert props["rate_limit"]["frontend"]["per_op_max_tokens"] == ""


def test_a_summary(filled: Bucket) -> None:
    found = filled.summary()
    assert (found["name"], found["provider"], found["is_present"]) == (filled.name, "ais", True)
    assert found["ObjCount"] == {"obj_count_present": "5", "obj_count_remote": "0"}
    assert found["TotalSize"]["size_all_present_objs"] == "15"
    assert found["ObjSize"] == {"obj_min_size": 1, "obj_avg_size": 3, "obj_max_size": 5}
    found = filled.summary(prefix="b/", cached=False, present=False)
    assert found["ObjCount"]["obj_count_present"] == "2"


def test_a_summary_of_what_is_not_there(client: Client) -> None:
    missing = client.bucket("sdk-none")
    with pytest.raises(ErrBckNotFound):
        missing.summary()
    with pytest.raises(AISError, match="404"):
        missing.info()
    with pytest.raises(ValueError, match="flt_presence"):
        missing.info(flt_presence=9)


@pytest.mark.parametrize(
    ("presence", "prefix", "count"),
    [(FLTPresence.FLT_EXISTS, "a/", "2"), (FLTPresence.FLT_PRESENT_NO_PROPS, "", None)],
)
def test_info(filled: Bucket, presence: FLTPresence, prefix: str, count: str | None) -> None:
    props, found = filled.info(flt_presence=presence, prefix=prefix)
    assert json.loads(props)["provider"] == "ais"
    assert found.get("ObjCount", {}).get("obj_count_present") == count


def test_names_and_models(client: Client, bucket: Bucket) -> None:
    assert bucket.provider is Provider.AIS
    assert bucket.namespace is None
    assert bucket.qparam == {"provider": "ais"}
    assert bucket.get_path() == f"ais/@#/{bucket.name}/"
    assert bucket.as_model() == BucketModel(name=bucket.name, provider="ais")
    bucket.client = client.cluster().client
    assert bucket.client is client.cluster().client


def test_any_request_may_be_made(bucket: Bucket) -> None:
    reply = bucket.make_request("PATCH", "set-bprops", value={"checksum": {"type": "md5"}})
    assert reply.status_code == 200
    props = json.loads(bucket.head()["Ais-Bucket-Props"])
    assert props["checksum"]["type"] == "md5"
    with pytest.raises(AISError, match="no setting"):
        bucket.make_request("PATCH", "set-bprops", value={"nonsense": 1})


# --- what is in a bucket ------------------------------------------------------------------------


def test_objects_are_listed_in_pages(filled: Bucket) -> None:
    page = filled.list_objects(page_size=2, props="name,size,checksum,atime,version,copies")
    assert [entry.name for entry in page.entries] == NAMES[:2]
    first = page.entries[0]
    assert (first.size, first.copies, first.version) == (3, 1, "1")
    assert first.checksum
    assert first.atime
    assert first.is_ok()
    assert first.object.get_reader().read_all() == b"a/1"
    rest = filled.list_objects(uuid=page.uuid, continuation_token=page.continuation_token)
    assert [entry.name for entry in rest.entries] == NAMES[2:]
    assert (rest.uuid, rest.continuation_token) == (page.uuid, "")


def test_all_objects_are_listed_whatever_the_page(filled: Bucket) -> None:
    for size in (0, 1, 2, 100):
        assert [entry.name for entry in filled.list_all_objects(page_size=size)] == NAMES
        assert [entry.name for entry in filled.list_objects_iter(page_size=size)] == NAMES
    assert [entry.name for entry in filled.list_all_objects(prefix="b/")] == NAMES[2:4]
    assert [entry.name for entry in filled.list_objects_iter(start_after="a/2")] == NAMES[2:]
    assert [entry.name for entry in filled.list_all_objects(start_after="b")] == NAMES[2:]


def test_objects_of_a_bucket_that_is_not_there(client: Client) -> None:
    missing = client.bucket("sdk-none")
    with pytest.raises(ErrBckNotFound):
        missing.list_objects()
    with pytest.raises(ErrBckNotFound):
        next(missing.list_objects_iter())
    cloud = client.bucket("sdk-none", provider="s3")
    with pytest.raises(ErrRemoteBckNotFound):
        cloud.list_all_objects()
    with pytest.raises(NotImplementedError):
        cloud.list_all_objects(start_after="a")


@pytest.mark.parametrize("flag", list(ListObjectFlag), ids=lambda flag: flag.name)
def test_every_flag_of_a_listing(filled: Bucket, flag: ListObjectFlag) -> None:
    if flag is ListObjectFlag.NBI:
        with pytest.raises(AISError, match="inventory"):
            filled.list_all_objects(flags=[flag])
        return
    expected = {
        ListObjectFlag.NOT_CACHED: [],
        ListObjectFlag.NO_RECURSION: ["a/", "b/", "z"],
    }
    entries = filled.list_all_objects(flags=[flag])
    assert [entry.name for entry in entries] == expected.get(flag, NAMES)
    if flag is ListObjectFlag.CACHED:
        assert all(entry.is_cached() for entry in entries)
    if flag is ListObjectFlag.NAME_ONLY:
        assert {entry.size for entry in entries} == {0}


def test_one_level_without_directories(filled: Bucket) -> None:
    flags = [ListObjectFlag.NO_RECURSION, ListObjectFlag.NO_DIRS, ListObjectFlag.NAME_SIZE]
    assert [(entry.name, entry.size) for entry in filled.list_all_objects(flags=flags)] == [
        ("z", 1)
    ]


def test_every_property_that_the_sdk_names_may_be_listed(filled: Bucket) -> None:
    props = "name,size,atime,version,checksum,cached,target_url,status,copies,ec,custom,node"
    entries = filled.list_all_objects(props=props)
    assert [entry.name for entry in entries] == NAMES
    assert all(entry.location and entry.atime and entry.version for entry in entries)


def test_objects_and_urls_of_all(filled: Bucket) -> None:
    found = list(filled.list_all_objects_iter(prefix="a/", props="name,size,checksum"))
    assert [one.name for one in found] == NAMES[:2]
    assert found[0].props_cached is not None
    assert found[0].props_cached.size == 3
    assert [one.name for one in filled.list_all_objects_iter(start_after="b/e")] == ["z"]
    urls = list(filled.list_urls(prefix="b/"))
    assert len(urls) == 2
    assert urls[0] == filled.object("b/c/d").get_url()


def test_an_object_by_its_url(client: Client, filled: Bucket, open_node: object) -> None:
    found = client.get_object_from_url(f"ais://{filled.name}/b/e")
    assert found.get_reader().read_all() == b"b/e"
    url = next(iter(filled.list_urls(prefix="z")))
    if url.startswith("http:"):
        assert requests.get(url, timeout=30).content == b"z"


def test_groups_of_objects(filled: Bucket) -> None:
    assert filled.objects(obj_names=["a/1", "z"]).list_names() == ["a/1", "z"]
    assert filled.objects(obj_template="a/{1..2}").list_names() == ["a/1", "a/2"]


# --- files --------------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path: Path) -> Path:
    for name in ("one.txt", "two.txt", "two.dat", "sub/three.txt"):
        path = tmp_path / "files" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path / "files"


def test_files_of_a_directory_are_put(bucket: Bucket, files: Path) -> None:
    assert sorted(bucket.put_files(files)) == ["one.txt", "two.dat", "two.txt"]
    assert bucket.object("two.dat").get_reader().read_all() == b"two.dat"
    assert sorted(bucket.put_files(str(files), pattern="*.txt", prefix_filter="t")) == ["two.txt"]
    done = bucket.put_files(files, recursive=True, prepend="pre-", pattern="*.txt", verbose=False)
    assert sorted(done) == ["pre-one.txt", "pre-sub/three.txt", "pre-two.txt"]
    done = bucket.put_files(files, recursive=True, basename=True, pattern="three*")
    assert done == ["three.txt"]
    assert [entry.name for entry in bucket.list_all_objects()] == [
        "one.txt", "pre-one.txt", "pre-sub/three.txt", "pre-two.txt", "three.txt", "two.dat",
        "two.txt",
    ]  # fmt: skip
    assert bucket.object("pre-sub/three.txt").get_reader().read_all() == b"sub/three.txt"


def test_a_dry_run_puts_nothing(bucket: Bucket, files: Path) -> None:
    assert len(bucket.put_files(files, dry_run=True)) == 3
    assert bucket.list_all_objects() == []


def test_only_a_directory_is_put(bucket: Bucket, files: Path) -> None:
    with pytest.raises(ValueError, match="directory"):
        bucket.put_files(files / "one.txt")
    with pytest.raises(ValueError, match="does not exist"):
        bucket.put_files(files / "none")
