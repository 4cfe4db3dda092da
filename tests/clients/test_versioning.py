"""Versions as s3cmd, rclone and the aws CLI know them."""

from __future__ import annotations

import re

from tests.clients.test_aws_cli import api
from tests.clients.test_s3cmd import S3cmd
from tests.clients.tools import Shell
from tests.harness import Node


def test_rclone_switches_lists_and_restores_versions(
    rclone: Shell, any_node: Node, name: str
) -> None:
    def run(*command: str) -> str:
        return rclone.run("rclone", *command).stdout

    run("mkdir", f"ais:{name}")
    assert run("backend", "versioning", f"ais:{name}", "Enabled").strip() == '"Enabled"'
    for text in (b"one", b"second"):
        rclone.file("a.txt", text)
        run("copyto", "a.txt", f"ais:{name}/a.txt", "--ignore-times")
    listed = run("lsf", "--s3-versions", f"ais:{name}").split()
    assert len(listed) == 2
    (old,) = [each for each in listed if each != "a.txt"]
    assert re.fullmatch(r"a-v\d{4}-\d\d-\d\d-\d{6}-\d{3}\.txt", old)
    run("copyto", "--s3-versions", f"ais:{name}/{old}", "old.txt")
    assert (rclone.home / "old.txt").read_bytes() in (b"one", b"second")
    run("deletefile", f"ais:{name}/a.txt")
    assert run("lsf", f"ais:{name}") == ""
    assert len(run("lsf", "--s3-versions", f"ais:{name}").split()) == 2
    run("backend", "cleanup-hidden", f"ais:{name}")
    assert run("lsf", "--s3-versions", f"ais:{name}") == ""
    assert run("backend", "versioning", f"ais:{name}", "Suspended").strip() == '"Suspended"'
    run("purge", f"ais:{name}")


def test_s3cmd_switches_versioning(shell: Shell, any_node: Node, name: str) -> None:
    host = any_node.host
    s3cmd = S3cmd(shell, any_node, "--no-ssl", "--host", host, "--host-bucket", host)
    s3cmd("mb", f"s3://{name}")
    assert "Versioning status updated" in s3cmd("setversioning", f"s3://{name}", "enable")
    client = any_node.client()
    assert client.get_bucket_versioning(Bucket=name)["Status"] == "Enabled"
    assert re.search(r"Versioning: *Enabled", s3cmd("info", f"s3://{name}"))
    s3cmd("setversioning", f"s3://{name}", "disable")
    assert client.get_bucket_versioning(Bucket=name)["Status"] == "Suspended"
    s3cmd("rb", f"s3://{name}")


def test_aws_walks_versions_by_pages(aws: Shell, any_node: Node, name: str) -> None:
    api(aws, any_node, "create-bucket", "--bucket", name)
    status = ("--versioning-configuration", "Status=Enabled")
    api(aws, any_node, "put-bucket-versioning", "--bucket", name, *status)
    found: list[str] = []
    for number in range(3):
        aws.file("f", b"%d" % number)
        put = ("put-object", "--bucket", name, "--key", "k", "--body", "f")
        found.insert(0, api(aws, any_node, *put)["VersionId"])
    listed = api(aws, any_node, "list-object-versions", "--bucket", name, "--page-size", "1")
    assert [each["VersionId"] for each in listed["Versions"]] == found
    got = ("get-object", "--bucket", name, "--key", "k", "--version-id", found[-1], "out")
    assert api(aws, any_node, *got)["VersionId"] == found[-1]
    assert (aws.home / "out").read_bytes() == b"0"
    for version in found:
        named = ("--bucket", name, "--key", "k", "--version-id", version)
        assert api(aws, any_node, "delete-object", *named)["VersionId"] == version
    api(aws, any_node, "delete-bucket", "--bucket", name)
