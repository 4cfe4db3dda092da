"""Front-end rate limits over the wire: of a bucket, of a user, and how each dialect tells them."""

from __future__ import annotations

import json
from collections.abc import Iterator

import boto3
import pytest
from botocore.config import Config

from tests.harness import ACCESS_KEY, REGION, SECRET_KEY, Node, Reply
from tests.native.support import act
from tests.node.process import eventually
from tests.people import Person
from tests.people import refused as refused_as

CONFIG = "/v1/cluster/set-config"
RATE = "rate_limit.frontend."


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """One worker, which has the whole of every limit."""
    running = Node(tmp_path_factory.mktemp("rates") / "data", workers=1).start()
    yield running
    assert running.stop() == 0, running.log_tail()


def limit(node: Node, bucket: str, **values: object) -> None:
    told = {"enabled": True, "interval": "1h", **values}
    reply = act(
        node,
        "PATCH",
        f"/v1/buckets/{bucket}?provider=ais",
        "set-bprops",
        {"rate_limit": {"frontend": told}},
    )
    assert reply.status == 200, reply.body


def get(node: Node, bucket: str) -> Reply:
    return node.send("GET", f"/s3/{bucket}/key")


def make(node: Node, bucket: str, **values: object) -> str:
    assert node.send("PUT", f"/s3/{bucket}").status == 200
    assert node.send("PUT", f"/s3/{bucket}/key", body=b"hello").status == 200
    if values:
        limit(node, bucket, **values)
    return bucket


def test_a_bucket_s_limit_is_told_as_slow_down_and_as_429(node: Node) -> None:
    bucket = make(node, "few", max_tokens=3, burst_size=3)
    assert [get(node, bucket).status for _ in range(4)] == [200, 200, 200, 503]
    refused = get(node, bucket)
    assert (refused.status, refused.code) == (503, "SlowDown")
    assert 1000 < int(refused.headers["retry-after"]) <= 1200  # a token every twenty minutes
    native = node.send("GET", f"/v1/objects/{bucket}/key?provider=ais")
    assert native.status == 429
    assert 1000 < int(native.headers["retry-after"]) <= 1200
    told = json.loads(native.body)
    assert (told["status"], told["tcode"]) == (429, "ErrRateLimited")
    assert told["message"] == "the rate of requests to this bucket is limited: try again later"
    head = node.send("HEAD", f"/s3/{bucket}/key")
    assert (head.status, head.body) == (503, b"")
    # Others have nothing to do with it.
    assert get(node, make(node, "many")).status == 200


def test_boto3_waits_and_comes_again(node: Node) -> None:
    bucket = make(node, "patience", interval="1s", max_tokens=4, burst_size=1)
    patient = boto3.client(
        "s3",
        endpoint_url=node.endpoint,
        region_name=REGION,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        config=Config(retries={"max_attempts": 8, "mode": "standard"}),
    )
    for _ in range(6):
        assert patient.get_object(Bucket=bucket, Key="key")["Body"].read() == b"hello"
    patient.close()


def test_methods_may_have_tokens_of_their_own(node: Node) -> None:
    bucket = make(node, "methods", per_op_max_tokens="put:1,delete:0")
    assert node.send("PUT", f"/s3/{bucket}/a", body=b"x").status == 200
    assert node.send("PUT", f"/s3/{bucket}/a", body=b"x").status == 503
    assert node.send("DELETE", f"/s3/{bucket}/a").status == 503
    assert get(node, bucket).status == 200


def test_a_wrong_limit_is_refused(node: Node) -> None:
    bucket = make(node, "wrong")
    value = {"rate_limit": {"frontend": {"per_op_max_tokens": "fetch:1"}}}
    reply = act(node, "PATCH", f"/v1/buckets/{bucket}?provider=ais", "set-bprops", value)
    assert reply.status == 400
    assert "per_op_max_tokens: expected METHOD:NUMBER" in json.loads(reply.body)["message"]


def test_many_keys_deleted_at_once_are_one_request(node: Node) -> None:
    bucket = make(node, "together", max_tokens=2, burst_size=2)
    client = node.client()
    keys = [{"Key": f"k{number}"} for number in range(50)]
    for _ in range(2):
        done = client.delete_objects(Bucket=bucket, Delete={"Objects": keys})
        assert len(done["Deleted"]) == 50
        assert "Errors" not in done
    with pytest.raises(client.exceptions.ClientError, match="SlowDown"):
        client.delete_objects(Bucket=bucket, Delete={"Objects": keys})


def test_strangers_do_not_use_up_what_a_bucket_has(node: Node) -> None:
    bucket = make(node, "strangers", max_tokens=1, burst_size=1)
    for _ in range(5):
        assert node.send("GET", f"/s3/{bucket}/key", signed=False).status == 403
    assert get(node, bucket).status == 200


def test_users_are_limited_by_the_cluster_s_settings(node: Node) -> None:
    bucket = make(node, "users")

    def configure(**values: object) -> None:
        query = "&".join(f"{RATE}{name}={value}" for name, value in values.items())
        assert node.send("PUT", f"{CONFIG}?{query}").status == 200

    configure(interval="1h", max_tokens=1, burst_size=1, enabled="true")
    assert eventually(60, lambda: get(node, bucket).status == 503)
    refused = node.send("GET", f"/v1/objects/{bucket}/key?provider=ais")
    assert refused.status == 429
    assert "of one user" in json.loads(refused.body)["message"]
    # Nor is there another way in: not by AIStore's easy URLs, nor to IAM.
    assert node.send("GET", f"/gs/{bucket}/key").status == 429
    with refused_as("Throttling", 400):
        Person(node, "root", ACCESS_KEY, SECRET_KEY).sts.get_session_token()
    # A stranger goes by the address, which is another one.
    assert node.send("GET", f"/s3/{bucket}/key", signed=False).status == 403
    assert node.send("GET", f"/s3/{bucket}/key", signed=False).status == 503
    # What the administrator needs to take it back is not limited.
    configure(enabled="false", max_tokens=1000)
    assert eventually(60, lambda: get(node, bucket).status == 200)
