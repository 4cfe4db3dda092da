"""The administrator of a node as it is started: keys given, made and shown once, or in files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from aisle.core.errors import ConfigError
from aisle.node import directories, root
from aisle.node.command import banner
from aisle.node.options import NodeOptions, load
from tests.harness import ACCESS_KEY, SECRET_KEY, Node

OPTIONS = ["--auth", "on"]


def settled(data: Path, *arguments: str, **environ: str) -> NodeOptions:
    given = load(["--data", str(data), *arguments], environ)
    data.mkdir(exist_ok=True)
    return root.settle(directories.identify(given))


def shown(log: str) -> tuple[str, str]:
    """The keys that a node printed."""
    access = re.findall(r"export AWS_ACCESS_KEY_ID=(AKIA[A-Z2-7]{16})\n", log)
    secret = re.findall(r"export AWS_SECRET_ACCESS_KEY=([A-Za-z0-9]{40})\n", log)
    assert (len(access), len(secret)) == (1, 1), log
    return access[0], secret[0]


def test_keys_are_made_once_and_shown_once(tmp_path: Path) -> None:
    first = settled(tmp_path / "data", *OPTIONS)
    assert first.root_made
    assert shown(root.shown(first)) == (first.root_access_key, first.root_secret_key)
    assert first.root_secret_key not in repr(first) + banner(first)
    second = settled(tmp_path / "data", *OPTIONS)
    assert not second.root_made
    assert second.root_access_key == first.root_access_key
    assert second.root_secret_key == first.root_secret_key
    assert "the administrator's or a user's" in banner(second)


def test_keys_that_are_given_take_the_place_of_those_that_were_made(tmp_path: Path) -> None:
    settled(tmp_path / "data", *OPTIONS)
    environ = {"AISLE_ROOT_ACCESS_KEY": "admin", "AISLE_ROOT_SECRET_KEY": "0123456789"}
    given = settled(tmp_path / "data", *OPTIONS, **environ)
    assert (given.root_access_key, given.root_made, given.root_kept) == ("admin", False, False)
    assert "AISLE_ROOT_ACCESS_KEY" in banner(given)


@pytest.mark.parametrize("arguments", [[], ["--auth", "off"], ["--auth", "auto"]])
def test_no_keys_are_made_where_none_are_asked_for(tmp_path: Path, arguments: list[str]) -> None:
    given = settled(tmp_path / "data", *arguments)
    assert (given.root_access_key, given.auth_enabled) == ("", False)
    assert not (tmp_path / "data" / "index.db").exists()


def test_an_index_that_cannot_be_opened_ends_the_start(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "index.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(ConfigError):
        settled(tmp_path / "data", *OPTIONS)


def buckets(node: Node, access_key: str, secret_key: str) -> Any:
    client = node.client(access_key=access_key, secret_key=secret_key)
    return client.list_buckets()["Buckets"]


def status(node: Node, access_key: str, secret_key: str) -> int:
    return node.send("GET", "/", access_key=access_key, secret_key=secret_key).status


def test_a_node_makes_its_keys_prints_them_once_and_serves_by_them(tmp_path: Path) -> None:
    node = Node(tmp_path / "data", auth=False, workers=2, options=OPTIONS)
    try:
        node.start()
        access_key, secret_key = shown(node.log.read_text())
        assert buckets(node, access_key, secret_key) == []
        assert status(node, access_key, "x" * 40) == 403
        assert node.send("GET", "/", signed=False).status == 403
        node.restart()
        assert buckets(node, access_key, secret_key) == []
        # Both starts together have shown them once, and no log has the secret.
        assert shown(node.log.read_text()) == (access_key, secret_key)
        for file in (tmp_path / "data" / "log").rglob("*"):
            assert not file.is_file() or secret_key.encode() not in file.read_bytes()
        assert node.stop() == 0
    finally:
        node.kill()


def test_a_node_reads_the_keys_of_its_administrator_from_files(tmp_path: Path) -> None:
    for name, text in (("access", ACCESS_KEY), ("secret", SECRET_KEY)):
        (tmp_path / name).write_text(text + "\n")
    environment = {
        "AISLE_ROOT_ACCESS_KEY_FILE": str(tmp_path / "access"),
        "AISLE_ROOT_SECRET_KEY_FILE": str(tmp_path / "secret"),
    }
    node = Node(tmp_path / "data", auth=False, workers=1, environment=environment)
    try:
        node.start()
        assert buckets(node, ACCESS_KEY, SECRET_KEY) == []
        assert node.send("GET", "/", signed=False).status == 403
        assert SECRET_KEY not in node.log.read_text()
    finally:
        node.kill()


def test_authentication_can_be_off_although_keys_are_given(tmp_path: Path) -> None:
    node = Node(tmp_path / "data", workers=1, options=["--auth", "off"])
    try:
        node.start()
        assert node.send("GET", "/", signed=False).status == 200
        assert status(node, "anybody", "anything") == 200
    finally:
        node.kill()
