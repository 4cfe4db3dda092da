"""A node tells brokers of every kind: what a bucket's configuration names arrives there."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness import Node
from tests.targets.sites import SITES, Site

KINDS = ("jetstream", "kafka", "amqp")
SECONDS = 60.0


@pytest.fixture(scope="module")
def sites() -> Iterator[dict[str, Site]]:
    made = {name: SITES[name]() for name in KINDS}
    yield made
    for site in made.values():
        site.close()


def table(name: str, site: Site) -> str:
    """A target as the file of targets has it."""
    values = {"kind": site.kind, "timeout": "20s", **site.options}
    return f"[{name}]\n" + "".join(
        f"{key} = {json.dumps(value)}\n" for key, value in values.items()
    )


def configuration(sites: dict[str, Site]) -> dict[str, Any]:
    return {
        "QueueConfigurations": [
            {
                "QueueArn": f"arn:aisle:sqs:us-east-1:{name}:{site.kind}",
                "Events": ["s3:ObjectCreated:*"],
                "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": f"{name}/"}]}},
            }
            for name, site in sites.items()
        ]
    }


def test_every_broker_hears_of_its_keys(sites: dict[str, Site], tmp_path: Path) -> None:
    file = tmp_path / "targets.toml"
    file.write_text("\n".join(table(name, site) for name, site in sites.items()))
    node = Node(tmp_path / "data", options=("--event-targets", str(file))).start()
    try:
        client = node.client()
        client.create_bucket(Bucket="told")
        client.put_bucket_notification_configuration(
            Bucket="told", NotificationConfiguration=configuration(sites)
        )
        for name in sites:
            for number in range(5):
                client.put_object(Bucket="told", Key=f"{name}/{number}", Body=b"abc")
        for name, site in sites.items():
            wait_for(site, [f"{name}/{number}" for number in range(5)])
    finally:
        assert node.stop() == 0, node.log_tail()


def wait_for(site: Site, keys: list[str]) -> None:
    """The test event first, and then these keys and no others."""
    deadline = time.monotonic() + SECONDS
    while True:
        told = [json.loads(body) for body in asyncio.run(site.arrived())]
        found = [one["Records"][0]["s3"]["object"]["key"] for one in told if "Records" in one]
        if len(found) >= len(keys):
            break
        assert time.monotonic() < deadline, f"{site.kind}: {found}"
        time.sleep(0.2)
    assert sorted(set(found)) == keys
    assert sum(one.get("Event") == "s3:TestEvent" for one in told) == 1
