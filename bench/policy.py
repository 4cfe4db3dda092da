"""What authentication and authorisation cost: a GET that a policy of 20 statements has to allow.

The same presigned GETs of 4 KiB go to two nodes in turn. One checks the signature and asks the
bucket's policy whether a user, who has no rights but those, may read; the other runs with
authentication off. `decide` is also timed by itself, on the same policy.
"""

from __future__ import annotations

import json
import time
from collections.abc import Generator
from dataclasses import replace
from typing import Any, ClassVar

import boto3
from botocore.config import Config

from aisle.auth.access import Action, BucketAccess, Decision, decide
from aisle.auth.policy.document import parse_bucket_policy
from aisle.auth.principal import Principal
from aisle.core.permissions import GET
from bench import load
from bench.measures import Plan, Sample, name_of, replay
from bench.servers import Aisle, Server, ServerFailed
from bench.signing import Credentials

DECIDE = "decide, 20 statements"
ALLOWED, OPEN = "GET 4 KiB, 20 statements", "GET 4 KiB, auth off"
_BUCKET = "bench"
_ARN = f"arn:aws:s3:::{_BUCKET}"
_USER = "reader"
_ACCOUNT = "000000000000"
_ROUNDS = 8
_CONNECTIONS = 32
_DECISIONS = 20_000


class Unguarded(Aisle):
    """A node with authentication off."""

    def environment(self) -> dict[str, str]:
        return {}


def statements(user: str) -> list[dict[str, Any]]:
    """Twenty: eight keep parts of the bucket to a network, four keep robots and plain HTTP from a
    part, and of the eight that allow somebody to read the last is `user`'s."""
    networks = ["10.0.0.0/8", "192.168.0.0/16"]
    private = [
        _deny(f"{_ARN}/private{number}/*", {"NotIpAddress": {"aws:SourceIp": networks}})
        for number in range(8)
    ]
    robots = [
        _deny(
            f"{_ARN}/*",
            {
                "StringLike": {"aws:UserAgent": [f"*robot-{number}*", f"*spider-{number}*"]},
                "Bool": {"aws:SecureTransport": "false"},
            },
        )
        for number in range(4)
    ]
    readers = [
        {
            "Effect": "Allow",
            "Principal": {"AWS": user},
            "Action": ["s3:GetObject", "s3:GetObjectVersion"],
            "Resource": f"{_ARN}/d{number}*" if number < 7 else f"{_ARN}/*",
            "Condition": {"IpAddress": {"aws:SourceIp": ["127.0.0.0/8", "::1/128"]}},
        }
        for number in range(8)
    ]
    return [*private, *robots, *readers]


def _deny(resource: str, condition: dict[str, Any]) -> dict[str, Any]:
    return {
        "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": resource,
        "Condition": condition,
    }  # fmt: skip


def policy(server: Server, plan: Plan) -> Generator[Sample]:
    """GETs that a policy allows beside GETs that nobody checks, on nodes of their own."""
    if not isinstance(server, Aisle):
        return
    yield _decisions(server.name)
    open_node = Unguarded(server.directory.with_name(f"{server.directory.name}-open"))
    short = replace(plan, seconds=max(1.0, plan.seconds / _ROUNDS))
    with server, open_node:
        keys = [name_of(number) for number in range(plan.small_keys)]
        for node in (server, open_node):
            load.make_bucket(node, _BUCKET)
            load.fill(node, _BUCKET, keys, 4_096)
        _admit(server)
        rounds: dict[str, list[Sample]] = {ALLOWED: [], OPEN: []}
        for _ in range(_ROUNDS):
            for operation, node in ((ALLOWED, server), (OPEN, open_node)):
                signer = node.signer()
                targets = load.shuffled(signer.target("GET", _BUCKET, key) for key in keys)
                sample, _ = replay(node, short, operation, "op", "GET", targets, _CONNECTIONS)
                rounds[operation].append(sample)
        for same in rounds.values():
            best = min(same, key=lambda sample: sample.cpu)
            best.errors = sum(sample.errors for sample in same)
            yield best


def _admit(server: Aisle) -> None:
    """Make a user whom nothing but the bucket's policy lets in; the node's requests are theirs
    from here on."""
    root = server.credentials
    address: dict[str, Any] = {
        "endpoint_url": f"http://{server.host}", "region_name": root.region,
        "aws_access_key_id": root.access_key, "aws_secret_access_key": root.secret_key,
        "config": Config(s3={"addressing_style": "path"}),
    }  # fmt: skip
    iam, s3 = boto3.client("iam", **address), boto3.client("s3", **address)
    arn = iam.create_user(UserName=_USER)["User"]["Arn"]
    made = iam.create_access_key(UserName=_USER)["AccessKey"]
    document = {"Version": "2012-10-17", "Statement": statements(arn)}
    s3.put_bucket_policy(Bucket=_BUCKET, Policy=json.dumps(document))
    server.credentials = Credentials(made["AccessKeyId"], made["SecretAccessKey"], root.region)


class _Local:
    """A request from this machine, over plain HTTP."""

    _keys: ClassVar = {
        "aws:sourceip": ("127.0.0.1",),
        "aws:securetransport": ("false",),
        "aws:useragent": ("aws-cli/2.31 md/awscrt#0.38 ua/2.1 os/linux#6.8 lang/python#3.13",),
    }

    def get(self, key: str) -> tuple[str, ...] | None:
        return self._keys.get(key)


def _decisions(server: str) -> Sample:
    """`decide` alone, over and over."""
    arn = f"arn:aws:iam::{_ACCOUNT}:user/{_USER}"
    document = {"Version": "2012-10-17", "Statement": statements(arn)}
    parsed = parse_bucket_policy(json.dumps(document), _BUCKET)
    access = BucketAccess((_BUCKET, "ais", ""), "f" * 64, policy=parsed)
    user = Principal(_USER, _ACCOUNT, "f" * 64, "", arn, frozenset({arn, _ACCOUNT}))
    action, conditions = Action("s3:GetObject", GET), _Local()
    resources = [f"{_ARN}/{name_of(number)}" for number in range(_DECISIONS)]
    began, used = time.perf_counter(), time.process_time()
    for resource in resources:
        if decide(user, action, access, conditions, resource=resource) is not Decision.ALLOW:
            raise ServerFailed("the policy does not allow what it should")
    cpu, elapsed = time.process_time() - used, time.perf_counter() - began
    return Sample(
        DECIDE, server, "op", rate=_DECISIONS / elapsed, cpu=cpu / _DECISIONS,
        operations=_DECISIONS, note="in one process, without a node",
    )  # fmt: skip
