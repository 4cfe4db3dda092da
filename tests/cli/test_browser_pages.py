"""The pages on CORS, websites and forms show what happens."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aisle.api.s3 import postpolicy
from tests.cli.consoles import DOCS, aws_of, replay
from tests.harness import Node
from tests.wire.forms import send, signed_v4


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Node]:
    """A node whose buckets are those of the page alone."""
    node = Node(tmp_path / "data", workers=1).start()
    yield node
    assert node.stop() == 0, node.log_tail()


@pytest.mark.parametrize(("name", "count"), [("cors", 7), ("website", 21)])
def test_the_page_shows_what_happens(own: Node, tmp_path: Path, name: str, count: int) -> None:
    page = tmp_path / "page.md"
    text = (DOCS / f"{name}.md").read_text()
    page.write_text(text.replace("localhost:8080", own.host))
    assert replay(page, own, tmp_path, **aws_of(own)) == count


def test_the_form_of_the_page_is_taken(own: Node) -> None:
    text = (DOCS / "post-forms.md").read_text()
    (script,) = re.findall(r"^```python\nimport boto3\n\n(.*?)^```$", text, re.M | re.S)
    found: dict[str, Any] = {}

    class Boto3:
        """`boto3`, whose clients have the keys of the node."""

        @staticmethod
        def client(service: str, endpoint_url: str) -> Any:
            assert (service, endpoint_url) == ("s3", "http://localhost:8080")
            return own.client(endpoint=own.root)

    exec(script, {"boto3": Boto3}, found)
    assert found["post"]["url"] == f"{own.root}/inbox"
    reply = send(own, "inbox", found["post"]["fields"], b"data", filename="a.txt")
    assert reply.status == 303
    assert reply.headers["location"].startswith("https://app.example.org/done?bucket=inbox&key=")
    got = own.client().get_object(Bucket="inbox", Key="uploads/a.txt")
    assert got["Body"].read() == b"data"


def test_the_policy_of_the_page_allows_what_it_says(own: Node) -> None:
    text = (DOCS / "post-forms.md").read_text()
    (document,) = re.findall(r"^```json\n(.*?)^```$", text, re.M | re.S)
    conditions = json.loads(document)["conditions"]
    own.client().create_bucket(Bucket="inbox")
    fields = {"key": "uploads/a.png", "acl": "private", "Content-Type": "image/png"}
    assert send(own, "inbox", {**fields, **signed_v4(conditions)}, b"png").status == 204
    fields["Content-Type"] = "text/html"
    assert send(own, "inbox", {**fields, **signed_v4(conditions)}, b"png").code == "AccessDenied"
    for name in sorted(postpolicy.EXEMPT):
        assert re.search(f"`{name}`", text, re.IGNORECASE), name
