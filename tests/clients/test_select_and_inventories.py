"""Queries and inventories by the aws CLI: the documents' commands run as they are written."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.cli.consoles import DOCS, aws_of, replay
from tests.clients.tools import Shell
from tests.harness import Node


def test_the_page_on_select_runs_as_it_is_written(tmp_path: Path) -> None:
    with Node(tmp_path / "data", workers=1) as node:
        assert replay(DOCS / "select.md", node, tmp_path, **aws_of(node)) == 5
        assert (tmp_path / "found.csv").read_bytes() == b"ann,Rome\n"


def test_the_page_on_inventories_runs_as_it_is_written(tmp_path: Path) -> None:
    page = (DOCS / "own-inventories.md").read_text()
    (example,) = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    (tmp_path / "inventory.json").write_text(example)
    with Node(tmp_path / "data", workers=1) as node:
        assert replay(DOCS / "own-inventories.md", node, tmp_path, **aws_of(node)) == 5


def test_the_aws_cli_selects_from_json(aws: Shell, any_node: Node, name: str) -> None:
    aws.file("lines.json", b'{"n":1,"w":"a"}\n{"n":2,"w":"b"}\n')
    endpoint = ("--endpoint-url", any_node.endpoint)
    aws.run("aws", *endpoint, "s3", "mb", f"s3://{name}")
    aws.run("aws", *endpoint, "s3", "cp", "lines.json", f"s3://{name}/lines.json")
    command = ("aws", *endpoint, "s3api", "select-object-content", "--bucket", name)
    about = ("--key", "lines.json", "--expression-type", "SQL")
    shapes = (
        "--input-serialization",
        json.dumps({"JSON": {"Type": "LINES"}}),
        "--output-serialization",
        json.dumps({"JSON": {}}),
    )
    query = "SELECT s.w FROM S3Object s WHERE s.n > 1"
    aws.run(*command, *about, "--expression", query, *shapes, "found.json")
    assert (aws.home / "found.json").read_bytes() == b'{"w":"b"}\n'
    failed = aws.run(*command, *about, "--expression", "SELEKT", *shapes, "none", check=False)
    assert "UnsupportedSqlOperation" in failed.stderr
