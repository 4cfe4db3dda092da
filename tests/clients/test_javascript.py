"""The AWS SDK for JavaScript, unpatched: a second opinion on what boto3 has been asked."""

from __future__ import annotations

import json
import os
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients.tools import Shell, aws_environment
from tests.conftest import empty_and_remove
from tests.harness import REGION, Node

ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).with_name("javascript.cjs")


@pytest.fixture(scope="session")
def modules() -> Path:
    """Where `scripts/sdks` has put the SDK."""
    text = (ROOT / "scripts" / "sdks").read_text()
    found = re.search(r"^CLIENT_S3=(\S+)$", text, re.MULTILINE)
    assert found is not None
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    place = cache / "aisle" / f"aws-sdk-js-{found[1]}" / "node_modules"
    assert place.is_dir(), "the SDK is not there: scripts/sdks installs it"
    return place


PARTS = (
    "buckets", "objects", "multipart", "versioning", "tagging", "locks", "encryption", "select",
    "presign", "configurations",
)  # fmt: skip


@pytest.fixture(scope="module", params=["auth on", "auth off"])
def found(
    request: pytest.FixtureRequest, modules: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Any]]:
    """What each part of `javascript.cjs` has found on a node: it takes seconds to load the SDK."""
    auth = request.param == "auth on"
    node: Node = request.getfixturevalue("node" if auth else "open_node")
    client = node.client()
    names = {part: f"js-{part}-{uuid.uuid4().hex[:12]}" for part in PARTS}
    for part, name in names.items():
        if part != "buckets":
            client.create_bucket(Bucket=name)
    environment = aws_environment(node) | {"AWS_REGION": REGION, "NODE_PATH": str(modules)}
    shell = Shell(tmp_path_factory.mktemp("javascript"), environment)
    asked = [f"{part}={name}" for part, name in names.items()]
    done = shell.run("node", SCRIPT, node.endpoint, *asked)
    yield {**json.loads(done.stdout), "auth": auth}
    for name in names.values():
        empty_and_remove(client, name)


def test_buckets_come_and_go(found: dict[str, Any]) -> None:
    assert found["buckets"] == {
        "location": "",
        "gone": {"name": "NoSuchBucket", "status": 404},
    }


def test_objects_are_written_read_listed_and_deleted(found: dict[str, Any]) -> None:
    assert found["objects"] == {
        "names": ["a b/\u00fc+%.txt", "copy", *(f"many/{number}" for number in range(5))],
        "prefixes": ["a b/", "many/"],
        "deleted": 7,
        "same": {"name": "Unknown", "status": 304},
        "exclusive": {"name": "PreconditionFailed", "status": 412},
        "missing": {"name": "NoSuchKey", "status": 404},
        "left": 0,
    }


def test_uploads_in_parts_are_completed_and_aborted(found: dict[str, Any]) -> None:
    uploaded = found["multipart"]
    assert re.fullmatch(r'"[0-9a-f]{32}-2"', uploaded.pop("etag"))
    assert uploaded == {"size": 6_000_000, "parts": 1, "left": 0}


def test_versions_are_kept_and_removed(found: dict[str, Any]) -> None:
    assert found["versioning"] == {
        "Status": "Enabled",
        "gone": {"name": "NoSuchKey", "status": 404},
        "bodies": ["1", "2", "2"],
        "versions": [False, False],
        "markers": [True],
    }


def test_buckets_and_objects_are_tagged(found: dict[str, Any]) -> None:
    assert found["tagging"] == {
        "none": {"name": "NoSuchTagSet", "status": 404},
        "left": [{"Key": "b c", "Value": "\u00fc"}],
        "deleted": [],
    }


def test_versions_are_locked(found: dict[str, Any]) -> None:
    refused = {"name": "AccessDenied", "status": 403}
    assert found["locks"] == {
        "mode": "GOVERNANCE", "hold": "ON", "held": refused, "kept": refused, "left": 0,
    }  # fmt: skip


def test_parts_are_encrypted_with_its_own_key(found: dict[str, Any]) -> None:
    assert found["encryption"] == {
        "bare": {"name": "InvalidRequest", "status": 400},
        "told": "AES256",
    }


def test_the_event_stream_of_a_query_is_read(found: dict[str, Any]) -> None:
    assert found["select"] == {"records": '{"name":"ann"}\n', "scanned": 23, "ended": True}


def test_links_and_forms_that_it_signs_are_good(found: dict[str, Any]) -> None:
    assert found["presign"] == {
        "written": 200,
        "read": 200,
        "body": "signed",
        # Without authentication nobody looks at the signature, and there is no such key.
        "tampered": 403 if found["auth"] else 404,
        "posted": 204,
        "up": "posted",
    }


def test_configurations_are_what_it_has_sent(found: dict[str, Any]) -> None:
    assert found["configurations"] == {
        "lifecycle": {"name": "NoSuchLifecycleConfiguration", "status": 404},
        "cors": {"name": "NoSuchCORSConfiguration", "status": 404},
        "website": {"name": "NoSuchWebsiteConfiguration", "status": 404},
    }
