"""Get/PutBucketNotificationConfiguration and what is told of writes: S3's form, S3's errors."""

from __future__ import annotations

import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.cluster.cluster import Cluster, Engines
from tests.cluster.deployments import EMBEDDED, Deployment
from tests.harness import Node
from tests.servers.hook import Heard, Hook
from tests.wire.people import People
from tests.wire.support import XMLNS, bucket_target, etag_of, expect_error, put_parts, refused

HOOK = "arn:aisle:sqs:us-east-1:hook:webhook"
NOBODY = "arn:aisle:sqs:us-east-1:nobody:webhook"
PUT = "s3:ObjectCreated:Put"
ALL = ("s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:ObjectAcl:Put")
MIB = 1 << 20


@pytest.fixture(scope="module")
def hook() -> Iterator[Hook]:
    with Hook() as made:
        yield made


@pytest.fixture(scope="module")
def telling(
    deployment: Deployment,
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    hook: Hook,
) -> Iterator[Node | Cluster]:
    """A node, or a cluster of two, with targets."""
    home = tmp_path_factory.mktemp("telling")
    file = home / "targets.toml"
    file.write_text(
        f'[hook]\nkind = "webhook"\nurl = "{hook.url}"\n'
        f'[eventbridge]\nkind = "webhook"\nurl = "{hook.url}/bus"\n'
        '[nobody]\nkind = "webhook"\nurl = "http://127.0.0.1:1/"\ntimeout = "2s"\n'
    )
    running = start(request.config.getoption("deployment"), deployment, home / "data", file)
    yield running
    assert running.stop() == 0, running.log_tail()


def start(name: str, deployment: Deployment, data: Path, file: Path) -> Node | Cluster:
    options = ("--event-targets", str(file))
    if name == EMBEDDED:
        return Node(data, options=options).start()
    engines = deployment.engines()
    return Cluster(data, Engines((*engines.options, *options), engines.environment)).start()


@pytest.fixture(scope="module")
def told(telling: Node | Cluster) -> Any:
    return telling.client(s3={"addressing_style": "path"})


@pytest.fixture
def watched(told: Any, hook: Hook) -> str:
    """A bucket of which nobody has been told anything yet."""
    name = f"told-{uuid.uuid4().hex[:12]}"
    told.create_bucket(Bucket=name)
    hook.all.clear()
    return name


def queue(*events: str, arn: str = HOOK, **more: Any) -> dict[str, Any]:
    return {"QueueArn": arn, "Events": list(events or ALL), **more}


def rules(**values: str) -> dict[str, Any]:
    return {"Key": {"FilterRules": [{"Name": name, "Value": v} for name, v in values.items()]}}


def configure(told: Any, bucket: str, *found: dict[str, Any], **more: Any) -> None:
    told.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"QueueConfigurations": list(found)}, **more
    )


def configuration(told: Any, bucket: str) -> dict[str, Any]:
    found: dict[str, Any] = told.get_bucket_notification_configuration(Bucket=bucket)
    del found["ResponseMetadata"]
    return found


def names(heard: list[Heard]) -> list[tuple[str, str]]:
    return [(one.event["eventName"], one.key) for one in heard]


# --- the configuration ----------------------------------------------------------------------


def test_a_bucket_has_none_at_first(told: Any, watched: str) -> None:
    assert configuration(told, watched) == {}


def test_it_is_given_back_as_it_was_put(told: Any, watched: str, hook: Hook) -> None:
    given = {
        "QueueConfigurations": [
            {"Id": "a", **queue(PUT, Filter=rules(Prefix="in/", Suffix=".jpg"))}
        ],
        "TopicConfigurations": [
            {"Id": "b", "TopicArn": HOOK, "Events": ["s3:ObjectRemoved:*"],
             "Filter": rules(Prefix="")}
        ],
        "LambdaFunctionConfigurations": [
            {"Id": "c", "LambdaFunctionArn": HOOK,
             "Events": ["s3:ObjectTagging:*", "s3:ObjectAcl:Put"]}
        ],
        "EventBridgeConfiguration": {},
    }  # fmt: skip
    told.put_bucket_notification_configuration(Bucket=watched, NotificationConfiguration=given)
    assert configuration(told, watched) == given
    (test,) = hook.tests
    assert (test["Event"], test["Bucket"]) == ("s3:TestEvent", watched)
    told.put_bucket_notification_configuration(Bucket=watched, NotificationConfiguration={})
    assert configuration(told, watched) == {}


def test_ids_are_made_up_and_names_of_filters_have_any_case(told: Any, watched: str) -> None:
    configure(told, watched, queue(PUT, Filter=rules(PREFIX="a")), queue("s3:ObjectAcl:Put"))
    one, other = configuration(told, watched)["QueueConfigurations"]
    assert one["Id"] != other["Id"]
    assert one["Filter"]["Key"]["FilterRules"] == [{"Name": "Prefix", "Value": "a"}]


def test_the_deprecated_twins_speak_of_the_same(
    telling: Node, told: Any, watched: str, hook: Hook
) -> None:
    body = (
        f'<NotificationConfiguration xmlns="{XMLNS}"><TopicConfiguration><Id>old</Id>'
        f"<Event>{PUT}</Event><Topic>{HOOK}</Topic></TopicConfiguration>"
        "</NotificationConfiguration>"
    )
    target = bucket_target(watched, "notification")
    assert telling.send("PUT", target, body=body.encode()).status == 200
    shown = telling.send("GET", target).xml
    assert shown.findtext("TopicConfiguration/Topic") == HOOK
    assert [event.text for event in shown.iterfind("TopicConfiguration/Event")] == [PUT]
    assert [test["Bucket"] for test in hook.tests] == [watched]


def test_another_configuration_replaces_the_first(told: Any, watched: str, hook: Hook) -> None:
    configure(told, watched, queue(PUT))
    configure(told, watched, queue("s3:ObjectRemoved:*"))
    told.put_object(Bucket=watched, Key="a", Body=b"1")
    told.delete_object(Bucket=watched, Key="a")
    assert names(hook.wait(1)) == [("ObjectRemoved:Delete", "a")]


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ([queue("s3:ObjectCreated:Nothing")], "is not supported"),
        ([queue("s3:*")], "is not supported"),
        ([queue(PUT, arn="nobody")], "ARN is not well formed"),
        ([queue(PUT, arn="arn:aws:sqs:us-east-1:123456789012:q")], "ARN is not well formed"),
        ([queue(PUT, arn="arn:aisle:sqs:eu-west-1:hook:webhook")], "region is not valid"),
        (
            [queue(PUT, arn="arn:aisle:sqs:us-east-1:other:webhook")],
            "Unable to validate the following destination configurations: The destination does not"
            " exist: arn:aisle:sqs:us-east-1:other:webhook",
        ),
        ([queue(PUT, arn="arn:aisle:sqs:us-east-1:hook:kafka")], "Unable to validate the foll"),
        ([queue(PUT, arn=NOBODY)], "Unable to validate the following destination configurations"),
        ([queue(PUT, Filter=rules(Infix="a"))], "must be either prefix or suffix"),
        ([queue(PUT, Filter=rules(Prefix="a", prefix="b"))], "Cannot specify more than one prefix"),
        ([queue(PUT, Filter=rules(Suffix="x" * 1025))], "cannot exceed 1024 bytes"),
        ([queue(PUT, Id="x"), queue("s3:ObjectAcl:Put", Id="x")], "IDs must be unique"),
        ([queue(PUT, Id="x" * 256)], "more than 255"),
        ([queue(PUT), queue("s3:ObjectCreated:*")], "Configuration is ambiguously defined"),
        (
            [queue(PUT, Filter=rules(Prefix="a")), queue(PUT, Filter=rules(Prefix="ab"))],
            "Configuration is ambiguously defined",
        ),
        ([queue(PUT, Filter=rules(Prefix=f"{n}/")) for n in range(101)], "at most 100"),
    ],
    ids=range(16),
)
def test_what_cannot_be_is_refused(
    told: Any, watched: str, found: list[dict[str, Any]], words: str
) -> None:
    with pytest.raises(ClientError) as caught:
        configure(told, watched, *found)
    error = caught.value.response["Error"]
    assert error["Code"] == "InvalidArgument", error
    assert words in error["Message"]
    assert configuration(told, watched) == {}


def test_topics_and_queues_may_not_overlap_either(told: Any, watched: str) -> None:
    topic = {"TopicArn": HOOK, "Events": [PUT]}
    with refused(400, "InvalidArgument"):
        told.put_bucket_notification_configuration(
            Bucket=watched,
            NotificationConfiguration={
                "TopicConfigurations": [topic],
                "QueueConfigurations": [queue(PUT)],
            },
        )


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<NotificationConfiguration>",
        "<Other/>",
        "<NotificationConfiguration><Other/></NotificationConfiguration>",
        "<NotificationConfiguration><QueueConfiguration><Queue>a</Queue></QueueConfiguration>"
        "</NotificationConfiguration>",
        "<NotificationConfiguration><QueueConfiguration><Event>s3:ObjectCreated:*</Event>"
        "</QueueConfiguration></NotificationConfiguration>",
        f"<NotificationConfiguration><QueueConfiguration><Queue>{HOOK}</Queue><More/>"
        "<Event>s3:ObjectCreated:*</Event></QueueConfiguration></NotificationConfiguration>",
    ],
)
def test_a_document_of_another_form_is_malformed(telling: Node, watched: str, body: str) -> None:
    reply = telling.send("PUT", bucket_target(watched, "notification"), body=body.encode())
    expect_error(reply, 400, "MalformedXML")


def test_a_destination_that_is_silent_is_taken_if_nobody_asks_it(told: Any, watched: str) -> None:
    configure(told, watched, queue(PUT, arn=NOBODY), SkipDestinationValidation=True)
    found = configuration(told, watched)["QueueConfigurations"]
    assert [one["QueueArn"] for one in found] == [NOBODY]
    with refused(400, "InvalidArgument"):
        arn = "arn:aisle:sqs:us-east-1:other:webhook"
        configure(told, watched, queue(PUT, arn=arn), SkipDestinationValidation=True)


def test_a_cluster_without_targets_tells_nobody(s3: Any, bucket: str) -> None:
    assert configuration(s3, bucket) == {}
    with refused(400, "InvalidArgument"):
        configure(s3, bucket, queue(PUT))
    with refused(400, "InvalidArgument"):
        s3.put_bucket_notification_configuration(
            Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}}
        )


def test_only_who_may_sees_or_sets_it(people: People, alices: str) -> None:
    for call in (
        lambda: configuration(people.bob.s3, alices),
        lambda: configure(people.bob.s3, alices, queue(PUT)),
    ):
        with refused(403, "AccessDenied"):
            call()
    with refused(404, "NoSuchBucket"):
        configuration(people.alice.s3, "there-is-no-such-bucket")


# --- what is told ---------------------------------------------------------------------------


def test_each_kind_of_write_is_told_by_its_name(told: Any, watched: str, hook: Hook) -> None:
    configure(told, watched, queue(Id="everything"))
    told.put_object(Bucket=watched, Key="a b+ü", Body=b"abc")
    told.copy_object(Bucket=watched, Key="copy", CopySource={"Bucket": watched, "Key": "a b+ü"})
    put_parts(told, watched, "parts", [b"x" * 5 * MIB, b"y"])
    told.delete_object(Bucket=watched, Key="copy")
    told.delete_objects(Bucket=watched, Delete={"Objects": [{"Key": "parts"}]})
    heard = hook.wait(5)
    assert sorted(names(heard)) == sorted(
        [
            ("ObjectCreated:Put", "a b+ü"),
            ("ObjectCreated:Copy", "copy"),
            ("ObjectCreated:CompleteMultipartUpload", "parts"),
            ("ObjectRemoved:Delete", "copy"),
            ("ObjectRemoved:Delete", "parts"),
        ]
    )
    put = next(one.event for one in heard if one.event["eventName"] == "ObjectCreated:Put")
    assert put["s3"]["configurationId"] == "everything"
    assert put["s3"]["bucket"]["arn"] == f"arn:aws:s3:::{watched}"
    assert put["s3"]["object"]["size"] == 3
    assert f'"{put["s3"]["object"]["eTag"]}"' == etag_of(b"abc")
    assert put["requestParameters"]["sourceIPAddress"] in ("127.0.0.1", "::1")
    assert put["userIdentity"]["principalId"].endswith(":root")


def test_tags_and_acls_are_told(told: Any, watched: str, hook: Hook) -> None:
    told.put_bucket_ownership_controls(
        Bucket=watched,
        OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]},
    )
    configure(told, watched, queue("s3:ObjectTagging:*", "s3:ObjectAcl:Put"))
    told.put_object(Bucket=watched, Key="a", Body=b"abc")
    tags = {"TagSet": [{"Key": "k", "Value": "v"}]}
    told.put_object_tagging(Bucket=watched, Key="a", Tagging=tags)
    told.delete_object_tagging(Bucket=watched, Key="a")
    told.put_object_acl(Bucket=watched, Key="a", ACL="authenticated-read")
    told.put_object_acl(Bucket=watched, Key="a", ACL="authenticated-read")  # no change
    told.put_object_acl(Bucket=watched, Key="a", ACL="private")
    found = [one.event for one in hook.wait(4)]
    assert [(one["eventName"], one["eventVersion"]) for one in found] == [
        ("ObjectTagging:Put", "2.3"),
        ("ObjectTagging:Delete", "2.3"),
        ("ObjectAcl:Put", "2.3"),
        ("ObjectAcl:Put", "2.3"),
    ]
    assert all(f'"{one["s3"]["object"]["eTag"]}"' == etag_of(b"abc") for one in found)


def test_a_form_is_told_with_who_has_signed_it(told: Any, watched: str, hook: Hook) -> None:
    configure(told, watched, queue("s3:ObjectCreated:Post"))
    form = told.generate_presigned_post(watched, "form.txt")
    boundary = "form-boundary"
    fields = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in form["fields"].items()
    )
    file = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'
        f"abc\r\n--{boundary}--\r\n"
    )
    request = urllib.request.Request(
        form["url"],
        (fields + file).encode(),
        {"content-type": f"multipart/form-data; boundary={boundary}"},
    )
    with urllib.request.urlopen(request, timeout=30) as reply:
        assert reply.status in (200, 201, 204)
    (heard,) = hook.wait(1)
    assert (heard.event["eventName"], heard.key) == ("ObjectCreated:Post", "form.txt")
    assert heard.event["userIdentity"]["principalId"].endswith(":root")


def test_the_request_is_named_as_its_reply_names_it(told: Any, watched: str, hook: Hook) -> None:
    configure(told, watched, queue())
    reply = told.put_object(Bucket=watched, Key="a", Body=b"abc")["ResponseMetadata"]
    (heard,) = hook.wait(1)
    assert heard.event["responseElements"] == {
        "x-amz-request-id": reply["HTTPHeaders"]["x-amz-request-id"],
        "x-amz-id-2": reply["HTTPHeaders"]["x-amz-id-2"],
    }


def test_versions_and_markers_are_named(told: Any, watched: str, hook: Hook) -> None:
    told.put_bucket_versioning(Bucket=watched, VersioningConfiguration={"Status": "Enabled"})
    configure(told, watched, queue())
    first = told.put_object(Bucket=watched, Key="a", Body=b"1")["VersionId"]
    marker = told.delete_object(Bucket=watched, Key="a")["VersionId"]
    told.delete_object(Bucket=watched, Key="a", VersionId=first)
    found = [one.event for one in hook.wait(3)]
    assert [(one["eventName"], one["s3"]["object"]["versionId"]) for one in found] == [
        ("ObjectCreated:Put", first),
        ("ObjectRemoved:DeleteMarkerCreated", marker),
        ("ObjectRemoved:Delete", first),
    ]
    sequencers = [one["s3"]["object"]["sequencer"] for one in found]
    assert sequencers == sorted(set(sequencers))


def test_prefix_and_suffix_are_kept_to(told: Any, watched: str, hook: Hook) -> None:
    configure(
        told,
        watched,
        queue(PUT, Id="jpg", Filter=rules(Prefix="in/", Suffix=".jpg")),
        queue(PUT, Id="png", Filter=rules(Suffix=".png")),
    )
    for key in ("in/a.jpg", "in/a.txt", "out/a.jpg", "out/a.png", "last.png"):
        told.put_object(Bucket=watched, Key=key, Body=b"")
    found = {(one.event["s3"]["configurationId"], one.key) for one in hook.wait(3)}
    assert found == {("jpg", "in/a.jpg"), ("png", "out/a.png"), ("png", "last.png")}


def test_writes_of_one_key_are_told_in_their_order(told: Any, watched: str, hook: Hook) -> None:
    configure(told, watched, queue())
    for size in range(30):
        told.put_object(Bucket=watched, Key="a", Body=b"x" * size)
    heard = [one.event["s3"]["object"] for one in hook.wait(30)]
    assert [one["size"] for one in heard] == list(range(30))
    assert [one["sequencer"] for one in heard] == sorted({one["sequencer"] for one in heard})


def test_writes_by_the_native_api_are_told_too(
    telling: Node, told: Any, watched: str, hook: Hook
) -> None:
    configure(told, watched, queue())
    path = f"/v1/objects/{watched}/native"
    assert telling.send("PUT", path, body=b"abc").status == 200
    assert telling.send("DELETE", path).status in (200, 204)
    assert names(hook.wait(2)) == [
        ("ObjectCreated:Put", "native"),
        ("ObjectRemoved:Delete", "native"),
    ]


def test_eventbridge_hears_of_everything(told: Any, watched: str, hook: Hook) -> None:
    told.put_bucket_notification_configuration(
        Bucket=watched, NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    told.put_object(Bucket=watched, Key="a b", Body=b"abc")
    until(lambda: bool(hook.all))
    (heard,) = hook.all
    assert heard.path == "/hook/bus"
    assert b'"detail-type":"Object Created"' in heard.body
    assert b'"key":"a b"' in heard.body


def until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.filterwarnings("ignore:.*deprecated")
def test_boto3_s_deprecated_calls_speak_of_the_same(told: Any, watched: str) -> None:
    given = {"TopicConfiguration": {"Id": "old", "Topic": HOOK, "Events": [PUT]}}
    told.put_bucket_notification(Bucket=watched, NotificationConfiguration=given)
    (found,) = configuration(told, watched)["TopicConfigurations"]
    assert found == {"Id": "old", "TopicArn": HOOK, "Events": [PUT]}
    shown = told.get_bucket_notification(Bucket=watched)["TopicConfiguration"]
    assert (shown["Id"], shown["Topic"], shown["Events"]) == ("old", HOOK, [PUT])
