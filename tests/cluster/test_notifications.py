"""Two gateways over PostgreSQL: the one that tells a target of events is killed, and the other goes
on, so that every acknowledged write is told of, in the order of its key."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.cluster import Cluster, Engines, wait_until
from tests.servers.hook import Heard, Hook
from tests.servers.postgres import Postgres

KEYS = 8
BEFORE = 25  # writes of each key before the kill, and after it


@pytest.fixture
def hook() -> Iterator[Hook]:
    """A target that takes its time, so that some of them wait."""

    def answer(_: Heard) -> int:
        time.sleep(0.2)
        return 200

    with Hook(answer) as running:
        yield running


@pytest.fixture
def database(postgres: Postgres) -> str:
    """The address of a fresh one."""
    return postgres.create_database()


@pytest.fixture
def cluster(hook: Hook, database: str, tmp_path: Path) -> Iterator[Cluster]:
    file = tmp_path / "targets.toml"
    file.write_text(f'[hook]\nkind = "webhook"\nurl = "{hook.url}"\n')
    options = ("--index", database, "--mountpath", str(tmp_path / "shared"))
    running = Cluster(tmp_path / "cluster", Engines((*options, "--event-targets", str(file))))
    try:
        yield running.start()
    finally:
        running.kill()


def holder(postgres: Postgres, database: str) -> str:
    """The gateway that has the duty of the target, by the row of its lease."""
    row = postgres.sql(
        "SELECT encode(v, 'escape') FROM aisle_row"
        " WHERE encode(k, 'escape') LIKE 'lease%notifications/hook'",
        database.rpartition("/")[2],
    )
    return next((name for name in ("g0", "g1") if name in str(row)), "")


def sizes(hook: Hook) -> dict[str, list[int]]:
    """What was told of each key, once each, in the order in which it was first heard."""
    found: dict[str, list[int]] = {}
    for heard in hook.events:
        if heard.key == "probe":
            continue
        told = found.setdefault(heard.key, [])
        size = heard.event["s3"]["object"]["size"]
        if size not in told:
            told.append(size)
    return found


def test_a_node_that_is_killed_while_it_tells_is_followed_by_the_other(
    cluster: Cluster, hook: Hook, postgres: Postgres, database: str
) -> None:
    first, second = cluster.gateways
    client = first.client()
    client.create_bucket(Bucket="told")
    rule = {"QueueArn": "arn:aisle:sqs::hook:webhook", "Events": ["s3:ObjectCreated:*"]}
    client.put_bucket_notification_configuration(
        Bucket="told", NotificationConfiguration={"QueueConfigurations": [rule]}
    )
    wait_until(lambda: bool(holder(postgres, database)), "one of them has the duty")
    telling = first if holder(postgres, database) == first.name else second
    (other,) = (gateway for gateway in (first, second) if gateway is not telling)
    client = other.client()

    def knows() -> bool:
        client.put_object(Bucket="told", Key="probe", Body=b"")
        return bool(hook.events)

    wait_until(knows, "the other knows what is to be told")
    keys = [f"k{number}" for number in range(KEYS)]
    for size in range(1, BEFORE + 1):
        for key in keys:
            client.put_object(Bucket="told", Key=key, Body=b"x" * size)
    telling.kill()
    assert sum(map(len, sizes(hook).values())) < KEYS * BEFORE  # some were still to be told
    for size in range(BEFORE + 1, 2 * BEFORE + 1):
        for key in keys:
            client.put_object(Bucket="told", Key=key, Body=b"x" * size)
    wanted = {key: list(range(1, 2 * BEFORE + 1)) for key in keys}
    wait_until(
        lambda: {key: sorted(told) for key, told in sizes(hook).items()} == wanted,
        "all was told of",
        told=cluster.log_tail,
    )
    assert sizes(hook) == wanted
    assert holder(postgres, database) == other.name
