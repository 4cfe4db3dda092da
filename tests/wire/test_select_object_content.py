"""SelectObjectContent: https://docs.aws.amazon.com/AmazonS3/latest/API/API_SelectObjectContent.html"""

from __future__ import annotations

import base64
import bz2
import gzip
import hashlib
import io
import json
import os
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from botocore.exceptions import EventStreamError

from tests.harness import Node
from tests.wire.support import bucket_target, refused

CSV = b'name,Age,city\nann,31,Rome\n"bob, jr",22,"a\nb"\ncid,,Paris\n'
LINES = b'{"id":1,"tags":["a","b"],"at":{"x":1.5}}\n{"id":2,"tags":[],"at":null}\n{"id":3}\n'


def asked(s3: Any, bucket: str, key: str, sql: str, **more: Any) -> dict[str, Any]:
    """All events of a reply: the records put together, and the others by name."""
    call: dict[str, Any] = {
        "ExpressionType": "SQL",
        "InputSerialization": {"CSV": {"FileHeaderInfo": "USE"}},
        "OutputSerialization": {"CSV": {}},
    } | more
    reply = s3.select_object_content(Bucket=bucket, Key=key, Expression=sql, **call)
    found: dict[str, Any] = {"Records": b"", "names": []}
    for event in reply["Payload"]:
        for name, value in event.items():
            found["names"].append(name)
            if name == "Records":
                found["Records"] += value["Payload"]
            else:
                found[name] = value
    return found


def test_a_csv_object_is_queried_by_its_header(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="a.csv", Body=CSV)
    found = asked(s3, bucket, "a.csv", 'SELECT s.name, s."Age" FROM S3Object s WHERE s.age > 25')
    assert found["Records"] == b"ann,31\n"
    assert found["Stats"]["Details"] == {
        "BytesScanned": len(CSV), "BytesProcessed": len(CSV), "BytesReturned": 7,
    }  # fmt: skip
    assert found["names"][-2:] == ["Stats", "End"]


def test_fields_are_quoted_where_they_have_to_be_or_always(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="a.csv", Body=CSV)
    found = asked(s3, bucket, "a.csv", "SELECT * FROM S3Object LIMIT 2")
    assert found["Records"] == b'ann,31,Rome\n"bob, jr",22,"a\nb"\n'
    out = {"CSV": {"QuoteFields": "ALWAYS", "FieldDelimiter": ";", "RecordDelimiter": "|"}}
    found = asked(s3, bucket, "a.csv", "SELECT * FROM S3Object LIMIT 1", OutputSerialization=out)
    assert found["Records"] == b'"ann";"31";"Rome"|'


@pytest.mark.parametrize(
    ("compression", "pack"), [("NONE", bytes), ("GZIP", gzip.compress), ("BZIP2", bz2.compress)]
)
def test_each_compression_is_unpacked(s3: Any, bucket: str, compression: str, pack: Any) -> None:
    body = pack(LINES)
    s3.put_object(Bucket=bucket, Key="a.json", Body=body)
    found = asked(
        s3, bucket, "a.json", "SELECT s.id, s.at.x FROM S3Object s WHERE s.id < 3",
        InputSerialization={"JSON": {"Type": "LINES"}, "CompressionType": compression},
        OutputSerialization={"JSON": {}},
    )  # fmt: skip
    assert [json.loads(line) for line in found["Records"].splitlines()] == [
        {"id": 1, "x": 1.5}, {"id": 2},
    ]  # fmt: skip
    details = found["Stats"]["Details"]
    assert (details["BytesScanned"], details["BytesProcessed"]) == (len(body), len(LINES))


def test_documents_of_json_are_walked_by_paths(s3: Any, bucket: str) -> None:
    body = b'{"rules":[{"id":"1"},{"x":2},\n{"id":"3"}]}\n'
    s3.put_object(Bucket=bucket, Key="a.json", Body=body)
    found = asked(
        s3, bucket, "a.json", "SELECT id FROM S3Object[*].rules[*].id",
        InputSerialization={"JSON": {"Type": "DOCUMENT"}}, OutputSerialization={"JSON": {}},
    )  # fmt: skip
    assert found["Records"] == b'{"id":"1"}\n{}\n{"id":"3"}\n'


def parquet(rows: int = 5, **options: Any) -> bytes:
    table = pyarrow.table(
        {"n": list(range(rows)), "word": [f"w{n}" for n in range(rows)],
         "nested": [{"a": [n]} for n in range(rows)]}
    )  # fmt: skip
    out = io.BytesIO()
    pyarrow.parquet.write_table(table, out, **options)
    return out.getvalue()


@pytest.mark.parametrize("compression", ["none", "snappy", "gzip", "zstd"])
def test_parquet_is_read_with_its_types(s3: Any, bucket: str, compression: str) -> None:
    s3.put_object(Bucket=bucket, Key="a.parquet", Body=parquet(compression=compression))
    found = asked(
        s3, bucket, "a.parquet", "SELECT n, s.nested.a[0] AS a, word FROM S3Object s WHERE n >= 3",
        InputSerialization={"Parquet": {}}, OutputSerialization={"JSON": {}},
    )  # fmt: skip
    assert found["Records"] == b'{"n":3,"a":3,"word":"w3"}\n{"n":4,"a":4,"word":"w4"}\n'


def test_an_object_of_megabytes_comes_in_messages_of_at_most_one(s3: Any, bucket: str) -> None:
    body = b"".join(b"%d,%s\n" % (n, b"x" * 90) for n in range(30_000))
    s3.put_object(Bucket=bucket, Key="a.csv", Body=body)
    reply = s3.select_object_content(
        Bucket=bucket, Key="a.csv", Expression="SELECT * FROM S3Object", ExpressionType="SQL",
        InputSerialization={"CSV": {}}, OutputSerialization={"CSV": {}},
        RequestProgress={"Enabled": True},
    )  # fmt: skip
    events = list(reply["Payload"])
    pieces = [event["Records"]["Payload"] for event in events if "Records" in event]
    assert b"".join(pieces) == body
    assert max(map(len, pieces)) <= 1 << 20
    assert list(events[-1]) == ["End"]
    assert events[-2]["Stats"]["Details"]["BytesScanned"] == len(body)


def test_scan_ranges_that_partition_an_object_partition_its_records(s3: Any, bucket: str) -> None:
    body = b"".join(b"%d,%s\n" % (n, b"y" * (n % 7)) for n in range(40))
    s3.put_object(Bucket=bucket, Key="a.csv", Body=body)
    found = b""
    for start in range(0, len(body), 90):
        found += asked(
            s3, bucket, "a.csv", "SELECT * FROM S3Object",
            InputSerialization={"CSV": {}},
            ScanRange={"Start": start, "End": min(start + 89, len(body) - 1)},
        )["Records"]  # fmt: skip
    assert found == body
    last = asked(
        s3, bucket, "a.csv", "SELECT * FROM S3Object", InputSerialization={"CSV": {}},
        ScanRange={"End": 9},
    )  # fmt: skip
    assert last["Records"] == body[body.index(b"\n", len(body) - 10) + 1 :]


def test_a_scan_range_of_parquet_has_the_row_groups_that_begin_in_it(s3: Any, bucket: str) -> None:
    body = parquet(100, row_group_size=20)
    s3.put_object(Bucket=bucket, Key="a.parquet", Body=body)
    call: dict[str, Any] = {"InputSerialization": {"Parquet": {}}}
    groups = pyarrow.parquet.ParquetFile(io.BytesIO(body)).metadata
    begins = [groups.row_group(n).column(0).dictionary_page_offset for n in range(5)]

    def numbers(start: int, end: int | None) -> list[int]:
        part = {"Start": start} | ({} if end is None else {"End": end})
        query = "SELECT s.n FROM S3Object s"
        found = asked(s3, bucket, "a.parquet", query, ScanRange=part, **call)["Records"]
        return [int(line) for line in found.splitlines()]

    assert numbers(begins[1], begins[3] - 1) == list(range(20, 60))
    assert numbers(begins[1] + 1, begins[2]) == list(range(40, 60))
    assert numbers(begins[4], None) == list(range(80, 100))
    assert numbers(begins[4] + 1, None) == []
    side_by_side = [numbers(at, min(at + 299, len(body) - 1)) for at in range(0, len(body), 300)]
    assert [n for some in side_by_side for n in some] == list(range(100))


def test_scan_ranges_of_lines_of_json_do_so_too(s3: Any, bucket: str) -> None:
    lines = [b'{"id":%d,"w":"%s"}\n' % (n, b"z" * (n % 5)) for n in range(20)]
    body = b"".join(lines)
    s3.put_object(Bucket=bucket, Key="a.json", Body=body)
    call: dict[str, Any] = {
        "InputSerialization": {"JSON": {"Type": "LINES"}},
        "OutputSerialization": {"JSON": {}},
    }
    found = [
        asked(s3, bucket, "a.json", "SELECT s.id FROM S3Object s", ScanRange=part, **call)
        for part in (
            {"Start": start, "End": min(start + 149, len(body) - 1)}
            for start in range(0, len(body), 150)
        )
    ]
    ids = [
        json.loads(line)["id"] for line in b"".join(each["Records"] for each in found).splitlines()
    ]
    assert ids == list(range(20))


REFUSED = [
    ({"Expression": "SELEKT 1"}, "UnsupportedSqlOperation"),
    ({"Expression": "SELECT * FROM S3Object s, S3Object t"}, "UnsupportedSqlStructure"),
    ({"Expression": "SELECT * FROM read_csv('/etc/passwd')"}, "InvalidDataSource"),
    ({"Expression": "SELECT ( FROM S3Object"}, "ParseUnExpectedKeyword"),
    ({"Expression": "SELECT * FROM S3Object; DROP"}, "LexerInvalidChar"),
    ({"Expression": "SELECT read_text('/etc/passwd') FROM S3Object"}, "UnsupportedFunction"),
    ({"Expression": "SELECT _77 FROM S3Object"}, "InvalidColumnIndex"),
    ({"Expression": "SELECT none FROM S3Object"}, "MissingHeaders"),
    ({"Expression": "SELECT CAST(name AS INT) FROM S3Object"}, "CastFailed"),
    ({"ExpressionType": "XPATH"}, "InvalidExpressionType"),
    ({"InputSerialization": {"CSV": {}, "CompressionType": "LZ4"}}, "InvalidCompressionFormat"),
    ({"InputSerialization": {"CSV": {}, "CompressionType": "GZIP"}}, "InvalidCompressionFormat"),
    ({"InputSerialization": {"CSV": {"FileHeaderInfo": "MAYBE"}}}, "InvalidFileHeaderInfo"),
    ({"InputSerialization": {"CSV": {"FieldDelimiter": "\n"}}}, "InvalidRequestParameter"),
    ({"InputSerialization": {"JSON": {"Type": "TREE"}}}, "InvalidJsonType"),
    ({"InputSerialization": {"JSON": {"Type": "LINES"}}}, "JSONParsingError"),
    ({"InputSerialization": {"Parquet": {}}}, "ParquetParsingError"),
    ({"InputSerialization": {}}, "MissingRequiredParameter"),
    ({"InputSerialization": {"CSV": {}, "JSON": {"Type": "LINES"}}}, "ObjectSerializationConflict"),
    ({"OutputSerialization": {}}, "MissingRequiredParameter"),
    ({"OutputSerialization": {"CSV": {"QuoteFields": "OFTEN"}}}, "InvalidQuoteFields"),
    ({"ScanRange": {"Start": 9, "End": 3}}, "InvalidScanRange"),
    ({"ScanRange": {"Start": 1 << 40}}, "InvalidScanRange"),
    (
        {"InputSerialization": {"CSV": {}, "CompressionType": "GZIP"}, "ScanRange": {"Start": 0}},
        "UnsupportedScanRangeInput",
    ),
]


@pytest.mark.parametrize(
    ("change", "code"), REFUSED, ids=[f"{n}-{c}" for n, (_, c) in enumerate(REFUSED)]
)
def test_what_cannot_be_done_is_told_by_its_code(
    s3: Any, bucket: str, change: dict[str, Any], code: str
) -> None:
    s3.put_object(Bucket=bucket, Key="a.csv", Body=CSV)
    more = dict(change)
    sql = more.pop("Expression", "SELECT * FROM S3Object")
    with refused(400, code):
        asked(s3, bucket, "a.csv", sql, **more)


def test_broken_text_and_packing_have_their_codes(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="bytes", Body=b"\xff\xfe,a\nb\n")
    with refused(400, "InvalidTextEncoding"):
        asked(s3, bucket, "bytes", "SELECT * FROM S3Object", InputSerialization={"CSV": {}})
    s3.put_object(Bucket=bucket, Key="cut", Body=gzip.compress(CSV)[:-9])
    packed = {"CSV": {}, "CompressionType": "GZIP"}
    with refused(400, "TruncatedInput"):
        asked(s3, bucket, "cut", "SELECT count(*) FROM S3Object", InputSerialization=packed)
    s3.put_object(Bucket=bucket, Key="long", Body=b"a," + b"x" * (3 << 20))
    with refused(400, "OverMaxRecordSize"):
        asked(s3, bucket, "long", "SELECT * FROM S3Object", InputSerialization={"CSV": {}})


def test_an_error_after_records_is_a_message_of_the_stream(s3: Any, bucket: str) -> None:
    body = b"".join(b"%d,%s\n" % (n, b"x" * 90) for n in range(250_000)) + b"no number,\n"
    s3.put_object(Bucket=bucket, Key="a.csv", Body=body)
    with pytest.raises(EventStreamError) as caught:
        asked(
            s3, bucket, "a.csv", "SELECT CAST(_1 AS INT), _2 FROM S3Object",
            InputSerialization={"CSV": {}},
        )  # fmt: skip
    assert caught.value.response["Error"]["Code"] == "CastFailed"


def test_a_key_that_is_not_there_and_versions(s3: Any, bucket: str) -> None:
    with refused(404, "NoSuchKey"):
        asked(s3, bucket, "none", "SELECT * FROM S3Object")


def test_requests_that_are_none_are_refused(node: Node, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="a.csv", Body=CSV)
    target = bucket_target(f"{bucket}/a.csv", "select&select-type=2")
    assert node.send("POST", target, body=b"").code == "EmptyRequestBody"
    assert node.send("POST", target, body=b"<x/>").code == "MalformedXML"
    other = bucket_target(f"{bucket}/a.csv", "select&select-type=1")
    assert node.send("POST", other, body=b"<x/>").code == "InvalidArgument"
    ranged = node.send("POST", target, body=b"<x/>", headers={"range": "bytes=0-1"})
    assert ranged.code == "UnsupportedRangeHeader"


def test_what_is_encrypted_with_a_customers_key_is_opened_by_it(s3: Any, bucket: str) -> None:
    key = os.urandom(32)
    sse = {
        "SSECustomerAlgorithm": "AES256",
        "SSECustomerKey": base64.b64encode(key).decode(),
        "SSECustomerKeyMD5": base64.b64encode(hashlib.md5(key).digest()).decode(),
    }
    s3.put_object(Bucket=bucket, Key="a.csv", Body=CSV, **sse)
    found = asked(s3, bucket, "a.csv", "SELECT count(*) FROM S3Object", **sse)
    assert found["Records"] == b"3\n"
    with refused(400, "InvalidRequest"):
        asked(s3, bucket, "a.csv", "SELECT count(*) FROM S3Object")
