"""A node for the command line alone, so that what it lists and configures is all there is."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests import warm
from tests.harness import ACCESS_KEY, SECRET_KEY, Node

Ais = Callable[..., subprocess.CompletedProcess[str]]
SECONDS = 60


def environment(node: Node | None, **extra: str) -> dict[str, str]:
    """What a user of `node` would have set."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AIS_", "AISLE_", "AWS_"))
    }
    kept["XDG_CONFIG_HOME"] = os.devnull  # nothing of whoever runs the tests
    kept["PATH"] = warm.path()
    if node is not None:
        kept["AIS_ENDPOINT"] = node.root
        if node.auth:
            kept |= {"AISLE_ROOT_ACCESS_KEY": ACCESS_KEY, "AISLE_ROOT_SECRET_KEY": SECRET_KEY}
    return kept | extra


@pytest.fixture(scope="package")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node with authorisation on that only these tests use."""
    running = Node(tmp_path_factory.mktemp("cli") / "data", workers=1).start()
    yield running
    assert running.stop() == 0, running.log_tail()


@pytest.fixture
def ais(own: Node, tmp_path: Path) -> Iterator[Ais]:
    """Run `ais` in an empty directory; the node is emptied afterwards."""

    def run(
        *words: str, code: int = 0, env: dict[str, str] | None = None, **options: Any
    ) -> subprocess.CompletedProcess[str]:
        options.setdefault("stdin", subprocess.DEVNULL)
        if "input" in options:
            del options["stdin"]
        done = subprocess.run(
            ["ais", *words],
            cwd=tmp_path,
            env=environment(own) | (env or {}),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            **options,
        )
        assert "Traceback" not in done.stderr
        assert done.returncode == code, done.stderr
        if code == 1:
            assert done.stderr.startswith("Error: ")
            assert done.stderr.count("\n") == 1
        return done

    yield run
    for row in json.loads(own.send("GET", "/v1/buckets?presence=2").body):
        space = quote(f"#{row['namespace']['name']}" if row["namespace"]["name"] else "")
        _act(own, "DELETE", f"/v1/buckets/{row['name']}?namespace={space}", "destroy-bck")
    _act(own, "PUT", "/v1/cluster", "reset-config")


def _act(node: Node, method: str, target: str, action: str) -> None:
    body = json.dumps({"action": action}).encode()
    size = {"Content-Length": str(len(body))}
    reply = node.send(method, target, body=body, unsigned_headers=size)
    assert reply.status == 200, reply.body


@pytest.fixture
def bck(ais: Ais, own: Node) -> str:
    """A fresh bucket."""
    _act(own, "POST", "/v1/buckets/abc", "create-bck")
    return "ais://abc"
