"""The words of S3 Select's SQL: keywords, functions and types. Only these tables live here.

Spec: Amazon S3 user guide, "SQL reference for Amazon S3 Select".
"""

from __future__ import annotations

from typing import Final

AGGREGATES: Final = frozenset({"AVG", "COUNT", "MAX", "MIN", "SUM"})
PARTS: Final = ("YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND")
ZONE_PARTS: Final = ("TIMEZONE_HOUR", "TIMEZONE_MINUTE")
# Functions that are called plainly: the least and the most arguments.
FUNCTIONS: Final = {
    "AVG": (1, 1), "COUNT": (1, 1), "MAX": (1, 1), "MIN": (1, 1), "SUM": (1, 1),
    "COALESCE": (1, 100), "NULLIF": (2, 2), "CHAR_LENGTH": (1, 1), "CHARACTER_LENGTH": (1, 1),
    "LOWER": (1, 1), "UPPER": (1, 1), "TO_STRING": (2, 2), "TO_TIMESTAMP": (1, 1),
    "UTCNOW": (0, 0), "SUBSTRING": (2, 3), "TRIM": (1, 1), "EXTRACT": (1, 1),
    "DATE_ADD": (2, 2), "DATE_DIFF": (2, 2),
}  # fmt: skip
TYPES: Final = {
    "BOOL": "BOOLEAN", "BOOLEAN": "BOOLEAN",
    "INT": "BIGINT", "INTEGER": "BIGINT", "SMALLINT": "BIGINT", "BIGINT": "BIGINT",
    "FLOAT": "DOUBLE", "DOUBLE": "DOUBLE", "REAL": "DOUBLE",
    "DECIMAL": "DECIMAL", "NUMERIC": "DECIMAL",
    "STRING": "VARCHAR", "VARCHAR": "VARCHAR", "CHAR": "VARCHAR", "CHARACTER": "VARCHAR",
    "TIMESTAMP": "TIMESTAMP",
}  # fmt: skip
# What names nothing unless it is quoted.
WORDS: Final = frozenset(
    [
        "ALL",
        "AND",
        "AS",
        "ASC",
        "BETWEEN",
        "BOTH",
        "BY",
        "CASE",
        "CAST",
        "CROSS",
        "DELETE",
        "DESC",
        "DISTINCT",
        "ELSE",
        "END",
        "ESCAPE",
        "EXCEPT",
        "EXISTS",
        "FALSE",
        "FOR",
        "FROM",
        "FULL",
        "GROUP",
        "HAVING",
        "IN",
        "INNER",
        "INSERT",
        "INTERSECT",
        "INTO",
        "IS",
        "JOIN",
        "LEADING",
        "LEFT",
        "LIKE",
        "LIMIT",
        "MISSING",
        "NOT",
        "NULL",
        "OFFSET",
        "ON",
        "OR",
        "ORDER",
        "OUTER",
        "RIGHT",
        "SELECT",
        "SET",
        "THEN",
        "TRAILING",
        "TRUE",
        "UNION",
        "UPDATE",
        "USING",
        "VALUES",
        "WHEN",
        "WHERE",
        "WITH",
    ]
)
# What SQL has and S3 Select has not, where it would follow.
CLAUSES: Final = frozenset(
    [
        "CROSS",
        "EXCEPT",
        "FULL",
        "GROUP",
        "HAVING",
        "INNER",
        "INTERSECT",
        "JOIN",
        "LEFT",
        "OFFSET",
        "ORDER",
        "OUTER",
        "RIGHT",
        "UNION",
    ]
)
COMPARISONS: Final = {"=": "=", "<>": "<>", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
