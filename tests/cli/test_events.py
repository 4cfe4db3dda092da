"""`ais events`: what no target took is shown, sent again and dropped."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import SECONDS, environment
from tests.harness import Node
from tests.node.process import eventually
from tests.servers.hook import Hook

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def hook() -> Iterator[Hook]:
    with Hook(lambda heard: 200 if heard.is_test else 403) as made:
        yield made


@pytest.fixture
def node(tmp_path: Path, hook: Hook) -> Iterator[Node]:
    file = tmp_path / "targets.toml"
    file.write_text(f'[printer]\nkind = "webhook"\nurl = "{hook.url}"\n')
    running = Node(tmp_path / "data", workers=1, options=("--event-targets", str(file))).start()
    reply = running.send("PUT", "/v1/cluster/set-config?notifications.max_attempts=1")
    assert reply.status == 200
    yield running
    assert running.stop() == 0, running.log_tail()


@pytest.fixture
def ais(node: Node) -> Run:
    def run(*words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            ["ais", *words],
            env=environment(node),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        assert done.returncode == code, done.stderr
        return done

    return run


def watched(node: Node, bucket: str, *keys: str) -> None:
    s3 = node.client()
    s3.create_bucket(Bucket=bucket)
    queue = {"QueueArn": "arn:aisle:sqs::printer:webhook", "Events": ["s3:ObjectCreated:*"]}
    s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"QueueConfigurations": [queue]}
    )
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")


def shown(ais: Run, *words: str) -> list[list[str]]:
    lines = ais("events", "show", "-H", *words).stdout.splitlines()
    return [line.split() for line in lines]


def test_events_are_shown_sent_again_and_dropped(ais: Run, node: Node, hook: Hook) -> None:
    assert ais("events", "show").stdout.startswith("Every event was delivered")
    watched(node, "one", "a", "b")
    watched(node, "two", "c")
    assert eventually(60, lambda: len(shown(ais)) == 3)
    heading, *lines = ais("events", "show").stdout.splitlines()
    assert heading.split() == ["TIME", "TARGET", "EVENT", "OBJECT", "WHY", "ID"]
    assert len(lines) == 3
    assert all("printer" in line and "403" in line for line in lines)
    assert len(shown(ais, "--limit", "2")) == 2
    assert len(shown(ais, "--bucket", "ais://one")) == 2
    assert shown(ais, "--target", "nobody") == []
    (told,) = json.loads(ais("events", "show", "--bucket", "two", "--json").stdout)
    assert told["message"]["Records"][0]["s3"]["bucket"]["name"] == "two"
    # One by its id, the others by their bucket: once the target takes them, they are gone.
    hook.answer = lambda heard: 200
    before = len(hook.events)
    assert ais("events", "resend", told["id"]).stdout == "1 events are sent again\n"
    assert [heard.key for heard in hook.wait(before + 1)[before:]] == ["c"]
    assert ais("events", "rm", "--bucket", "one", "--yes").stdout == "2 events are dropped\n"
    assert shown(ais) == []
    assert "not kept" in ais("events", "resend", told["id"], code=1).stderr


def test_what_is_meant_has_to_be_said(ais: Run) -> None:
    for words in (["resend"], ["rm", "--yes"], ["resend", "--all", "--target", "printer"]):
        assert "name events by their ids" in ais("events", *words, code=1).stderr
    assert "not the id" in ais("events", "rm", "nonsense", code=1).stderr


def test_events_of_a_target_that_is_no_more_are_left(ais: Run, node: Node, tmp_path: Path) -> None:
    watched(node, "one", "a")
    assert eventually(60, lambda: len(shown(ais)) == 1)
    assert node.stop() == 0
    file = tmp_path / "targets.toml"
    file.write_text(file.read_text().replace("[printer]", "[other]"))
    node.start()
    done = ais("events", "resend", "--all", code=1)
    assert "1 are left" in done.stderr
    assert len(shown(ais)) == 1
    assert ais("events", "rm", "--all").stdout == "1 events are dropped\n"
