"""XML that others have written, as a small tree: the standard library's expat, hardened.

Document types, entities, deep nesting and endless elements are refused before they cost anything;
namespaces and all attributes but `xsi:type` are dropped, because nothing of S3 depends on them.
What a document means, and how long it may be, is its reader's affair.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple
from xml.parsers import expat

MAX_DEPTH: Final = 16
# Ten thousand parts of an upload with all their checksums are a third of it.
MAX_ELEMENTS: Final = 400_000


class XmlError(ValueError):
    """The document is not well-formed, or not safe to read. Whoever reads it says what it was."""


class Element:
    """A node: local name, text, children, and what its `xsi:type` says."""

    __slots__ = ("children", "kind", "name", "text")

    def __init__(self, name: str, kind: str = "") -> None:
        self.name = name
        self.kind = kind
        self.text = ""
        self.children: list[Element] = []

    def all(self, name: str) -> Iterator[Element]:
        return (child for child in self.children if child.name == name)

    def first(self, name: str) -> Element | None:
        return next(self.all(name), None)

    def value(self, name: str, default: str = "") -> str:
        """The text of the first child called `name`."""
        child = self.first(name)
        return default if child is None else child.text


def _kind(attributes: dict[str, str]) -> str:
    """The value of `xsi:type`, whatever prefix the namespace has."""
    found = (value for name, value in attributes.items() if name.rpartition(":")[2] == "type")
    return next(found, "").strip()


def parse_tree(document: bytes) -> Element:
    """The root of a document. Raises `XmlError`."""
    top = Element("")
    stack = [top]
    texts: list[list[str]] = [[]]  # of each of them: joined once, however many elements part it
    count = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal count
        count += 1
        if len(stack) > MAX_DEPTH:
            raise XmlError("the document is nested too deeply")
        if count > MAX_ELEMENTS:
            raise XmlError("the document has too many elements")
        element = Element(name.rpartition(":")[2], _kind(attributes) if attributes else "")
        stack[-1].children.append(element)
        stack.append(element)
        texts.append([])

    def end(_name: str) -> None:
        stack.pop().text = "".join(texts.pop())

    def text(data: str) -> None:
        texts[-1].append(data)

    _parse(document, start, end, text)
    return top.children[0]


class Records(NamedTuple):
    """A document whose root has values, and records of values, and nothing that matters below."""

    name: str
    values: dict[str, str]
    records: list[tuple[str, dict[str, str]]]


def parse_records(document: bytes) -> Records:
    """A document of many records, such as a listing's page, without a tree. Raises `XmlError`."""
    names: list[str] = []
    values: dict[str, str] = {}
    records: list[tuple[str, dict[str, str]]] = []
    record: dict[str, str] = {}
    pieces = ""

    def start(name: str, _attributes: dict[str, str]) -> None:
        nonlocal pieces
        if len(names) >= MAX_DEPTH:
            raise XmlError("the document is nested too deeply")
        names.append(name)
        pieces = ""

    def end(name: str) -> None:
        nonlocal pieces, record
        if ":" in name:
            name = name.rpartition(":")[2]
        depth = len(names)
        names.pop()
        if depth == 3:
            record[name] = pieces
        elif depth == 2 and record:
            records.append((name, record))
            record = {}
        elif depth == 2:
            values[name] = pieces
        elif depth == 1:
            names.append(name)  # the root's, for whoever asks
        pieces = ""

    def text(data: str) -> None:
        nonlocal pieces
        pieces += data

    _parse(document, start, end, text)
    return Records(names[0], values, records)


def _parse(
    document: bytes,
    start: Callable[[str, dict[str, str]], None],
    end: Callable[[str], None],
    text: Callable[[str], None],
) -> None:
    def refuse(*_: object) -> None:
        raise XmlError("a document type is not allowed")

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(document, True)
    except XmlError:
        raise
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise XmlError(f"the document is not well-formed: {error}") from None
