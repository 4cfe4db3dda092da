"""Events that no target took: listed in pages, sent again, dropped; by administrators alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.harness import Node, Reply
from tests.native.people import make_user, told
from tests.native.support import message
from tests.node.process import eventually
from tests.people import ask
from tests.servers.hook import Hook

NOTIFY = {
    "QueueConfigurations": [
        {"QueueArn": "arn:aisle:sqs::hook:webhook", "Events": ["s3:ObjectCreated:*"]}
    ]
}


@pytest.fixture(scope="module")
def hook() -> Iterator[Hook]:
    with Hook() as made:
        yield made


@pytest.fixture(scope="module")
def telling(tmp_path_factory: pytest.TempPathFactory, hook: Hook) -> Iterator[Node]:
    home = tmp_path_factory.mktemp("undelivered")
    file = home / "targets.toml"
    file.write_text(f'[hook]\nkind = "webhook"\nurl = "{hook.url}"\n')
    node = Node(home / "data", options=("--event-targets", str(file))).start()
    reply = node.send("PUT", "/v1/cluster/set-config?notifications.max_attempts=1")
    assert reply.status == 200
    yield node
    assert node.stop() == 0, node.log_tail()


def listed(node: Node, **query: object) -> dict[str, Any]:
    more = "&".join(f"{name}={value}" for name, value in query.items())
    found: dict[str, Any] = told(ask(node, "GET", f"/v1/undelivered?{more}"))
    return found


def refused(node: Node, hook: Hook, bucket: str, *keys: str) -> list[dict[str, Any]]:
    """Have events of a bucket given up; how they are listed."""
    s3 = node.client()
    s3.create_bucket(Bucket=bucket)
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=NOTIFY)
    hook.answer = lambda heard: 200 if heard.is_test else 403
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    assert eventually(60, lambda: len(listed(node, bucket=bucket)["events"]) == len(keys))
    hook.answer = lambda heard: 200
    events: list[dict[str, Any]] = listed(node, bucket=bucket)["events"]
    return events


def test_what_no_target_took_is_told_and_sent_again(telling: Node, hook: Hook) -> None:
    events = refused(telling, hook, "again", "a b", "c")
    assert {one["key"] for one in events} == {"a b", "c"}
    (one,) = (one for one in events if one["key"] == "a b")
    assert (one["target"], one["bucket"]) == ("hook", "again")
    assert one["attempts"] >= 1
    assert one["event"] == "s3:ObjectCreated:Put"
    assert "403" in one["error"]
    assert one["at"] > 1_700_000_000_000_000_000
    assert one["message"]["Records"][0]["s3"]["object"]["key"] == "a+b"
    before = len(hook.events)
    first = told(ask(telling, "POST", "/v1/undelivered", {"ids": [one["id"]]}))
    assert first == {"count": 1, "left": 0, "next": ""}
    assert told(ask(telling, "POST", "/v1/undelivered", {"ids": [one["id"]]}))["count"] == 0
    assert told(ask(telling, "POST", "/v1/undelivered", {"bucket": "again"}))["count"] == 1

    keys = [heard.key for heard in hook.wait(before + 2)[before:]]
    assert sorted(keys) == ["a b", "c"]
    assert listed(telling, bucket="again") == {"events": [], "next": ""}


def test_pages_go_on_where_the_last_one_ended(telling: Node, hook: Hook) -> None:
    refused(telling, hook, "pages", *"abcde")
    seen, after = [], ""
    while True:
        page = listed(telling, bucket="pages", limit=2, after=after)
        assert len(page["events"]) <= 2
        seen += [one["key"] for one in page["events"]]
        after = page["next"]
        if not after:
            break
    assert sorted(seen) == list("abcde")
    assert told(ask(telling, "DELETE", "/v1/undelivered", {"bucket": "pages"}))["count"] == 5
    assert listed(telling, bucket="pages")["events"] == []


def test_what_is_meant_has_to_be_said(telling: Node) -> None:
    bodies: list[dict[str, Any]] = [
        {},
        {"ids": []},
        {"all": True, "target": "hook"},
        {"ids": ["a"] * 501},
        {"ids": ["nonsense"]},
        {"all": True, "after": "nonsense"},
    ]
    for body in bodies:
        for method in ("POST", "DELETE"):
            assert ask(telling, method, "/v1/undelivered", body).status == 400
    for query in ("limit=0", "limit=501", "limit=x", "after=x"):
        assert ask(telling, "GET", f"/v1/undelivered?{query}").status == 400


def test_only_administrators_may(telling: Node) -> None:
    person = make_user(telling)
    replies: list[Reply] = [
        person.send("GET", "/v1/undelivered"),
        person.tell("POST", "/v1/undelivered", {"all": True}),
        person.tell("DELETE", "/v1/undelivered", {"all": True}),
        telling.send("GET", "/v1/undelivered", signed=False),
    ]
    assert [reply.status for reply in replies[:3]] == [403] * 3
    assert replies[3].status in (401, 403)
    assert message(replies[0])
