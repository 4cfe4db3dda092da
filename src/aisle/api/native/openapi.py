"""The native API described: OpenAPI 3.1, built from the table of operations.

OpenAPI knows one operation a method and path; where several of ours share them, they are told
apart by the `what` parameter or by the `action` of the message in the body, which are listed. What
cannot be read off the table stands in the small tables of `described`.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from aisle import __version__
from aisle.api.base import Context, Response, Service
from aisle.api.native.described import (
    BODIES,
    PARAMETERS,
    REPLIES,
    STATUSES,
    SUMMARIES,
    VALUES,
)
from aisle.api.native.message import JSON, PROVIDERS, Message
from aisle.api.native.route import Route

PATHS: Final = {
    "B": "bucket",
    "K": "object",
    "P": "prefix",
    "N": "name",
    "A": "access_key",
    "D": "policy",
}
# What may be said instead, by any operation; 500 is told nowhere, since it stands for a mistake.
_ERRORS: Final = (400, 401, 403, 404, 405, 408, 409, 412, 413, 416, 423, 429, 501, 503, 507)
_STRING: Final = {"type": "string"}


def route(rows: Sequence[Route]) -> Route:
    """The row of the operation that describes `rows`, and itself."""
    described: bytes = b""

    async def get_openapi(svc: Service, ctx: Context, message: Message) -> Response:
        """This description of the API."""
        return Response(200, JSON, described)

    row = Route("GET", "openapi.json", "", (), "get-openapi", get_openapi)
    described = msgspec.json.encode(describe([*rows, row]))
    return row


def describe(rows: Iterable[Route]) -> dict[str, Any]:
    """The OpenAPI document of a table of operations."""
    places: dict[tuple[str, str], list[Route]] = {}
    for row in rows:
        places.setdefault((row.path, row.method), []).append(row)
    paths: dict[str, dict[str, Any]] = {}
    for (path, method), found in places.items():
        paths.setdefault(url_of(path), {})[method.lower()] = _operation(path, method, found)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Aisle's native API",
            "version": __version__,
            "description": "AIStore's REST API, as far as it is served.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{}, {"sigv4": []}, {"bearer": []}],
        "paths": paths,
        "components": {
            "schemas": {"Error": _ERROR, "Message": _MESSAGE},
            "securitySchemes": {
                "sigv4": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Authorization",
                    "description": "AWS Signature Version 4, with authentication on",
                },
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "a token that login gives, with authentication on",
                },
            },
        },
    }


def url_of(path: str) -> str:
    """A path of the table as OpenAPI writes it: `/v1/buckets/{bucket}`."""
    parts = (f"{{{PATHS[part]}}}" if part in PATHS else part for part in path.split("/"))
    url = "/".join(parts)
    return f"/{url}" if url.startswith(".") else f"/v1/{url}"


def summary(row: Route) -> str:
    """What an operation does, in a sentence or two; the first paragraph of its handler's
    documentation where nothing else is told."""
    text = SUMMARIES.get(row.name) or inspect.getdoc(row.handler) or ""
    return " ".join(text.split("\n\n", 1)[0].split())


def _operation(path: str, method: str, rows: list[Route]) -> dict[str, Any]:
    lines = [f"* `{_told(row)}`: {summary(row)}" for row in rows]
    names = list(dict.fromkeys(row.name for row in rows))
    tag = path.partition("/")[0].partition(".")[0]
    found: dict[str, Any] = {
        "operationId": f"{method.lower()}-{path.replace('/', '-')}",
        "tags": [tag],
        "summary": ", ".join(names),
        "description": summary(rows[0]) if len(rows) == 1 else "\n".join(lines),
        "parameters": _parameters(path, rows),
        "responses": _responses(method, rows),
    }
    if rows[0].by == "action":
        found["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": {"oneOf": [*_messages(rows)]}}},
        }
    elif rows[0].name in BODIES:
        content = {"application/json": {"schema": BODIES[rows[0].name]}}
        found["requestBody"] = {"required": True, "content": content}
    elif method in ("PUT", "POST") and path.startswith("objects/"):
        found["requestBody"] = {"content": {"application/octet-stream": {"schema": {}}}}
    return found


def _told(row: Route) -> str:
    """By what a row is told from others at its place."""
    word = row.values[0] if row.values else ""
    return f"{row.name} ({row.by} {word})" if word and word != row.name else row.name


def _parameters(path: str, rows: list[Route]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {"name": PATHS[part], "in": "path", "required": True, "schema": {**_STRING, "minLength": 1}}
        for part in path.split("/")
        if part in PATHS
    ]
    if rows[0].by == "what":
        words = [word for row in rows for word in row.values]
        found.append(_query("what", {"enum": words}, required=True))
    if rows[0].by == "param":
        words = [word for row in rows for word in row.values if word]
        found += [_query(word, _STRING) for word in words]
    if path.startswith(("buckets", "objects")):
        found.append(_query("provider", {"enum": ["", *PROVIDERS]}))
        found.append(_query("namespace", _STRING))
    if path.startswith("reverse/"):
        found.append({"name": "Ais-Node-Id", "in": "header", "required": True, "schema": _STRING})
    known = {parameter["name"] for parameter in found}
    for row in rows:
        for name, schema in PARAMETERS.get(row.name, {}).items():
            if name not in known:
                known.add(name)
                found.append(_query(name, schema))
    return found


def _query(name: str, schema: dict[str, Any], *, required: bool = False) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": required, "schema": schema}


def _messages(rows: list[Route]) -> Iterable[dict[str, Any]]:
    for row in rows:
        for action in row.values:
            yield {
                "type": "object",
                "title": row.name,
                "properties": {
                    "action": {"const": action},
                    "name": _STRING,
                    "value": VALUES.get(row.name, {}),
                },
                "required": ["action"],
            }


def _responses(method: str, rows: list[Route]) -> dict[str, Any]:
    told: dict[str, Any] = {"description": "Done."}
    kinds = [REPLIES.get(row.name, ()) for row in rows]
    if method != "HEAD" and all(kinds):
        told["content"] = {kind: {} for found in kinds for kind in found}
    statuses = {200, *(status for row in rows for status in STATUSES.get(row.name, ()))}
    answers = {str(status): told for status in sorted(statuses)}
    error: dict[str, Any] = {"description": "Refused; the message says why."}
    if method != "HEAD":
        schema = {"$ref": "#/components/schemas/Error"}
        error["content"] = {"application/json": {"schema": schema}}
    return answers | {str(status): error for status in _ERRORS}


_MESSAGE: Final = {
    "type": "object",
    "properties": {"action": _STRING, "name": _STRING, "value": {}},
}
_ERROR: Final = {
    "type": "object",
    "properties": {
        "status": {"type": "integer"},
        **dict.fromkeys(
            ("message", "method", "url_path", "remote_addr", "caller", "node", "tcode"), _STRING
        ),
    },
    "required": ["status", "message"],
}
