"""Lifecycle rules by s3cmd and the aws CLI: what their commands send is taken, and
what they get is what they understand."""

from __future__ import annotations

import json

from tests.clients.test_s3cmd import S3cmd
from tests.clients.tools import Shell
from tests.harness import Node

POLICY = b"""<?xml version="1.0" encoding="UTF-8"?>
<LifecycleConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
  <Rule>
    <ID>scratch</ID>
    <Prefix>tmp/</Prefix>
    <Status>Enabled</Status>
    <Expiration><Days>3</Days></Expiration>
  </Rule>
  <Rule>
    <ID>uploads</ID>
    <Prefix></Prefix>
    <Status>Enabled</Status>
    <AbortIncompleteMultipartUpload>
      <DaysAfterInitiation>7</DaysAfterInitiation>
    </AbortIncompleteMultipartUpload>
  </Rule>
</LifecycleConfiguration>
"""


def s3cmd_of(shell: Shell, node: Node) -> S3cmd:
    config = f"host_base = {node.host}/s3\nhost_bucket = {node.host}/s3\nuse_https = False\n"
    return S3cmd(shell, node, config=config)


def test_s3cmd_sets_gets_and_deletes_rules(shell: Shell, any_node: Node, name: str) -> None:
    s3cmd = s3cmd_of(shell, any_node)
    shell.file("lifecycle.xml", POLICY)
    s3cmd("mb", f"s3://{name}")
    assert "Lifecycle Policy updated" in s3cmd("setlifecycle", "lifecycle.xml", f"s3://{name}")
    shown = s3cmd("getlifecycle", f"s3://{name}")
    for part in ("<ID>scratch</ID>", "<Days>3</Days>", "<DaysAfterInitiation>7<"):
        assert part in shown
    shell.file("object", b"x")
    s3cmd("put", "object", f"s3://{name}/tmp/object")
    head = any_node.client().head_object(Bucket=name, Key="tmp/object")
    assert 'rule-id="scratch"' in head["Expiration"]
    assert "Lifecycle Policy deleted" in s3cmd("dellifecycle", f"s3://{name}")
    assert "NoSuchLifecycleConfiguration" in s3cmd("getlifecycle", f"s3://{name}", check=False)


def test_s3cmd_refuses_what_makes_no_sense(shell: Shell, any_node: Node, name: str) -> None:
    s3cmd = s3cmd_of(shell, any_node)
    shell.file("bad.xml", POLICY.replace(b"<Days>3", b"<Days>0"))
    s3cmd("mb", f"s3://{name}")
    told = s3cmd("setlifecycle", "bad.xml", f"s3://{name}", check=False)
    assert "'Days' for Expiration action must be a positive integer" in told


def test_s3cmd_sets_an_expiry(shell: Shell, any_node: Node, name: str) -> None:
    s3cmd = s3cmd_of(shell, any_node)
    s3cmd("mb", f"s3://{name}")
    where = f"s3://{name}"
    s3cmd("expire", where, "--expiry-days=30", "--expiry-prefix=logs/")
    shown = s3cmd("info", where)
    assert "Expiration Rule: objects with key prefix 'logs/' will expire in '30' day(s)" in shown
    s3cmd("expire", where, "--expiry-date=2040-02-29")
    assert "will expire in '2040-02-29" in s3cmd("info", where)
    s3cmd("expire", where)
    assert "Expiration rule: none" in s3cmd("info", where)


def test_the_aws_cli_sets_gets_and_deletes_rules(aws: Shell, any_node: Node, name: str) -> None:
    def api(command: str, *options: str) -> str:
        endpoint = ("--endpoint-url", any_node.endpoint, "--bucket", name)
        return aws.run("aws", "s3api", command, *endpoint, *options).stdout

    rule = {
        "ID": "history",
        "Status": "Enabled",
        "Filter": {"And": {"Prefix": "a/", "ObjectSizeGreaterThan": 100}},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 30, "NewerNoncurrentVersions": 3},
    }
    aws.run("aws", "--endpoint-url", any_node.endpoint, "s3", "mb", f"s3://{name}")
    aws.file("rules.json", json.dumps({"Rules": [rule]}).encode())
    put = "put-bucket-lifecycle-configuration"
    api(put, "--lifecycle-configuration", "file://rules.json")
    shown = json.loads(api("get-bucket-lifecycle-configuration"))
    assert shown["Rules"] == [rule]
    assert shown["TransitionDefaultMinimumObjectSize"] == "all_storage_classes_128K"
    api("delete-bucket-lifecycle")
    done = aws.run(
        "aws", "s3api", "get-bucket-lifecycle-configuration", "--endpoint-url", any_node.endpoint,
        "--bucket", name, check=False,
    )  # fmt: skip
    assert "NoSuchLifecycleConfiguration" in done.stderr
