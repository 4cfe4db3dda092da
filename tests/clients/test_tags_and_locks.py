"""Tags and locks as s3cmd and the aws CLI drive them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.test_s3cmd import S3cmd
from tests.clients.tools import Shell, aws_environment
from tests.harness import Node


@pytest.fixture
def vault(any_node: Node) -> Iterator[str]:
    """A bucket with Object Lock, which is emptied past governance in the end."""
    name, s3 = f"vault-{uuid.uuid4().hex[:12]}", any_node.client()
    s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    yield name
    listed = s3.list_object_versions(Bucket=name)
    for version in listed.get("Versions", []) + listed.get("DeleteMarkers", []):
        named = {"Bucket": name, "Key": version["Key"], "VersionId": version["VersionId"]}
        s3.delete_object(**named, BypassGovernanceRetention=True)
    s3.delete_bucket(Bucket=name)


@pytest.fixture
def s3cmd(shell: Shell, any_node: Node) -> S3cmd:
    return S3cmd(
        shell,
        any_node,
        config=f"host_base = {any_node.host}/s3\nhost_bucket = {any_node.host}/s3\n"
        "use_https = False\nsignature_v2 = False\n",
    )


def test_s3cmd_tags_objects_and_buckets(s3cmd: S3cmd, shell: Shell, name: str) -> None:
    shell.file("file", b"x")
    s3cmd("mb", f"s3://{name}")
    s3cmd("put", "file", f"s3://{name}/k")
    for target in (f"s3://{name}", f"s3://{name}/k"):
        s3cmd("settagging", target, "team=blue&state=in work")
        told = s3cmd("gettagging", target)
        assert "blue" in told
        assert "in work" in told
        s3cmd("deltagging", target)
        assert "blue" not in s3cmd("gettagging", target, check=False)


def test_s3cmd_locks_objects(s3cmd: S3cmd, shell: Shell, any_node: Node, vault: str) -> None:
    shell.file("file", b"x")
    s3cmd("put", "file", f"s3://{vault}/k")
    s3 = any_node.client()
    # This command of s3cmd's ends with status 1 whatever happens.
    command = ("setobjectretention", "GOVERNANCE", "2090-01-01T00:00:00Z", f"s3://{vault}/k")
    assert "ERROR" not in s3cmd(*command, check=False)
    s3cmd("setobjectlegalhold", "ON", f"s3://{vault}/k")
    told = s3.head_object(Bucket=vault, Key="k")
    assert (told["ObjectLockMode"], told["ObjectLockLegalHoldStatus"]) == ("GOVERNANCE", "ON")
    assert told["ObjectLockRetainUntilDate"].year == 2090
    s3cmd("setobjectlegalhold", "OFF", f"s3://{vault}/k")
    assert s3.head_object(Bucket=vault, Key="k")["ObjectLockLegalHoldStatus"] == "OFF"
    s3cmd("del", f"s3://{vault}/k")
    versions = s3.list_object_versions(Bucket=vault)
    assert len(versions["Versions"]) == len(versions["DeleteMarkers"]) == 1


def test_aws_copies_objects_with_tags_and_under_a_default(
    tmp_path: Path, any_node: Node, vault: str
) -> None:
    """The CLI sends digests by itself. It does not take tags along where it copies in parts."""
    shell = Shell(tmp_path, aws_environment(any_node))
    base = ("aws", "--endpoint-url", any_node.endpoint)
    rule = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}
    shell.run(
        *base, "s3api", "put-object-lock-configuration", "--bucket", vault,
        "--object-lock-configuration", json.dumps({"ObjectLockEnabled": "Enabled", "Rule": rule}),
    )  # fmt: skip
    tags = json.dumps({"TagSet": [{"Key": "a", "Value": "ü b"}]})
    s3 = any_node.client()
    for key, size, copied in (("large", 9 << 20, 0), ("small", 1000, 1)):
        shell.file(key, bytes(size))
        shell.run(*base, "s3", "cp", key, f"s3://{vault}/{key}")
        named = ("--bucket", vault, "--key", key)
        shell.run(*base, "s3api", "put-object-tagging", *named, "--tagging", tags)
        shell.run(*base, "s3", "cp", f"s3://{vault}/{key}", f"s3://{vault}/copy-of-{key}")
        for name, count in ((key, 1), (f"copy-of-{key}", copied)):
            told = s3.head_object(Bucket=vault, Key=name)
            assert (told["ObjectLockMode"], told.get("TagCount", 0)) == ("GOVERNANCE", count)
    shell.run(*base, "s3", "rm", "--recursive", f"s3://{vault}")
    assert len(s3.list_object_versions(Bucket=vault)["Versions"]) == 4
    done = shell.run(*base, "s3", "rb", f"s3://{vault}", check=False)
    assert "BucketNotEmpty" in done.stderr
