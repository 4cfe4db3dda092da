"""Replies as values, and what is in their headers and JSON."""

from __future__ import annotations

import json
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from aisle.client.errors import ClientError

if TYPE_CHECKING:
    from http.client import HTTPMessage


class Reply(NamedTuple):
    """A reply that was read whole."""

    headers: HTTPMessage
    body: bytes
    status: int = 200


def read_json(body: bytes) -> Any:
    """A reply's JSON. Raises `ClientError` where it is none."""
    try:
        return json.loads(body)
    except ValueError:
        raise ClientError("what answers there is not a node: its reply is not JSON") from None


def header_text(value: str) -> str:
    """A header's value; what is not printable ASCII comes as one RFC 2047 word."""
    if not (value.startswith("=?") and value.endswith("?=")):
        return value
    header = import_module("email.header")
    return str(header.make_header(header.decode_header(value)))


def custom_metadata(headers: HTTPMessage) -> dict[str, str]:
    """The `name=value` pairs of `Ais-Custom-Md`, as many headers as there are."""
    pairs = (header_text(value).partition("=") for value in headers.get_all("ais-custom-md", []))
    return {name: value for name, _, value in pairs}
