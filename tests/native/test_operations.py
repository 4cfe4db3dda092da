"""The table of native operations, and what is not in it."""

from pathlib import Path

import pytest

from aisle.api.native.openapi import url_of
from aisle.api.native.operations import ROUTES, parse_target, pick
from aisle.api.native.route import Route
from aisle.core.errors import NotSupported
from aisle.core.http import RequestHead
from tests.harness import Node
from tests.native.support import act, message

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "native-operations.md"


def test_no_two_rows_mean_the_same_request() -> None:
    seen = [(row.method, row.path, value) for row in ROUTES for value in row.values or ("",)]
    assert len(seen) == len(set(seen))


def test_rows_of_one_place_are_told_apart_by_the_same_thing() -> None:
    kinds: dict[tuple[str, str], set[str]] = {}
    for row in ROUTES:
        kinds.setdefault((row.method, row.path), set()).add(row.by)
    assert all(len(by) == 1 for by in kinds.values())


def test_every_operation_is_on_the_page() -> None:
    lines = PAGE.read_text().splitlines()
    for row in ROUTES:
        request = f"| {row.method} `{url_of(row.path)}` |"
        assert any(line.startswith(request) and f"| `{row.name}` |" in line for line in lines)


@pytest.mark.parametrize("row", [row for row in ROUTES if row.refuses], ids=lambda row: row.name)
def test_a_parameter_that_makes_another_operation_is_refused(row: Route) -> None:
    for parameter in row.refuses:
        head = RequestHead(row.method, b"/v1/x", f"{parameter}=1".encode(), {})
        with pytest.raises(NotSupported, match=parameter):
            pick((row._replace(by=""),), head, "")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (b"/v1/health", ("health", "", "")),
        (b"/v1/buckets/", ("buckets", "", "")),
        (b"/v1/buckets/abc", ("buckets/B", "abc", "")),
        (b"/v1/buckets/abc/", ("buckets/B", "abc", "")),
        (b"/v1/buckets/abc/a%20b/c/", ("buckets/B/P", "abc", "a b/c/")),
        (b"/v1/cluster/set-config", ("cluster/set-config", "", "")),
        (b"/v1/objects/abc/a//b/../c%20d/", ("objects/B/K", "abc", "a//b/../c d/")),
        (b"/v1/objects/abc/%2F", ("objects/B/K", "abc", "/")),
        (b"/v1/objects/abc", ("objects/B", "abc", "")),
        (b"/v1/objects/abc/", ("objects/B", "abc", "")),
        (b"/v1/users", ("users", "", "")),
        (b"/v1/users/", ("users", "", "")),
        (b"/v1/users/a%40b/", ("users/N", "", "a@b")),
        (b"/v1/users/a/keys", ("users/N/keys", "", "a")),
        (b"/v1/users/a/keys/", ("users/N/keys", "", "a")),
        (b"/v1/users/a/keys/AK%2BX", ("users/N/keys/A", "", "a/AK+X")),
        (b"/v1/users/a/policies/p", ("users/N/policies/D", "", "a/p")),
        (b"/v1/users/a/keys/b/c", ("users/a/keys/b/c", "", "")),
        (b"/v1/users/a/others", ("users/a/others", "", "")),
        (b"/v1/roles/r/keys", ("roles/r/keys", "", "")),
        (b"/v1/clusters/c", ("clusters/N", "", "c")),
        (b"/.well-known/jwks.json", (".well-known/jwks.json", "", "")),
    ],
)
def test_paths_are_taken_apart_as_they_are(path: bytes, expected: tuple[str, str, str]) -> None:
    assert tuple(parse_target(path)) == expected


@pytest.mark.parametrize(
    ("method", "target", "action", "status", "text"),
    [
        ("GET", "/v1/nothing", "", 404, "GET /v1/nothing is not supported"),
        ("POST", "/v1/sort", "", 404, "POST /v1/sort is not supported"),
        ("GET", "/v1/objects/abc", "", 404, "/v1/objects/BUCKET/OBJECT"),
        ("POST", "/v1/health", "", 405, "POST is not supported on /v1/health"),
        ("GET", "/v1/daemon", "", 400, "needs a what parameter: smap, config"),
        ("GET", "/v1/daemon?what=nonsense", "", 501, 'what "nonsense" is not supported'),
        ("POST", "/v1/buckets/abc", "etl-bck", 501, 'action "etl-bck" is not supported'),
        ("PUT", "/v1/cluster", "", 400, "needs an action in its body"),
        ("PUT", "/v1/objects/abc/x?etl_name=1", "", 501, "etl_name is not supported"),
    ],
)
def test_what_is_not_offered_is_told_clearly(
    node: Node, method: str, target: str, action: str, status: int, text: str
) -> None:
    reply = act(node, method, target, action)
    assert reply.status == status
    assert text in message(reply)


def test_a_method_that_a_path_lacks_is_answered_with_those_it_has(node: Node) -> None:
    assert act(node, "POST", "/v1/health").headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"action": 1}', b"\xff", b"[" * 5000])
def test_a_body_that_is_no_message_is_a_bad_request(node: Node, body: bytes) -> None:
    reply = node.send("PUT", "/v1/cluster", body=body)
    assert reply.status == 400
    assert "JSON message" in message(reply)


def test_a_message_of_more_than_a_megabyte_is_refused(node: Node) -> None:
    reply = node.send("PUT", "/v1/cluster", body=b" " * ((1 << 20) + 1))
    assert reply.status == 413
