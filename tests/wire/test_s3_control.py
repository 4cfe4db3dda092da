"""S3 Control: ListTagsForResource, TagResource, UntagResource of buckets.

Terraform's provider for AWS reads and sets the tags of every bucket with them.
https://docs.aws.amazon.com/AmazonS3/latest/API/API_control_TagResource.html
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from botocore.exceptions import ClientError

from tests.harness import Endpoint, Node, Reply
from tests.people import Person, fresh
from tests.wire.people import People
from tests.wire.support import refused

ACCOUNT = "x-amz-account-id"
VERSION = "/v20180820"
XMLNS = "http://awss3control.amazonaws.com/doc/2018-08-20/"


def control(person: Person) -> Any:
    """boto3's client, whose requests go to `ACCOUNT.HOST`, a name that nothing here resolves."""
    client = person.client("s3control")

    def to_node(request: Any, **_: Any) -> None:
        url = urlsplit(request.url)
        request.headers["Host"] = url.netloc
        request.url = url._replace(netloc=urlsplit(person.node.root).netloc).geturl()

    client.meta.events.register("before-send.s3-control", to_node)
    return client


def arn(bucket: str) -> str:
    return f"arn:aws:s3:::{bucket}"


def target(bucket: str) -> str:
    return f"{VERSION}/tags/{quote(arn(bucket), safe='')}"


def of(account: str, bucket: str) -> dict[str, str]:
    return {"AccountId": account, "ResourceArn": arn(bucket)}


def pairs(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def expect(reply: Reply, status: int, code: str) -> None:
    """Check an error, which S3 Control wraps."""
    root = ET.fromstring(reply.body)
    assert root.tag == f"{{{XMLNS}}}ErrorResponse"
    assert (reply.status, reply.xml.findtext("Error/Code")) == (status, code)


def send(node: Endpoint, method: str, path: str, body: bytes = b"", **more: Any) -> Reply:
    return node.send(method, path, headers={ACCOUNT: "000000000000"}, body=body, **more)


def test_tags_are_added_to_and_taken_from_those_that_there_are(people: People, alices: str) -> None:
    alice = people.alice
    client, it = control(alice), of(alice.account, alices)
    assert client.list_tags_for_resource(**it)["Tags"] == []
    made = client.tag_resource(Tags=pairs({"a": "1", "an other": "Ü + - = . _ : / @"}), **it)
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 204
    client.tag_resource(Tags=pairs({"a": "2", "empty": ""}), **it)
    now = {"a": "2", "an other": "Ü + - = . _ : / @", "empty": ""}
    assert client.list_tags_for_resource(**it)["Tags"] == pairs(now)
    assert alice.s3.get_bucket_tagging(Bucket=alices)["TagSet"] == pairs(now)
    gone = client.untag_resource(TagKeys=["an other", "empty", "never there"], **it)
    assert gone["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert client.list_tags_for_resource(**it)["Tags"] == pairs({"a": "2"})
    client.untag_resource(TagKeys=["a"], **it)
    with refused(404, "NoSuchTagSet"):
        alice.s3.get_bucket_tagging(Bucket=alices)


def test_tags_keep_to_the_limits_of_buckets(people: People, alices: str) -> None:
    alice = people.alice
    client, it = control(alice), of(alice.account, alices)
    client.tag_resource(Tags=pairs({f"k{n}": "v" for n in range(50)}), **it)
    client.tag_resource(Tags=pairs({"k0": "w"}), **it)
    with refused(400, "BadRequest"):
        client.tag_resource(Tags=pairs({"one more": "v"}), **it)
    for wrong in ({"aws:x": "1"}, {"k" * 129: ""}, {"k": "v" * 257}, {"k": "<"}):
        with refused(400, "InvalidTag"):
            client.tag_resource(Tags=pairs(wrong), **it)
    assert len(client.list_tags_for_resource(**it)["Tags"]) == 50
    for body in (b"", b"<TagResourceRequest/>", b"<Tagging><TagSet/></Tagging>", b"<a"):
        expect(send(people.node, "POST", target(alices), body), 400, "MalformedXML")


def test_of_many_who_add_tags_at_once_none_loses_its_own(people: People, alices: str) -> None:
    alice = people.alice
    client, it = control(alice), of(alice.account, alices)

    def add(number: int) -> None:
        client.tag_resource(Tags=pairs({f"k{number}": "v"}), **it)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add, range(12)))
    assert len(client.list_tags_for_resource(**it)["Tags"]) == 12


def test_each_operation_has_an_action_of_its_own(people: People, alices: str) -> None:
    ann = people.ann
    client, it = control(ann), of(ann.account, alices)
    calls: dict[str, Callable[[], Any]] = {
        "s3:ListTagsForResource": lambda: client.list_tags_for_resource(**it),
        "s3:TagResource": lambda: client.tag_resource(Tags=pairs({"team": "blue"}), **it),
        "s3:UntagResource": lambda: client.untag_resource(TagKeys=["team"], **it),
    }
    for action, call in calls.items():
        others = {"Effect": "Allow", "Action": "s3:*Bucket*", "Resource": "*"}
        # Terraform looks for this sentence before it asks as S3 has it.
        told = rf"\(AccessDenied\).* is not authorized to perform: {action} on resource"
        with people.allowed(ann, others), pytest.raises(ClientError, match=told):
            call()
        with people.allowed(ann, {"Effect": "Allow", "Action": action, "Resource": arn(alices)}):
            call()


def test_policies_go_by_the_tags_that_are_given_or_taken(people: People, alices: str) -> None:
    ann = people.ann
    client, it = control(ann), of(ann.account, alices)
    team = {"ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}}
    with people.allowed(
        ann,
        {"Action": ["s3:TagResource", "s3:UntagResource"], "Resource": "*", "Condition": team},
    ):
        client.tag_resource(Tags=pairs({"team": "blue"}), **it)
        with refused(403, "AccessDenied"):
            client.tag_resource(Tags=pairs({"owner": "ann"}), **it)
        with refused(403, "AccessDenied"):
            client.untag_resource(TagKeys=["team", "owner"], **it)
        client.untag_resource(TagKeys=["team"], **it)


@pytest.mark.parametrize("name", ["bob", "nobody"])
def test_strangers_learn_nothing(people: People, alices: str, name: str) -> None:
    person = people.by_name(name)
    for account in (people.alice.account, person.account or "000000000000"):
        for method in ("GET", "POST", "DELETE"):
            body = b"<TagResourceRequest><Tags/></TagResourceRequest>" if method == "POST" else b""
            reply = person.node.send(
                method, target(alices), headers={ACCOUNT: account}, body=body, **person.signing
            )
            expect(reply, 403, "AccessDenied")


def test_the_account_is_that_of_the_bucket_or_of_who_asks(people: People, alices: str) -> None:
    root = control(people.root)
    for account in (people.alice.account, people.root.account):
        assert root.list_tags_for_resource(**of(account, alices))["Tags"] == []
    with refused(403, "AccessDenied"):
        root.list_tags_for_resource(**of(people.bob.account, alices))


def test_what_is_not_there_or_not_served_is_refused(people: People, alices: str) -> None:
    alice = people.alice
    client = control(alice)
    with refused(404, "NoSuchResource"):
        client.list_tags_for_resource(**of(alice.account, fresh("gone")))
    for wrong in ("arn:aws:s3:us-east-1:1:storage-lens-group/x", f"{arn(alices)}/key"):
        with refused(501, "NotImplemented"):
            client.list_tags_for_resource(AccountId=alice.account, ResourceArn=wrong)
    with refused(501, "NotImplemented"):
        client.get_public_access_block(AccountId=alice.account)
    with refused(501, "NotImplemented"):
        client.list_access_points(AccountId=alice.account)


def test_requests_may_come_below_the_mount(node: Node) -> None:
    expect(send(node, "GET", f"/s3{target(fresh('gone'))}"), 404, "NoSuchResource")


def test_a_bucket_that_is_called_like_the_path_is_a_bucket(s3: Any, node: Node) -> None:
    name, key = VERSION[1:], "tags/arn:aws:s3:::x"
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key=key, Body=b"mine")
    assert node.send("GET", f"{VERSION}/{quote(key)}").body == b"mine"
    expect(send(node, "GET", f"{VERSION}/{quote(key)}"), 404, "NoSuchResource")
    s3.delete_object(Bucket=name, Key=key)
    s3.delete_bucket(Bucket=name)
