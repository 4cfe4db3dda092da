"""What a SelectObjectContentRequest says: the document as values, held to S3's rules.

Spec: API reference, SelectObjectContent; its errors are those of "SELECT Object Content errors".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from aisle.api.s3.errors import S3Error
from aisle.api.s3.xml import MalformedXML, parse
from aisle.core.xmltree import Element
from aisle.query.shapes import Input, Output, Range

_ROOT: Final = "SelectObjectContentRequest"
_MEMBERS: Final = frozenset(
    {"Expression", "ExpressionType", "RequestProgress", "InputSerialization",
     "OutputSerialization", "ScanRange"}
)  # fmt: skip
_FORMATS: Final = ("CSV", "JSON", "Parquet")
_COMPRESSIONS: Final = ("NONE", "GZIP", "BZIP2")
_HEADERS: Final = ("NONE", "USE", "IGNORE")
_CSV_IN: Final = frozenset(
    {"FileHeaderInfo", "Comments", "QuoteEscapeCharacter", "RecordDelimiter", "FieldDelimiter",
     "QuoteCharacter", "AllowQuotedRecordDelimiter"}
)  # fmt: skip
_CSV_OUT: Final = frozenset(
    {"QuoteFields", "QuoteEscapeCharacter", "RecordDelimiter", "FieldDelimiter", "QuoteCharacter"}
)
_FAR: Final = 1 << 62


class Asked(NamedTuple):
    """A request. `scan` is its range as it stands: first and last byte, either of which may be
    missing."""

    expression: str
    input: Input
    output: Output
    progress: bool
    scan: tuple[int | None, int | None] | None


def read(document: bytes) -> Asked:
    """The request that a document is. Raises `MalformedXML` and `S3Error`s."""
    root = parse(document, _ROOT)
    _only(root, _MEMBERS)
    expression = root.value("Expression")
    if not expression.strip():
        raise _missing("Expression")
    kind = root.value("ExpressionType").strip()
    if not kind:
        raise _missing("ExpressionType")
    if kind.upper() != "SQL":
        raise S3Error("InvalidExpressionType")
    shape = _input(root)
    progress = root.first("RequestProgress")
    scan = _scan(root.first("ScanRange"))
    if scan is not None and (shape.compression != "NONE" or shape.document or shape.quoted_records):
        raise S3Error("UnsupportedScanRangeInput")
    return Asked(
        expression,
        shape,
        _output(root),
        progress is not None and _flag(progress, "Enabled"),
        scan,
    )


def span(scan: tuple[int | None, int | None] | None, size: int) -> Range:
    """The bytes of an object that a range is about. With its end alone it is that many last ones.
    Raises `S3Error`."""
    if scan is None:
        return Range()
    first, last = scan
    if first is None:
        assert last is not None
        return Range(max(0, size - last), None)
    if first >= size > 0 or (last is not None and last < first):
        raise S3Error("InvalidScanRange")
    return Range(first, None if last is None or last + 1 >= size else last + 1)


def _missing(name: str) -> S3Error:
    return S3Error(
        "MissingRequiredParameter",
        f"The SelectRequest entity is missing a required parameter: {name}.",
    )


def _only(found: Element, names: Iterable[str]) -> None:
    seen = set()
    for child in found.children:
        if child.name not in names or child.name in seen:
            raise MalformedXML(f"{found.name} has {child.name}, or has it twice")
        seen.add(child.name)


def _flag(found: Element, name: str) -> bool:
    text = found.value(name).strip().lower()
    if text not in ("", "true", "false"):
        raise MalformedXML(f"{name} is true or false")
    return text == "true"


def _scan(found: Element | None) -> tuple[int | None, int | None] | None:
    if found is None:
        return None
    _only(found, ("Start", "End"))
    ends: list[int | None] = []
    for name in ("Start", "End"):
        text = found.value(name).strip()
        if text and not (text.isascii() and text.isdigit() and int(text[:20]) < _FAR):
            raise S3Error("InvalidScanRange")
        ends.append(int(text) if text else None)
    if ends == [None, None]:
        raise S3Error("InvalidScanRange")
    return ends[0], ends[1]


def _input(root: Element) -> Input:
    found = root.first("InputSerialization")
    if found is None:
        raise _missing("InputSerialization")
    _only(found, ("CompressionType", *_FORMATS))
    compression = found.value("CompressionType").strip().upper() or "NONE"
    if compression not in _COMPRESSIONS:
        raise S3Error("InvalidCompressionFormat")
    formats = [child for child in found.children if child.name in _FORMATS]
    if not formats:
        raise _missing("InputSerialization/CSV, JSON or Parquet")
    if len(formats) > 1:
        raise S3Error("ObjectSerializationConflict")
    inner = formats[0]
    if inner.name == "JSON":
        _only(inner, ("Type",))
        kind = inner.value("Type").strip().upper()
        if not kind:
            raise _missing("Type")
        if kind not in ("DOCUMENT", "LINES"):
            raise S3Error("InvalidJsonType")
        return Input("JSON", compression, document=kind == "DOCUMENT")
    if inner.name == "Parquet":
        _only(inner, ())
        if compression != "NONE":
            raise S3Error(
                "InvalidCompressionFormat",
                "Parquet is compressed by itself: CompressionType has to be NONE.",
            )
        return Input("Parquet")
    return _csv(inner, compression)


def _csv(found: Element, compression: str) -> Input:
    _only(found, _CSV_IN)
    header = found.value("FileHeaderInfo").strip().upper() or "NONE"
    if header not in _HEADERS:
        raise S3Error("InvalidFileHeaderInfo")
    field = _mark(found, "FieldDelimiter", ",", 1, 4)
    record = _mark(found, "RecordDelimiter", "\n", 1, 2)
    quote = _mark(found, "QuoteCharacter", '"', 0, 1)
    escape = _mark(found, "QuoteEscapeCharacter", '"', 0, 1)
    comment = _mark(found, "Comments", "", 0, 1)
    marks = [mark for mark in (field, record, quote, comment) if mark]
    if len(set(marks)) != len(marks) or {"\n", "\r"} & {field, quote, escape, comment}:
        raise S3Error("InvalidRequestParameter")
    # The escape of nothing is nothing; DuckDB's is a quote's own double then.
    escape = escape or quote
    return Input(
        "CSV", compression, False, header, field, record, quote, escape, comment,
        _flag(found, "AllowQuotedRecordDelimiter"),
    )  # fmt: skip


def _mark(found: Element, name: str, default: str, least: int, most: int) -> str:
    """A delimiter or the like, as it stands: space is one too."""
    child = found.first(name)
    if child is None:
        return default
    text = child.text
    if not (least <= len(text) <= most and (len(text) > 2 or text.isascii())) or "\0" in text:
        raise S3Error(
            "InvalidRequestParameter", f"The value of {name} has not so many characters, or others."
        )
    if not text.isascii() or any(mark in "\x01\x02\x03" for mark in text):
        raise S3Error("InvalidRequestParameter", f"The value of {name} is not supported.")
    return text


def _output(root: Element) -> Output:
    found = root.first("OutputSerialization")
    if found is None:
        raise _missing("OutputSerialization")
    _only(found, ("CSV", "JSON"))
    if not found.children:
        raise _missing("OutputSerialization/CSV or JSON")
    if len(found.children) > 1:
        raise S3Error("ObjectSerializationConflict")
    inner = found.children[0]
    if inner.name == "JSON":
        _only(inner, ("RecordDelimiter",))
        return Output("JSON", _mark(inner, "RecordDelimiter", "\n", 0, 2))
    _only(inner, _CSV_OUT)
    quoting = inner.value("QuoteFields").strip().upper() or "ASNEEDED"
    if quoting not in ("ASNEEDED", "ALWAYS"):
        raise S3Error("InvalidQuoteFields")
    quote = _mark(inner, "QuoteCharacter", '"', 0, 1)
    return Output(
        "CSV",
        _mark(inner, "RecordDelimiter", "\n", 0, 2),
        _mark(inner, "FieldDelimiter", ",", 0, 4),
        quote,
        _mark(inner, "QuoteEscapeCharacter", '"', 0, 1) or quote,
        quoting == "ALWAYS",
    )
