"""The shapes of documents: those of the API's model, and what is refused for them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import botocore.session
import pytest

from aisle.api.s3.shapes import SHAPES, Many, Shape
from aisle.api.s3.xml import MalformedXML, parse

MODEL: Any = botocore.session.get_session().get_service_model("s3")
# Documents of operations that are not built.
OTHERS = {
    "AnnotationTableConfiguration",
    "InventoryTableConfiguration",
    "JournalTableConfiguration",
    "MetadataConfiguration",
    "MetadataTableConfiguration",
}


def modelled(shape: Any) -> Shape:
    """What the model says of an element."""
    if shape.type_name != "structure":
        return None
    found: dict[str, Shape | Many] = {}
    for name, member in shape.members.items():
        told = member.serialization
        if told.get("location") or told.get("xmlAttribute"):
            continue
        called = told.get("name", name)
        if member.type_name != "list":
            found[called] = modelled(member)
        elif told.get("flattened"):
            found[told.get("name", name)] = Many(modelled(member.member))
        else:
            inner = member.member.serialization.get("name", "member")
            found[called] = {inner: Many(modelled(member.member))}
    return found


def roots() -> Iterator[tuple[str, Shape]]:
    for name in MODEL.operation_names:
        operation = MODEL.operation_model(name)
        asked = operation.input_shape
        if asked is None or operation.deprecated:
            continue
        payload = asked.serialization.get("payload")
        if payload is None:
            if "name" in asked.serialization:
                yield asked.serialization["name"], modelled(asked)
        elif asked.members[payload].type_name == "structure":
            body = asked.members[payload]
            yield body.serialization.get("name", body.name), modelled(body)


def test_shapes_are_those_of_the_model() -> None:
    found = {root: shape for root, shape in roots() if root not in OTHERS}
    assert found == SHAPES


def elements(shape: Shape, *above: str) -> Iterator[tuple[tuple[str, ...], Shape | Many]]:
    """Every element below one, by the names that lead to it."""
    for name, inner in (shape or {}).items():
        path = (*above, name)
        yield path, inner
        yield from elements(inner.of if isinstance(inner, Many) else inner, *path)


EVERY = [(root, path, of) for root in SHAPES for path, of in elements(SHAPES[root])]
NAMES = ["/".join((root, *path)) for root, path, _ in EVERY]


def written(root: str, path: tuple[str, ...], inner: str = "", times: int = 1) -> bytes:
    text = f"<{path[-1]}>{inner}</{path[-1]}>" * times
    for name in reversed((root, *path[:-1])):
        text = f"<{name}>{text}</{name}>"
    return text.encode()


@pytest.mark.parametrize(("root", "path", "of"), EVERY, ids=NAMES)
def test_a_text_has_no_elements_and_what_is_one_is_not_two(
    root: str, path: tuple[str, ...], of: Shape | Many
) -> None:
    parse(written(root, path, "x<!-- said -->y"), root)
    inner = of.of if isinstance(of, Many) else of
    if inner is None:
        with pytest.raises(MalformedXML):
            parse(written(root, path, "<b>x</b>"), root)
    if isinstance(of, Many):
        assert parse(written(root, path, times=2), root)
    else:
        with pytest.raises(MalformedXML):
            parse(written(root, path, times=2), root)


def test_namespaces_attributes_and_space_are_no_elements() -> None:
    body = b"""<?xml version="1.0"?>
    <s:AccessControlPolicy xmlns:s="http://s3.amazonaws.com/doc/2006-03-01/">
      <s:Owner><!-- who --><s:ID> a </s:ID></s:Owner>
      <s:AccessControlList>
        <s:Grant>
          <s:Grantee xmlns:x="http://www.w3.org/2001/XMLSchema-instance" x:type="Group" other="1">
            <s:URI>u</s:URI>
          </s:Grantee>
          <s:Permission>READ</s:Permission>
        </s:Grant>
      </s:AccessControlList>
    </s:AccessControlPolicy>"""
    grants = parse(body, "AccessControlPolicy").first("AccessControlList")
    assert grants is not None
    (grant,) = grants.all("Grant")
    assert [child.kind for child in grant.all("Grantee")] == ["Group"]


def test_what_is_in_no_shape_is_its_readers_affair() -> None:
    tree = parse(b"<Tagging><New><a/></New><New/><TagSet/></Tagging>", "Tagging")
    assert [child.name for child in tree.children] == ["New", "New", "TagSet"]
