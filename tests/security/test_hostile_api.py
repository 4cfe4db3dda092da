"""The native API under requests that its description forbids, from strangers and from a tenant.

schemathesis makes them: parameters of wrong kinds, missing and added fields, odd headers. Nothing
of that may be a server's error, open anything to a stranger, or give a tenant what is another's.
"""

from __future__ import annotations

import json
from typing import Any, Final

import hypothesis
import pytest
import schemathesis
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.core.result import Ok

from aisle.api.native.openapi import describe, url_of
from aisle.api.native.operations import OPEN, ROUTES
from tests.harness import Node
from tests.native.support import act, generated
from tests.people import Person, new_user

EXAMPLES: Final = 5
SETTINGS: Final = generated(EXAMPLES)
SCHEMA: Final = schemathesis.openapi.from_dict(describe(ROUTES))
OPERATIONS: Final = [found.ok() for found in SCHEMA.get_all_operations() if isinstance(found, Ok)]
OPEN_LABELS: Final = {f"{method} {url_of(path)}" for method, path in OPEN}


@pytest.fixture(scope="module")
def token(root: Person) -> str:
    """A tenant's."""
    tenant = new_user(root.node, "hostile-tenant", password="a password for trying")
    reply = tenant.node.send(
        "POST",
        "/v1/users/hostile-tenant",
        body=b'{"password": "a password for trying"}',
        signed=False,
    )
    assert reply.status == 200, reply.body
    found: str = json.loads(reply.body)["token"]
    return found


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda found: found.label)
def test_hostile_requests_are_refused_in_order(operation: Any, node: Node, token: str) -> None:

    def feed(case: Any) -> None:
        alone = case.call(base_url=node.root, timeout=20)
        assert alone.status_code < 500 or alone.status_code == 501, alone.text
        if operation.label not in OPEN_LABELS:
            assert alone.status_code >= 400, (operation.label, alone.status_code, alone.text[:200])
        bearing = {**(case.headers or {}), "Authorization": f"Bearer {token}"}
        reply = case.call(base_url=node.root, headers=bearing, timeout=20)
        assert reply.status_code < 500 or reply.status_code in (501, 503), reply.text

    def generated(mode: GenerationMode) -> None:
        SETTINGS(hypothesis.given(case=operation.as_strategy(generation_mode=mode))(feed))()

    try:
        generated(GenerationMode.NEGATIVE)
    except Unsatisfiable:  # it takes nothing but names, and any name may be asked for
        generated(GenerationMode.POSITIVE)
    # The node is as it was, and still obeys its administrator alone.
    assert node.send("GET", "/v1/health", signed=False).status == 200
    assert act(node, "GET", "/v1/cluster?what=smap").status == 200
