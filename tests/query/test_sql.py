"""S3 Select's SQL: what it means, written for DuckDB and done by it; and what is refused."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aisle.query import duck
from aisle.query.errors import QueryError
from aisle.query.shapes import Column, Output
from aisle.query.sql import Source
from aisle.query.syntax import parse

ROWS = (
    "SELECT * FROM (VALUES ('1', 'ann', 'x%y'), ('2', 'Bob', ''), ('10', NULL, 'z')) t(c1, c2, c3)"
)
CSV = Source(ROWS, (Column("id", "c1"), Column("Name", "c2"), Column("note", "c3")))
JSON = Source(
    """SELECT CAST(j AS JSON) AS j FROM (VALUES ('{"n":1,"s":"a","l":[1,{"k":2}]}'),
    ('{"n":2.5,"s":null}'), ('{"n":10,"o":{"a/b":true}}')) t(j)""",
    None,
)


def done(sql: str, source: Source = CSV, output: str = "CSV") -> list[str]:
    link = duckdb.connect()
    link.execute("SET TimeZone = 'UTC'")
    text = duck.statement(parse(sql), source, Output(output))
    return [row[0] for row in link.execute(text).fetchall()]


MEANT = [
    ("SELECT * FROM S3Object", ["1,ann,x%y", "2,Bob,", "10,z"]),
    ("SELECT s.id FROM S3Object s", ["1", "2", "10"]),
    ("SELECT s._2, _1 FROM s3object AS s LIMIT 1", ["ann,1"]),
    ('SELECT "Name" FROM S3Object WHERE NAME = \'Bob\'', ["Bob"]),
    ("SELECT id FROM S3Object WHERE id > 9", ["10"]),
    ("SELECT id FROM S3Object WHERE id > '10'", ["2"]),
    ("SELECT id FROM S3Object WHERE name > 5", []),
    ("SELECT id FROM S3Object WHERE CAST(id AS INT) BETWEEN 2 AND 9", ["2"]),
    ("SELECT id FROM S3Object WHERE id NOT IN ('1', '2')", ["10"]),
    ("SELECT id FROM S3Object WHERE id IN (1, 10)", ["1", "10"]),
    ("SELECT id FROM S3Object WHERE name IS MISSING", ["10"]),
    ("SELECT id FROM S3Object WHERE name IS NOT NULL AND NOT id = 1", ["2"]),
    ("SELECT id FROM S3Object WHERE note LIKE 'x!%_' ESCAPE '!'", ["1"]),
    ("SELECT id FROM S3Object WHERE name NOT LIKE '%o%'", ["1"]),
    ("SELECT COUNT(*), COUNT(name), SUM(CAST(id AS INT)) FROM S3Object", ["3,2,13"]),
    ("SELECT MAX(CAST(id AS INT)), MIN(id), AVG(CAST(id AS FLOAT)) FROM S3Object WHERE id < 9",
     ["2,1,1.5"]),
    ("SELECT CHAR_LENGTH(name), UPPER(name), LOWER('AbC') FROM S3Object LIMIT 1", ["3,ANN,abc"]),
    ("SELECT COALESCE(name, '-'), NULLIF(id, '1') FROM S3Object", ["ann,", "Bob,2", "-,10"]),
    ("SELECT TRIM('  a '), TRIM(LEADING '1' FROM '1112'), TRIM(BOTH FROM ' b ') FROM S3Object"
     " LIMIT 1", ["a,2,b"]),
    ("SELECT SUBSTRING('123456789' FROM 2 FOR 3), SUBSTRING('123456789', 0),"
     " SUBSTRING('123456789', -1, 4) FROM S3Object LIMIT 1", ["234,123456789,12"]),
    ("SELECT 'a' || id, -(2 + 3) * 2, 7 % 4, 'it''s' FROM S3Object LIMIT 1", ["a1,-10,3,it's"]),
    ("SELECT CASE id WHEN 1 THEN 'one' ELSE 'more' END FROM S3Object", ["one", "more", "more"]),
    ("SELECT CASE WHEN id = '1' THEN 5 END AS x FROM S3Object LIMIT 2", ["5", ""]),
    ("SELECT CAST('1.50' AS DECIMAL(5,2)), CAST('true' AS BOOL), CAST(5 AS STRING) FROM S3Object"
     " LIMIT 1", ["1.50,true,5"]),
    ("SELECT DATE_ADD(year, 5, `2010-01-01T`), DATE_ADD(month, -1, `2010-01-31T`) FROM S3Object"
     " LIMIT 1", ["2015-01-01T00:00:00Z,2009-12-31T00:00:00Z"]),
    ("SELECT DATE_DIFF(year, `2010T`, `2010-05T`), DATE_DIFF(month, `2010T`, `2011T`),"
     " DATE_DIFF(day, `2010-01-01T23:00Z`, `2010-01-02T01:00Z`) FROM S3Object LIMIT 1", ["0,12,0"]),
    ("SELECT EXTRACT(MONTH FROM `2010-02-03T`), EXTRACT(TIMEZONE_HOUR FROM `2010T`) FROM S3Object"
     " LIMIT 1", ["2,0"]),
    ("SELECT TO_TIMESTAMP('2007-02-23T12:14:33.079-08:00'), TO_TIMESTAMP('2007T') FROM S3Object"
     " LIMIT 1", ["2007-02-23T20:14:33.079000Z,2007-01-01T00:00:00Z"]),
    ("SELECT TO_STRING(`1969-07-20T20:18Z`, 'MMMM d, y h:m a'), TO_STRING(`1969-07-20T20:18Z`,"
     " 'yyyy-MM-dd''T''H:m:ssX') FROM S3Object LIMIT 1",
     ['"July 20, 1969 8:18 PM",1969-07-20T20:18:00Z']),
    ("SELECT id FROM S3Object WHERE TO_TIMESTAMP('2020-01-02') > `2020-01-01T` AND id = '1' -- so",
     ["1"]),
    ("SELECT '''); DROP TABLE t; --' FROM S3Object LIMIT 1", ["'); DROP TABLE t; --"]),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "wanted"), MEANT, ids=[sql[:60] for sql, _ in MEANT])
def test_an_expression_means_what_amazon_says(sql: str, wanted: list[str]) -> None:
    assert done(sql) == wanted


OF_JSON = [
    ("SELECT s.n FROM S3Object s", ['{"n":1}', '{"n":2.5}', '{"n":10}']),
    ("SELECT s.n FROM S3Object s WHERE s.n > 2", ['{"n":2.5}', '{"n":10}']),
    ("SELECT s.s FROM S3Object[*] s", ['{"s":"a"}', '{"s":null}', "{}"]),
    ("SELECT s.l[1].k FROM S3Object s LIMIT 1", ['{"k":2}']),
    ('SELECT s.o."a/b" AS x FROM S3Object s WHERE s.o."a/b"', ['{"x":true}']),
    ("SELECT s.n FROM S3Object s WHERE s.s IS NULL", ['{"n":2.5}', '{"n":10}']),
    ("SELECT s.n FROM S3Object s WHERE s.s IS MISSING", ['{"n":10}']),
    ("SELECT * FROM S3Object[*].l[*] v", ['{"_1":1}', '{"k":2}']),
    ("SELECT SUM(s.n) AS total FROM S3Object s", ['{"total":13.5}']),
    ("SELECT COALESCE(s.s, 'none') AS w FROM S3Object s",
     ['{"w":"a"}', '{"w":"none"}', '{"w":"none"}']),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "wanted"), OF_JSON, ids=[sql for sql, _ in OF_JSON])
def test_paths_walk_json(sql: str, wanted: list[str]) -> None:
    assert done(sql, JSON, "JSON") == wanted


REFUSED = [
    ("", "ParseEmptySelect"),
    ("DELETE FROM S3Object", "UnsupportedSqlOperation"),
    ("SELECT FROM S3Object", "ParseEmptySelect"),
    ("SELECT 1", "ParseSelectMissingFrom"),
    ("SELECT *, id FROM S3Object", "ParseAsteriskIsNotAloneInSelectList"),
    ("SELECT id, * FROM S3Object", "ParseAsteriskIsNotAloneInSelectList"),
    ("SELECT DISTINCT id FROM S3Object", "UnsupportedSqlStructure"),
    ("SELECT id FROM S3Object GROUP BY id", "UnsupportedSqlStructure"),
    ("SELECT id FROM S3Object ORDER BY id", "UnsupportedSqlStructure"),
    ("SELECT id FROM S3Object UNION SELECT 1", "UnsupportedSqlStructure"),
    ("SELECT id FROM S3Object a JOIN S3Object b", "UnsupportedSqlStructure"),
    ("SELECT (SELECT 1) FROM S3Object", "UnsupportedSqlStructure"),
    ("SELECT id FROM (SELECT 1)", "UnsupportedSqlStructure"),
    ("SELECT id FROM S3Object WHERE id IN (SELECT 1)", "UnsupportedSqlStructure"),
    ("SELECT id FROM duckdb_settings()", "InvalidDataSource"),
    ("SELECT getenv('HOME') FROM S3Object", "UnsupportedFunction"),
    ("SELECT read_text('/etc/passwd') FROM S3Object", "UnsupportedFunction"),
    ("SELECT id FROM S3Object; PRAGMA version", "LexerInvalidChar"),
    ("SELECT 'open FROM S3Object", "LexerInvalidLiteral"),
    ("SELECT `never` FROM S3Object", "LexerInvalidIONLiteral"),
    ("SELECT id FROM S3Object LIMIT -1", "EvaluatorNegativeLimit"),
    ("SELECT id FROM S3Object LIMIT x", "ParseExpectedNumber"),
    ("SELECT id FROM S3Object x y", "ParseUnexpectedToken"),
    ("SELECT CAST(id AS BLOB) FROM S3Object", "ParseExpectedTypeName"),
    ("SELECT CAST(id INT) FROM S3Object", "ParseExpectedKeyword"),
    ("SELECT SUM(id, 2) FROM S3Object", "ParseNonUnaryAggregateFunctionCall"),
    ("SELECT SUM(*) FROM S3Object", "ParseUnexpectedToken"),
    ("SELECT DATE_ADD(fortnight, 1, `2010T`) FROM S3Object", "ParseExpectedDatePart"),
    ("SELECT id LIKE 'a' ESCAPE '!!' FROM S3Object", "EvaluatorLikePatternInvalidEscapeSequence"),
    ("SELECT _0 FROM S3Object", "InvalidColumnIndex"),
    ("SELECT _4 FROM S3Object", "InvalidColumnIndex"),
    ("SELECT nothing FROM S3Object", "MissingHeaders"),
    ("SELECT id.x FROM S3Object", "InvalidKeyPath"),
    ("SELECT id FROM S3Object[*].path", "ParseInvalidPathComponent"),
    ("SELECT id, COUNT(*) FROM S3Object", "UnsupportedSqlStructure"),
    ("SELECT id FROM S3Object WHERE COUNT(*) > 1", "UnsupportedSqlStructure"),
    ("SELECT SUM(MAX(id)) FROM S3Object", "UnsupportedSqlStructure"),
    ("SELECT TO_STRING(`2010T`, 'QQ') FROM S3Object", "EvaluatorInvalidTimestampFormatPattern"),
    ("SELECT " + "(" * 100 + "1" + ")" * 100 + " FROM S3Object", "ExpressionTooLong"),
    ("SELECT " + "+".join("1" * 500) + " FROM S3Object", "ExpressionTooLong"),
    ("SELECT '" + "x" * 300_000 + "' FROM S3Object", "ExpressionTooLong"),
]


@pytest.mark.parametrize(("sql", "code"), REFUSED, ids=[f"{sql[:50]}" for sql, _ in REFUSED])
def test_what_s3_select_has_not_is_refused_by_its_code(sql: str, code: str) -> None:
    with pytest.raises(QueryError) as caught:
        done(sql)
    assert caught.value.code == code


@given(st.text(min_size=1, max_size=20).filter(lambda text: "\0" not in text))
def test_any_text_stays_a_text(text: str) -> None:
    """However it is quoted, a literal of the client's is a literal of DuckDB's."""
    quoted = text.replace("'", "''")
    link = duckdb.connect()
    sql = f"SELECT s.id FROM S3Object s WHERE s.name <> '{quoted}'"
    written = duck.statement(parse(sql), CSV, Output("CSV"))
    assert len(duckdb.extract_statements(written)) == 1
    link.execute(written).fetchall()


def test_names_alike_are_ambiguous_unless_they_are_quoted() -> None:
    twice = Source(ROWS, (Column("a", "c1"), Column("A", "c2"), Column("b", "c3")))
    assert done('SELECT "A" FROM S3Object LIMIT 1', twice) == ["ann"]
    assert done("SELECT a FROM S3Object LIMIT 1", twice) == ["1"]
    other = Source(ROWS, (Column("Ab", "c1"), Column("aB", "c2"), Column("b", "c3")))
    with pytest.raises(QueryError) as caught:
        done("SELECT ab FROM S3Object", other)
    assert caught.value.code == "AmbiguousFieldName"
