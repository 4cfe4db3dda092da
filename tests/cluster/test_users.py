"""Two gateways over PostgreSQL: what one does to users and keys, the other goes by in a moment."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.cluster import Cluster, Engines, Gateway, wait_until
from tests.people import Person, new_user
from tests.servers.postgres import Postgres


@pytest.fixture(scope="module")
def cluster(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    directory: Path = tmp_path_factory.mktemp("users")
    shared = ("--index", postgres.create_database(), "--mountpath", str(directory / "shared"))
    running = Cluster(directory / "cluster", Engines(shared))
    try:
        yield running.start()
    finally:
        running.kill()


def status(gateway: Gateway, person: Person) -> int:
    return gateway.send("GET", "/", **person.signing).status


def answers(gateway: Gateway, person: Person, expected: int) -> bool:
    return status(gateway, person) == expected


def await_status(gateway: Gateway, person: Person, expected: int) -> None:
    wait_until(partial(answers, gateway, person, expected), f"{gateway.name} says {expected}")


def switch(gateway: Gateway, person: Person, active: bool) -> None:
    target = f"/v1/users/{person.name}/keys/{person.access_key}"
    assert gateway.send("PUT", target, body=json.dumps({"active": active}).encode()).status == 200


def test_a_new_key_is_good_at_every_gateway_at_once(cluster: Cluster) -> None:
    first, second = cluster.gateways
    for number in range(5):
        person = new_user(first, f"new-{number}")
        assert (status(second, person), status(first, person)) == (200, 200)


def test_a_key_ends_at_the_other_gateway(cluster: Cluster) -> None:
    first, second = cluster.gateways
    person = new_user(first, "switched")
    for gateway, other in ((first, second), (second, first)):
        assert (status(first, person), status(second, person)) == (200, 200)
        switch(gateway, person, False)
        assert status(gateway, person) == 403
        await_status(other, person, 403)
        switch(gateway, person, True)
        assert status(gateway, person) == 200
        await_status(other, person, 200)
    target = f"/v1/users/{person.name}/keys/{person.access_key}"
    assert first.send("DELETE", target).status == 200
    await_status(second, person, 403)


def test_a_user_that_is_deleted_ends_at_the_other_gateway(cluster: Cluster) -> None:
    first, second = cluster.gateways
    person = new_user(first, "deleted")
    assert status(second, person) == 200
    assert second.send("DELETE", f"/v1/users/{person.name}").status == 200
    assert status(second, person) == 403
    await_status(first, person, 403)
    again = new_user(first, "deleted")
    assert again.canonical != person.canonical
    assert (status(first, again), status(second, again)) == (200, 200)
    await_status(second, person, 403)


def test_gateways_share_the_keys_that_were_made_for_their_administrator(
    postgres: Postgres, tmp_path: Path
) -> None:
    index = ("--index", postgres.create_database())
    shared = (*index, "--mountpath", str(tmp_path / "shared"), "--auth", "on")
    running = Cluster(tmp_path / "cluster", Engines(shared), auth=False)
    try:
        running.start()
        logs = [gateway.log.read_text() for gateway in running.gateways]
        told = [log for log in logs if "export AWS_SECRET_ACCESS_KEY=" in log]
        assert len(told) == 1, logs
        words = dict(
            line.strip().removeprefix("export ").split("=", 1)
            for line in told[0].splitlines()
            if line.strip().startswith("export ")
        )
        keys: dict[str, Any] = {
            "access_key": words["AWS_ACCESS_KEY_ID"],
            "secret_key": words["AWS_SECRET_ACCESS_KEY"],
        }
        for gateway in running.gateways:
            assert gateway.send("GET", "/", **keys).status == 200
            assert gateway.send("GET", "/").status == 403
    finally:
        running.kill()
