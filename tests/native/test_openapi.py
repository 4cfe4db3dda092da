"""The OpenAPI description: it has every operation, and the server keeps to it.

The latter is schemathesis's to show: it makes requests from the description, sensible ones and
others, and holds every reply to the status codes, content types and schemas that are told. The
order that would end the node is left out.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from typing import Any, Final

import hypothesis
import pytest
import schemathesis
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from aisle.api.native.described import BODIES, PARAMETERS, REPLIES, STATUSES, SUMMARIES, VALUES
from aisle.api.native.openapi import describe, summary, url_of
from aisle.api.native.operations import ROUTES
from aisle.api.native.route import Route
from tests.harness import Node
from tests.native.support import act, generated, put

EXAMPLES: Final = 20
ENDING: Final = "shutdown"
CHECKS: Final = [status_code_conformance, content_type_conformance, response_schema_conformance]
DOCUMENT: Final = describe(ROUTES)


# Names that are there, and some that are not, so that requests get beyond the first refusal.
NAMES: Final = {
    "bucket": ["abc", "missing"],
    "object": ["k", "dir/x", "missing"],
    "Ais-Node-Id": ["n1", "tn1", "missing"],
    "namespace": ["", "@#", "#ns"],
    "provider": ["", "ais", "oci"],
    "name": ["ann", "Admin", "missing"],
    "access_key": ["ANNSKEY", "missing"],
    "policy": ["p", "missing"],
}


def steered(document: dict[str, Any]) -> dict[str, Any]:
    """A copy that knows the node's names, and not how to end it."""
    safe = copy.deepcopy(document)
    for place in safe["paths"].values():
        for operation in place.values():
            for parameter in operation["parameters"]:
                if parameter["name"] in NAMES:
                    parameter["schema"] = {"enum": NAMES[parameter["name"]]}
    body = safe["paths"]["/v1/cluster"]["put"]["requestBody"]["content"]["application/json"]
    kept = [one for one in body["schema"]["oneOf"] if one["title"] != ENDING]
    assert len(kept) == len(body["schema"]["oneOf"]) - 1
    body["schema"]["oneOf"] = kept
    return safe


SCHEMA: Final = schemathesis.openapi.from_dict(steered(DOCUMENT))
OPERATIONS: Final = [found.ok() for found in SCHEMA.get_all_operations() if isinstance(found, Ok)]


@pytest.fixture(scope="module")
def open_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    data = tmp_path_factory.mktemp("openapi") / "data"
    running = Node(data, auth=False, options=("--node-id", "n1")).start()
    yield running
    assert running.stop() == 0, running.log_tail()


def test_the_description_is_served_as_it_is_made(open_node: Node) -> None:
    reply = open_node.send("GET", "/v1/openapi.json", signed=False)
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    assert json.loads(reply.body) == json.loads(json.dumps(DOCUMENT))


@pytest.mark.parametrize("row", ROUTES, ids=lambda row: f"{row.method}-{row.path}-{row.name}")
def test_every_operation_is_described_in_a_sentence(row: Route) -> None:
    described = DOCUMENT["paths"][url_of(row.path)][row.method.lower()]
    assert row.name in described["summary"].split(", ")
    assert re.fullmatch(r"[A-Z0-9`].{10,}\.", summary(row)), summary(row)
    assert summary(row) in described["description"]


def test_the_tables_name_operations_that_there_are() -> None:
    names = {row.name for row in ROUTES}
    for table in (BODIES, PARAMETERS, REPLIES, STATUSES, SUMMARIES, VALUES):
        assert set(table) <= names


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda found: found.label)
def test_the_server_keeps_to_its_description(operation: Any, open_node: Node) -> None:
    act(open_node, "POST", "/v1/buckets/abc", "create-bck", signed=False)
    for key in ("k", "dir/x"):
        put(open_node, "abc", key, b"some bytes", signed=False)
    for target, value in (
        ("/v1/users", {"id": "ann", "pass": "a password"}),
        ("/v1/users/ann/keys", {"access_key": "ANNSKEY", "secret_key": "a-secret-key"}),
    ):
        open_node.send("POST", target, body=json.dumps(value).encode(), signed=False)

    @generated(EXAMPLES)
    @hypothesis.given(case=operation.as_strategy())
    def holds(case: Any) -> None:
        reply = case.call(base_url=open_node.root, timeout=20)
        assert reply.status_code < 500 or reply.status_code == 501, reply.text
        case.validate_response(reply, checks=CHECKS)

    holds()
