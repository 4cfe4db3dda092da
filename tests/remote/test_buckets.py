"""Windows as buckets: made, found by name, shown, attached, switched off and taken away."""

from __future__ import annotations

import json
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aistore import Client
from aistore.sdk.errors import ErrRemoteBckNotFound
from botocore.exceptions import ClientError

from tests.conftest import empty_and_remove
from tests.harness import Node, Reply
from tests.native.support import act, message
from tests.people import allow, join, new_user, refused, root_of
from tests.remote.conftest import CREDENTIALS
from tests.remote.test_listings import ais
from tests.remote.windows import Remote
from tests.servers.faults import FaultProxy

SECONDS = 60


@pytest.fixture
def elsewhere(there: Any) -> Iterator[str]:
    """A bucket of the origin with one object, which the node has not heard of."""
    name = f"else-{uuid.uuid4().hex[:12]}"
    there.create_bucket(Bucket=name)
    there.put_object(Bucket=name, Key="key", Body=b"remote")
    yield name
    empty_and_remove(there, name)


@pytest.fixture
def own(cache: Node) -> Iterator[str]:
    """An empty bucket of the node's own."""
    name = f"own-{uuid.uuid4().hex[:12]}"
    assert act(cache, "POST", f"/v1/buckets/{name}", "create-bck").status == 200
    yield name
    act(cache, "DELETE", f"/v1/buckets/{name}", "destroy-bck")


def remove(node: Node, name: str) -> None:
    assert act(node, "DELETE", aws(name), "destroy-bck").status == 200


def aws(name: str, **query: str) -> str:
    more = "".join(f"&{key}={value}" for key, value in query.items())
    return f"/v1/buckets/{name}?provider=aws{more}"


def props(reply: Reply) -> Any:
    return json.loads(reply.headers["ais-bucket-props"])


def is_here(node: Node, name: str, provider: str = "aws") -> bool:
    """Whether the node has a bucket, without a look elsewhere."""
    found = json.loads(act(node, "GET", "/v1/buckets?presence=2", "list").body)
    return (name, provider) in [(row["name"], row["provider"]) for row in found]


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


# --- making ---------------------------------------------------------------------------------


def test_a_window_is_made_if_the_remote_bucket_is_there(
    cache: Node, elsewhere: str, faults: FaultProxy
) -> None:
    none = act(cache, "POST", aws("none-such"), "create-bck")
    assert none.status == 404
    assert "aws://none-such" in message(none)
    assert not is_here(cache, "none-such")
    value = {"checksum.type": "md5", "extra": {"aws": {"max_pagesize": 9}}}
    assert act(cache, "POST", aws(elsewhere), "create-bck", value).status == 200
    told = props(act(cache, "HEAD", aws(elsewhere)))
    assert (told["provider"], told["checksum"]["type"]) == ("aws", "md5")
    assert told["extra"]["aws"]["max_pagesize"] == 9
    assert told["extra"]["aws"]["cloud_region"] == "us-east-1"
    assert told["lru"]["enabled"] is True
    assert act(cache, "POST", aws(elsewhere), "create-bck").status == 409
    remove(cache, elsewhere)
    bad = {"extra.aws.endpoint": "nonsense://"}
    assert act(cache, "POST", aws(elsewhere), "create-bck", bad).status == 400
    assert not is_here(cache, elsewhere)


def test_nobody_looks_where_that_is_said(cache: Node, faults: FaultProxy) -> None:
    made = act(cache, "POST", aws("unseen", dont_head_remote_bck="true"), "create-bck")
    assert (made.status, faults.count()) == (200, 0)
    reply = act(cache, "GET", aws("unseen"), "list")
    assert (reply.status, "aws://unseen" in message(reply)) == (404, True)
    remove(cache, "unseen")
    bad = act(cache, "POST", aws("unseen", dont_head_remote_bck="maybe"), "create-bck")
    assert (bad.status, message(bad)) == (400, "dont_head_remote_bck is true or false")


def test_first_use_adds_a_remote_bucket(cache: Node, elsewhere: str) -> None:
    assert not is_here(cache, elsewhere)
    assert ais(cache, "get", f"s3://{elsewhere}/key", "-") == "remote"
    assert is_here(cache, elsewhere)
    remove(cache, elsewhere)
    put = cache.send("PUT", f"/v1/objects/{elsewhere}/new?provider=s3", body=b"written")
    assert put.status == 200
    assert is_here(cache, elsewhere)
    remove(cache, elsewhere)
    # What only takes away adds nothing; nor does a look that says so.
    for action in ("destroy-bck", "evict-remote-bck"):
        assert act(cache, "DELETE", aws(elsewhere), action).status == 404
    for presence in "234":
        assert act(cache, "HEAD", aws(elsewhere, presence=presence)).status == 404
    outside = act(cache, "HEAD", aws(elsewhere, presence="5"))
    assert (outside.status, outside.headers["ais-present"]) == (200, "false")
    assert props(outside)["provider"] == "aws"
    looked = act(cache, "HEAD", aws(elsewhere, dont_add_remote_bck_md="true"))
    assert (looked.status, looked.headers["ais-present"]) == (200, "false")
    listed = act(cache, "GET", aws(elsewhere), "list", {"flags": str(1 << 8)})
    assert [entry["name"] for entry in json.loads(listed.body)["entries"]] == ["key", "new"]
    only = act(cache, "GET", aws(elsewhere), "list", {"flags": str(1 << 6)})
    assert only.status == 404
    got = cache.send("GET", f"/v1/objects/{elsewhere}/key?provider=aws&dont_add_remote_bck_md=true")
    assert got.status == 404
    assert not is_here(cache, elsewhere)
    assert act(cache, "HEAD", aws(elsewhere, presence="0")).headers["ais-present"] == "true"
    assert act(cache, "HEAD", aws(elsewhere, presence="5")).status == 404
    assert act(cache, "HEAD", aws(elsewhere, presence="6")).status == 400
    remove(cache, elsewhere)


def test_a_copy_into_a_remote_bucket_adds_it(
    cache: Node, elsewhere: str, own: str, there: Any
) -> None:
    assert ais(cache, "cp", f"s3://{elsewhere}", f"ais://{own}", "--all", "--wait")
    found = json.loads(act(cache, "GET", f"/v1/buckets/{own}", "list").body)
    assert [entry["name"] for entry in found["entries"]] == ["key"]
    remove(cache, elsewhere)
    ais(cache, "cp", f"ais://{own}", f"s3://{elsewhere}", "--prepend", "back/", "--wait")
    assert there.get_object(Bucket=elsewhere, Key="back/key")["Body"].read() == b"remote"
    fresh = f"{own}-copy"
    ais(cache, "cp", f"s3://{elsewhere}", f"ais://{fresh}", "--wait")
    told = props(act(cache, "HEAD", f"/v1/buckets/{fresh}"))
    assert told["backend_bck"]["name"] == told["extra"]["aws"]["cloud_region"] == ""
    assert act(cache, "DELETE", f"/v1/buckets/{fresh}", "destroy-bck").status == 200
    remove(cache, elsewhere)


# --- by name, for S3 clients ----------------------------------------------------------------


def test_s3_clients_find_remote_buckets_by_their_names(
    cache: Node, here: Any, elsewhere: str, faults: FaultProxy
) -> None:
    assert here.get_object(Bucket=elsewhere, Key="key")["Body"].read() == b"remote"
    assert is_here(cache, elsewhere)
    assert here.head_bucket(Bucket=elsewhere)["BucketRegion"] == "us-east-1"
    with pytest.raises(ClientError) as taken:
        here.create_bucket(Bucket=elsewhere)
    assert taken.value.response["Error"]["Code"] == "BucketAlreadyExists"
    with pytest.raises(ClientError) as kept:
        here.delete_bucket(Bucket=elsewhere)
    assert kept.value.response["ResponseMetadata"]["HTTPStatusCode"] == 405
    assert "ais evict" in kept.value.response["Error"]["Message"]
    remove(cache, elsewhere)
    with pytest.raises(ClientError) as missing:
        here.delete_bucket(Bucket=elsewhere)
    assert missing.value.response["Error"]["Code"] == "NoSuchBucket"
    assert not is_here(cache, elsewhere)


def test_that_there_is_no_such_bucket_is_asked_once(here: Any, faults: FaultProxy) -> None:
    name = f"absent-{uuid.uuid4().hex[:8]}"
    for _ in range(10):
        with pytest.raises(ClientError) as missing:
            here.get_object(Bucket=name, Key="key")
        assert missing.value.response["Error"]["Code"] == "NoSuchBucket"
    assert 1 <= faults.count() <= 2  # once for each worker process
    here.create_bucket(Bucket=name)
    here.delete_bucket(Bucket=name)


def test_names_that_several_providers_have_are_ambiguous(
    cache: Node, here: Any, window: Callable[..., Remote]
) -> None:
    remote = window()
    remote.put_there("key", b"remote")
    assert act(cache, "POST", f"/v1/buckets/{remote.name}", "create-bck").status == 200
    with pytest.raises(ClientError) as unclear:
        here.get_object(Bucket=remote.name, Key="key")
    told = unclear.value.response
    assert told["Error"]["Code"] == "AmbiguousBucketName"
    assert told["ResponseMetadata"]["HTTPStatusCode"] == 404
    assert "ais, aws" in told["Error"]["Message"]
    listed = cache.send("GET", "/s3").xml
    strings = [
        bucket.findtext("String")
        for bucket in listed.iter("Bucket")
        if bucket.findtext("Name") == remote.name
    ]
    both = f"{{{remote.name}, Provider: ais}} and {{{remote.name}, Provider: aws}}"
    assert strings == ["Provider: ais", f"Provider: aws (WARNING: {both} share the same name)"]
    page = cache.send("GET", f"/s3?prefix={remote.name}&max-buckets=1").xml
    token = page.findtext("ContinuationToken")
    page = cache.send("GET", f"/s3?prefix={remote.name}&continuation-token={token}").xml
    assert "share the same name" in (page.findtext("Buckets/Bucket/String") or "")
    assert act(cache, "DELETE", f"/v1/buckets/{remote.name}", "destroy-bck").status == 200
    assert here.get_object(Bucket=remote.name, Key="key")["Body"].read() == b"remote"


# --- attaching ------------------------------------------------------------------------------


def test_a_bucket_in_front_of_a_remote_one(
    cache: Node, here: Any, there: Any, own: str, elsewhere: str
) -> None:
    uri = f"ais://{own}"
    done = ais(cache, "bucket", "props", "set", uri, f"backend_bck=aws://{elsewhere}")
    assert f'"backend_bck.name" set to: "{elsewhere}" (was: "")' in done
    assert f"aws://{elsewhere}" in ais(cache, "show", "bucket", uri)
    told = props(act(cache, "HEAD", f"/v1/buckets/{own}"))
    space = {"uuid": "", "name": ""}
    assert told["backend_bck"] == {"name": elsewhere, "provider": "aws", "namespace": space}
    assert told["lru"]["enabled"] is True
    assert here.get_object(Bucket=own, Key="key")["Body"].read() == b"remote"
    here.put_object(Bucket=own, Key="new", Body=b"through")
    assert there.get_object(Bucket=elsewhere, Key="new")["Body"].read() == b"through"
    assert "CACHED" in ais(cache, "ls", uri)
    ais(cache, "evict", uri, "--wait")
    assert is_here(cache, own, "ais")
    assert ais(cache, "ls", uri, "--cached") == ""
    again = ais(cache, "bucket", "props", "set", uri, f"backend_bck=s3://{elsewhere}")
    assert "nothing to do" in again
    moved = act(cache, "POST", f"/v1/buckets/{own}?bck_to=ais%2F%40%23%2Fother%2F", "move-bck")
    assert (moved.status, "cannot be renamed" in message(moved)) == (400, True)
    reset = act(cache, "PATCH", f"/v1/buckets/{own}", "reset-bprops")
    assert reset.status == 200
    assert props(act(cache, "HEAD", f"/v1/buckets/{own}"))["backend_bck"]["name"] == elsewhere
    done = ais(cache, "bucket", "props", "set", uri, "backend_bck=none")
    assert f'"backend_bck.name" set to: "" (was: "{elsewhere}")' in done
    assert "Contents" not in here.list_objects_v2(Bucket=own)
    assert there.get_object(Bucket=elsewhere, Key="new")["Body"].read() == b"through"


@pytest.mark.parametrize(
    ("value", "status", "text"),
    [
        ("ais://other", 400, "is no remote bucket"),
        ("aws://none-such", 404, "aws://none-such"),
        ("oci://other", 400, 'no backend "oci" here'),
        ("nope://other", 400, 'invalid backend provider "nope"'),
        ({"name": "none-such", "provider": "s3"}, 404, "aws://none-such"),
    ],
)
def test_what_cannot_be_attached_is_not(
    cache: Node, own: str, value: object, status: int, text: str
) -> None:
    asked = {"backend_bck": value}
    reply = act(cache, "PATCH", f"/v1/buckets/{own}", "set-bprops", asked)
    assert (reply.status, text in message(reply)) == (status, True)
    made = act(cache, "POST", f"/v1/buckets/{own}-2", "create-bck", asked)
    assert made.status == status
    assert not is_here(cache, f"{own}-2", "ais")


def test_objects_of_its_own_keep_a_bucket_from_being_attached(
    cache: Node, here: Any, own: str, window: Callable[..., Remote]
) -> None:
    remote = window()
    here.put_object(Bucket=own, Key="mine", Body=b"x")
    asked = {"backend_bck": f"aws://{remote.name}"}
    reply = act(cache, "PATCH", f"/v1/buckets/{own}", "set-bprops", asked)
    assert (reply.status, "has objects of its own" in message(reply)) == (400, True)
    assert here.get_object(Bucket=own, Key="mine")["Body"].read() == b"x"
    reply = remote.native("PATCH", action={"action": "set-bprops", "value": asked})
    assert (reply.status, "is a remote bucket itself" in message(reply)) == (400, True)


def test_another_endpoint_is_looked_up_and_drops_the_copies(
    cache: Node, origin: Node, window: Callable[..., Remote]
) -> None:
    remote = window()
    remote.put_there("key", b"body")
    assert remote.get("key").status == 200
    assert remote.is_cached("key")
    nowhere = {"extra.aws.endpoint": "http://127.0.0.1:1"}
    reply = remote.native("PATCH", action={"action": "set-bprops", "value": nowhere})
    assert reply.status == 503
    assert remote.is_cached("key")
    remote.set_props(**{"extra.aws.endpoint": origin.root})
    assert not remote.is_cached("key")
    assert remote.get("key").body == b"body"


# --- listing --------------------------------------------------------------------------------


def test_remote_buckets_are_listed_with_those_in_the_cluster(
    cache: Node, elsewhere: str, window: Callable[..., Remote]
) -> None:
    remote = window()
    cluster = Client(cache.root).cluster()
    everywhere = {bucket.name for bucket in cluster.list_buckets(provider="aws")}
    assert {elsewhere, remote.name} <= everywhere
    assert ais(cache, "ls", "s3:").splitlines()[0].startswith("AWS Buckets (")
    assert f"  aws://{remote.name}\n" in ais(cache, "ls", "aws:")
    assert elsewhere not in ais(cache, "ls")
    for words in (["ls", "--all"], ["ls", "s3:", "--all"]):
        lines = [line.split() for line in ais(cache, *words).splitlines()]
        assert lines[0] == ["NAME", "PRESENT"]
        assert [f"aws://{elsewhere}", "no"] in lines
        assert [f"aws://{remote.name}", "yes"] in lines
        assert lines[-1][:2] == ["Total:", "[AWS"]
    outside = json.loads(act(cache, "GET", "/v1/buckets?provider=aws&presence=5", "list").body)
    found = {row["name"] for row in outside}
    assert elsewhere in found
    assert remote.name not in found
    assert ais(cache, "ls", "ht:", "--all").startswith("HT Buckets (0)")


def test_the_command_line_makes_shows_and_removes_windows(cache: Node, elsewhere: str) -> None:
    uri = f"s3://{elsewhere}"
    shown = ais(cache, "show", "bucket", uri, "-H")
    assert "present          no" in shown
    assert not is_here(cache, elsewhere)
    assert ais(cache, "create", uri).startswith(f'"{uri}" created')
    assert "present          yes" in ais(cache, "show", "bucket", uri, "-H")
    error = ais(cache, "create", "s3://none-such", code=1)
    assert (error.count("\n"), "aws://none-such" in error) == (1, True)
    assert ais(cache, "create", "s3://none-such", "--skip-lookup").startswith('"s3://none-such"')
    assert ais(cache, "rmb", "s3://none-such").startswith('"s3://none-such" destroyed (in the')
    done = ais(cache, "bucket", "props", "set", uri, "extra.aws.max_pagesize=5")
    assert '"extra.aws.max_pagesize" set to: "5" (was: "0")' in done
    ais(cache, "evict", uri)
    assert not is_here(cache, elsewhere)


def test_the_sdk_tells_that_a_remote_bucket_is_missing(cache: Node) -> None:
    bucket = Client(cache.root).bucket("none-such", provider="aws")
    with pytest.raises(ErrRemoteBckNotFound):
        bucket.list_objects()


# --- switching ------------------------------------------------------------------------------


@pytest.fixture
def lone(origin: Node, tmp_path: Path) -> Iterator[Node]:
    """A node of its own, to be switched, with authorisation on."""
    environment = {**CREDENTIALS, "S3_ENDPOINT": origin.root}
    running = Node(tmp_path / "data", workers=2, environment=environment).start()
    yield running
    assert running.stop() == 0, running.log_tail()
    shutil.rmtree(running.data)


def test_a_backend_is_switched_off_for_cached_objects_too_and_on_again(
    lone: Node, elsewhere: str
) -> None:
    client = lone.client()
    assert client.get_object(Bucket=elsewhere, Key="key")["Body"].read() == b"remote"
    reply = act(lone, "GET", "/v1/cluster?what=backends")
    assert json.loads(reply.body) == ["aws", "gcp", "azure", "ht", "ais"]
    assert act(lone, "PUT", "/v1/cluster/disable-bend/s3").status == 200

    def code(key: str = "key") -> str:
        try:
            client.get_object(Bucket=elsewhere, Key=key)["Body"].read()
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return ""

    until(lambda: [code() for _ in range(20)] == ["InvalidRequest"] * 20)  # by all workers
    with pytest.raises(ClientError, match="disabled"):
        client.list_objects_v2(Bucket=elsewhere)
    for reply in (
        act(lone, "GET", aws(elsewhere), "list"),
        act(lone, "GET", aws(elsewhere), "list", {"flags": "1"}),
        act(lone, "POST", aws("other"), "create-bck"),
        act(lone, "GET", "/v1/buckets?provider=aws", "list"),
    ):
        assert (reply.status, "disabled" in message(reply)) == (400, True)
    assert act(lone, "GET", "/v1/buckets", "list").status == 200
    assert client.list_buckets()["Buckets"][0]["Name"] == elsewhere
    config = json.loads(act(lone, "GET", "/v1/cluster?what=cluster_config").body)
    assert config["backend"] == {}
    reply = act(lone, "GET", "/v1/cluster?what=backends")
    assert json.loads(reply.body) == ["gcp", "azure", "ht", "ais"]
    assert act(lone, "PUT", "/v1/cluster/enable-bend/aws").status == 200
    until(lambda: [code() for _ in range(20)] == [""] * 20)
    config = json.loads(act(lone, "GET", "/v1/cluster?what=cluster_config").body)
    assert config["backend"] == {"aws": {}}
    for name in ("nope", "oci"):
        assert act(lone, "PUT", f"/v1/cluster/enable-bend/{name}").status == 400
    assert act(lone, "PUT", "/v1/cluster", "reset-config").status == 200
    assert code() == ""


def test_windows_are_for_administrators_to_make(lone: Node, elsewhere: str) -> None:
    mallory = new_user(lone, "mallory")
    mine = f"mine-{uuid.uuid4().hex[:8]}"
    mallory.s3.create_bucket(Bucket=mine)
    with refused("NoSuchBucket"):
        mallory.s3.get_object(Bucket=elsewhere, Key="key")
    signing = mallory.signing
    assert act(lone, "GET", aws(elsewhere), "list", **signing).status == 404
    assert act(lone, "POST", aws(elsewhere), "create-bck", **signing).status == 403
    assert act(lone, "PUT", "/v1/cluster/disable-bend/aws", **signing).status == 403
    for value in (
        {"backend_bck": f"aws://{elsewhere}"},
        {"extra.aws.endpoint": "http://127.0.0.1:1"},
    ):
        for method, target, action in (
            ("POST", f"/v1/buckets/{mine}-2", "create-bck"),
            ("PATCH", f"/v1/buckets/{mine}", "set-bprops"),
        ):
            assert act(lone, method, target, action, value, **signing).status == 403
    plain = {"checksum.type": "md5", "backend_bck": "none"}
    assert act(lone, "PATCH", f"/v1/buckets/{mine}", "set-bprops", plain, **signing).status == 200
    listed = json.loads(act(lone, "GET", "/v1/buckets", "list", **signing).body)
    assert [row["name"] for row in listed] == [mine]
    assert not is_here(lone, elsewhere)


def test_what_an_administrator_has_made_is_used_as_policies_allow(
    lone: Node, elsewhere: str
) -> None:
    assert act(lone, "POST", aws(elsewhere), "create-bck").status == 200
    bob = join(root_of(lone), "bob", allow("s3:*"))
    assert bob.s3.get_object(Bucket=elsewhere, Key="key")["Body"].read() == b"remote"
    assert [one["Key"] for one in bob.s3.list_objects_v2(Bucket=elsewhere)["Contents"]] == ["key"]
    with refused("AccessDenied"):
        new_user(lone, "mallory").s3.list_objects_v2(Bucket=elsewhere)
    with refused("NoSuchBucket"):
        bob.s3.list_objects_v2(Bucket=f"{elsewhere}-2")
