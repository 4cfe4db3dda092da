"""Small settings of buckets, access logging, renames and appends: the documents' commands run as
they are written, and s3cmd's commands for them work."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.consoles import DOCS, aws_of, replay
from tests.clients.test_s3cmd import S3cmd
from tests.clients.tools import Shell
from tests.harness import Node


@pytest.mark.parametrize(
    ("page", "commands"),
    [("bucket-settings.md", 13), ("access-logging.md", 7), ("renames-and-appends.md", 9)],
)
def test_the_page_runs_as_it_is_written(tmp_path: Path, page: str, commands: int) -> None:
    node = Node(tmp_path / "data", workers=1).start()
    (tmp_path / "README.md").write_text("read me\n")
    assert replay(DOCS / page, node, tmp_path, **aws_of(node)) == commands
    assert node.stop() == 0


def s3cmd_of(shell: Shell, node: Node) -> S3cmd:
    config = f"host_base = {node.host}/s3\nhost_bucket = {node.host}/s3\nuse_https = False\n"
    return S3cmd(shell, node, config=config)


def test_s3cmd_logs_accesses(shell: Shell, any_node: Node, name: str) -> None:
    s3cmd = s3cmd_of(shell, any_node)
    where = f"s3://{name}"
    s3cmd("mb", where)
    assert "Logging Enabled: False" in s3cmd("accesslog", where)
    told = s3cmd("accesslog", f"--access-logging-target-prefix={where}/log/", where)
    assert "Logging Enabled: True" in told
    assert f"Target prefix: {where}/log/" in told
    assert "Logging Enabled: False" in s3cmd("accesslog", "--no-access-logging", where)


def test_s3cmd_sets_and_tells_the_payer(shell: Shell, any_node: Node, name: str) -> None:
    s3cmd = s3cmd_of(shell, any_node)
    where = f"s3://{name}"
    s3cmd("mb", where)
    assert "Payer:     BucketOwner" in s3cmd("info", where)
    s3cmd("payer", where, "--requester-pays")
    assert "Payer:     Requester" in s3cmd("info", where)


def test_s3cmd_restores_what_is_archived(shell: Shell, any_node: Node, name: str) -> None:
    s3cmd = s3cmd_of(shell, any_node)
    shell.file("old", b"cold")
    s3cmd("mb", f"s3://{name}")
    s3cmd("put", "old", f"s3://{name}/old", "--storage-class=GLACIER")
    s3cmd("restore", "--restore-days=3", f"s3://{name}/old")
    head = any_node.client().head_object(Bucket=name, Key="old")
    assert head["Restore"].startswith('ongoing-request="false"')
