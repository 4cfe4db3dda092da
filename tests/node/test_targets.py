"""The file of targets: what it may say, and that nothing secret in it is ever shown."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from aisle.core.errors import ConfigError
from aisle.node.options import load
from aisle.node.targets import KINDS, open_targets, read

WHOLE = """
[hook]
kind = "webhook"
url = "https://example.com/hook"
token = "s3cr3t-token"
secret_file = "held"
timeout = "1500ms"

[bus]
kind = "nats"
url = "nats://127.0.0.1:4222"
subject = "events"
user = "me"
password = "s3cr3t-password"

[log]
kind = "kafka"
servers = "one:9092, two:9092"
topic = "objects"

[rabbit]
kind = "amqp"
url = "amqp://me:s3cr3t-url@127.0.0.1/"
routing_key = "events"
"""


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "targets.toml"
    file.write_text(text)
    return file


def test_all_kinds_are_read_and_opened_and_no_secret_is_shown(tmp_path: Path) -> None:
    (tmp_path / "held").write_text("s3cr3t-held\n")
    file = written(tmp_path, WHOLE)
    options = load(["--data", str(tmp_path), "--event-targets", str(file)], {})
    hook, bus, log, rabbit = options.event_targets
    assert (hook.name, hook.kind, hook.timeout) == ("hook", "webhook", 1.5)
    assert hook.options["secret"] == "s3cr3t-held"
    assert (bus.timeout, log.options["servers"]) == (10.0, "one:9092,two:9092")
    assert rabbit.options["routing_key"] == "events"
    assert "s3cr3t" not in repr(options) + repr(options.event_targets)

    async def go() -> None:
        targets = open_targets(options.event_targets)
        assert [known.spec.name for known in targets] == ["hook", "bus", "log", "rabbit"]
        assert "s3cr3t" not in repr(list(targets))
        await targets.close()

    asyncio.run(go())
    assert {spec.kind for spec in options.event_targets} == set(KINDS)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[A]\nkind = 'webhook'\nurl = 'http://h/'", "a name has 1 to 63"),
        ("[a]\nkind = 'pigeon'", "kind: expected webhook, nats, kafka, amqp"),
        ("[a]\nurl = 'http://h/'", "kind: expected"),
        ("a = 1", "kind: expected"),
        ("[a]\nkind = 'webhook'", "url is missing"),
        ("[a]\nkind = 'amqp'\nrouting_key = 'k'", "url is missing"),
        ("[a]\nkind = 'webhook'\nurl = 'ftp://s3cr3t/'", "url: expected an address"),
        ("[a]\nkind = 'webhook'\nurl = 'http://h/'\nport = 3", "port: there is no such option"),
        ("[a]\nkind = 'webhook'\nurl = 'http://h/'\nsecret = 's3cr3t'\nsecret_file = 'x'", "both"),
        ("[a]\nkind = 'webhook'\nurl = 'http://h/'\nsecret_file = 'none'", "No such file"),
        ("[a]\nkind = 'webhook'\nurl = 'http://h/'\ntimeout = '1h'", "timeout: expected a time"),
        ("[a]\nkind = 'kafka'\nservers = 'h'\ntopic = 't'", "servers: expected HOST:PORT"),
        ("[a]\nkind = 'kafka'\nservers = 'h:1'\ntopic = 'a b'", "topic: expected"),
        ("[a]\nkind = 'kafka'\nservers = 'h:1'\ntopic = 't'\nmechanism = 'X'", "mechanism: expec"),
        ("[a]\nkind = 'nats'\nurl = 'nats://h'\nsubject = 's'\njetstream = 'yes'", "jetstream: ex"),
        ("[a", "is not valid TOML"),
    ],
)
def test_what_is_wrong_with_a_file_is_told_without_its_secrets(
    tmp_path: Path, text: str, words: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        read(written(tmp_path, text))
    assert words in str(caught.value)
    assert "s3cr3t" not in str(caught.value)


def test_a_file_that_is_not_there_ends_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read"):
        load(["--data", str(tmp_path), "--event-targets", str(tmp_path / "none")], {})
