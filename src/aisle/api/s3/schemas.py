"""Documents held to a schema, and written again in S3's form.

A `Node` says which elements another one has, a `Leaf` what its text may be. `canonical` walks a
document beside its schema and returns it as it is to be kept and given back: elements in the
schema's order, without what means nothing. What does not fit is `MalformedXML`; a leaf's own check
may raise something more to the point.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from aisle.api.s3.errors import S3Error
from aisle.api.s3.xml import MalformedXML, escape
from aisle.core.errors import InvalidArgument
from aisle.core.xmltree import Element

PREFIX_LIMIT: Final = 1024
TAG_KEY: Final = 128
TAG_VALUE: Final = 256
TAGS: Final = 10


@dataclass(frozen=True, slots=True)
class Leaf:
    """Text. `one_of` are the words it may be, `limit` the most bytes, or `characters` as tags count
    them (`tagsets`); `check` raises."""

    one_of: tuple[str, ...] = ()
    limit: int = PREFIX_LIMIT
    characters: bool = False
    check: Callable[[str], None] | None = None
    bare: bool = True  # space around it means nothing


@dataclass(frozen=True, slots=True)
class Node:
    """Elements by name, in the order they are written. `needed` must be there; those of `many` may
    be there so often; of a `choice` there is exactly one, and of all together there are `least`.
    """

    members: Mapping[str, Leaf | Node]
    needed: frozenset[str] = frozenset()
    many: Mapping[str, int] = field(default_factory=dict)
    choice: bool = False
    least: int = 0


TAG: Final = Node(
    {
        "Key": Leaf(limit=TAG_KEY, characters=True, bare=False),
        "Value": Leaf(limit=TAG_VALUE, characters=True, bare=False),
    },
    frozenset({"Key", "Value"}),
)
PREFIX: Final = Leaf(bare=False)


def canonical(found: Element, schema: Leaf | Node) -> str:
    """What `found` has in it, written by its schema. Raises `MalformedXML` and what checks do."""
    if isinstance(schema, Leaf):
        return _text(found, schema)
    if found.text.strip():
        raise MalformedXML(f"{found.name} has text")
    parts = []
    for child in found.children:
        if child.name not in schema.members:
            raise MalformedXML(f"{found.name} has no {child.name}")
    if schema.choice and len(found.children) != 1:
        raise MalformedXML(f"{found.name} has exactly one element")
    if len(found.children) < schema.least:
        raise MalformedXML(f"{found.name} has at least {schema.least} elements")
    for name, inner in schema.members.items():
        of_name = list(found.all(name))
        if name in schema.needed and not of_name:
            raise MalformedXML(f"{found.name} needs {name}")
        if len(of_name) > schema.many.get(name, 1):
            raise MalformedXML(f"{found.name} has too many {name}")
        for child in of_name:
            written = canonical(child, inner)
            parts.append(f"<{name}>{written}</{name}>")
    _distinct_tags(found)
    return "".join(parts)


def _text(found: Element, leaf: Leaf) -> str:
    if found.children:
        raise MalformedXML(f"{found.name} is text")
    text = found.text.strip() if leaf.bare else found.text
    if leaf.one_of and text not in leaf.one_of:
        raise MalformedXML(f"{found.name} is one of {', '.join(leaf.one_of)}")
    size = len(text.encode("utf-16-le")) // 2 if leaf.characters else len(text.encode())
    if size > leaf.limit:
        unit = "characters" if leaf.characters else "bytes"
        raise InvalidArgument(
            f"{found.name} may have no more than {leaf.limit} {unit}", name=found.name, value=""
        )
    if leaf.check is not None:
        leaf.check(text)
    return escape(text)


def _distinct_tags(found: Element) -> None:
    keys = [tag.value("Key") for tag in found.all("Tag")]
    if len(set(keys)) < len(keys):
        raise S3Error("InvalidTag", "Cannot provide multiple Tags with the same key")
