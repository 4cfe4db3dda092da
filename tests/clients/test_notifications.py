"""docs/notifications.md runs as written, and s3cmd sets what it says."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import warm
from tests.harness import ACCESS_KEY, REGION, SECRET_KEY, Node, free_port
from tests.servers.hook import Hook

PAGE = Path(__file__).parents[2] / "docs" / "notifications.md"
POLICY = """\
<NotificationConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
  <QueueConfiguration>
    <Id>first</Id><Queue>arn:aisle:sqs:us-east-1:hook:webhook</Queue>
    <Event>s3:ObjectCreated:*</Event>
  </QueueConfiguration>
</NotificationConfiguration>
"""


def blocks(page: str) -> Iterator[tuple[str, str, str]]:
    """Language, title and text of each fenced block."""
    pattern = r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$'
    yield from re.findall(pattern, page, re.MULTILINE | re.DOTALL)


def test_the_page_runs_as_written(tmp_path: Path) -> None:
    """Its files, its commands, and what they print; the node and the ports are the test's."""
    hook, script, shown = free_port(), ["set -eu"], ""
    node = None
    for language, title, text in blocks(PAGE.read_text()):
        text = text.replace("127.0.0.1:9000", f"127.0.0.1:{hook}")
        text = text.replace('("127.0.0.1", 9000)', f'("127.0.0.1", {hook})')
        if title:
            (tmp_path / title).write_text(text)
        elif language == "console":
            parts = re.split(r"^\$ ", text.replace("\\\n", " "), flags=re.MULTILINE)[1:]
            script += [part.splitlines()[0] for part in parts if not part.startswith("aisnode")]
            shown += "".join(part.partition("\n")[2] for part in parts)
    options = ("--event-targets", str(tmp_path / "targets.toml"))
    node = Node(tmp_path / "data", auth=False, workers=1, options=options).start()
    try:
        text = "\n".join(script).replace(":8080", f":{node.port}")
        environment = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(tmp_path),
            "AWS_ACCESS_KEY_ID": "any",
            "AWS_SECRET_ACCESS_KEY": "any",
            "AWS_DEFAULT_REGION": REGION,
        }
        output = tmp_path / "printed.log"
        with output.open("w") as log:
            running = subprocess.Popen(
                ["bash", "-c", text],
                cwd=tmp_path,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            assert running.wait(60) == 0, output.read_text()
            printed = output.read_text()
        finally:
            os.killpg(running.pid, signal.SIGKILL)  # the listener stays behind
        assert shown
        assert printed.endswith(shown), printed
    finally:
        assert node.stop() == 0, node.log_tail()


@pytest.fixture
def hook() -> Iterator[Hook]:
    with Hook() as made:
        yield made


@pytest.fixture
def telling(hook: Hook, tmp_path: Path) -> Iterator[Node]:
    file = tmp_path / "targets.toml"
    file.write_text(f'[hook]\nkind = "webhook"\nurl = "{hook.url}"\n')
    options = ("--event-targets", str(file))
    running = Node(tmp_path / "data", workers=1, options=options).start()
    yield running
    assert running.stop() == 0, running.log_tail()


def test_s3cmd_sets_shows_and_removes_a_configuration(
    telling: Node, hook: Hook, tmp_path: Path
) -> None:
    (tmp_path / "policy.xml").write_text(POLICY)
    (tmp_path / "object.txt").write_bytes(b"hello")
    (tmp_path / "s3cfg").write_text(
        f"[default]\naccess_key = {ACCESS_KEY}\nsecret_key = {SECRET_KEY}\nuse_https = False\n"
        f"host_base = {telling.host}/s3\nhost_bucket = {telling.host}/s3/%(bucket)s\n"
    )

    def s3cmd(*command: str) -> str:
        done = subprocess.run(
            ["s3cmd", "-c", "s3cfg", *command],
            cwd=tmp_path,
            env={"PATH": warm.path(), "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    s3cmd("mb", "s3://watched")
    s3cmd("setnotification", "policy.xml", "s3://watched")
    assert [test["Bucket"] for test in hook.tests] == ["watched"]
    assert "arn:aisle:sqs:us-east-1:hook:webhook" in s3cmd("getnotification", "s3://watched")
    s3cmd("put", "object.txt", "s3://watched/object.txt")
    (heard,) = hook.wait(1)
    assert (heard.event["eventName"], heard.key) == ("ObjectCreated:Put", "object.txt")
    s3cmd("delnotification", "s3://watched")
    s3cmd("put", "object.txt", "s3://watched/other.txt")
    client = telling.client()
    assert "QueueConfigurations" not in client.get_bucket_notification_configuration(
        Bucket="watched"
    )
    assert len(hook.events) == 1
