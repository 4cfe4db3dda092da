"""CORS rules: which requests they allow, what browsers are told, which documents are taken."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aisle.api.s3 import corsrules
from aisle.api.s3.corsrules import Rule, asked_headers, find, matches, replied
from aisle.api.s3.errors import tell
from aisle.api.s3.xml import MalformedXML
from aisle.core.errors import AisleError, InvalidRequest

PAGE = "https://page.example"


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("*", "", True),
        ("*", PAGE, True),
        (PAGE, PAGE, True),
        (PAGE, "https://page.example.evil", False),
        (PAGE, "http://page.example", False),
        (PAGE, "https://PAGE.example", False),
        ("https://*.example", "https://a.example", True),
        ("https://*.example", "https://a.b.example", True),
        ("https://*.example", "https://.example", True),
        ("https://*.example", "https://a.example.evil", False),
        ("https://*.example", "http://a.example", False),
        ("http://*", "http://anything:8080", True),
        ("http://*", "https://anything", False),
        ("*.example", "https://a.example", True),
        # What stands on both sides may not be counted twice.
        ("ab*ba", "aba", False),
        ("ab*ba", "abba", True),
    ],
)
def test_a_wildcard_stands_for_any_text(pattern: str, text: str, expected: bool) -> None:
    assert matches(pattern, text) is expected


@given(st.text("ab", max_size=4), st.text("ab", max_size=4), st.text("ab*", max_size=9))
def test_a_wildcard_is_like_the_shell_s(before: str, after: str, text: str) -> None:
    expected = any(
        text == before + text[len(before) : len(before) + size] + after
        for size in range(len(text) + 1)
    )
    assert matches(f"{before}*{after}", text) is expected


RULES = (
    Rule("one", ("GET",), (PAGE,), (), ("ETag",), 60),
    Rule("two", ("PUT", "POST"), ("https://*.example",), ("x-amz-*", "Content-Type")),
    Rule("three", ("GET", "HEAD"), ("*",)),
    Rule("four", ("DELETE",), ("http://a.example", "*")),
)


@pytest.mark.parametrize(
    ("origin", "method", "headers", "expected"),
    [
        (PAGE, "GET", (), "one"),
        # The first rule allows no header, and neither does any other for GET.
        (PAGE, "GET", ("x-amz-date",), ""),
        (PAGE, "HEAD", (), "three"),
        (PAGE, "PUT", ("x-amz-meta-a", "content-type"), "two"),
        (PAGE, "PUT", ("authorization",), ""),
        (PAGE, "DELETE", (), "four"),
        ("https://a.other", "PUT", (), ""),
        ("https://a.other", "GET", (), "three"),
        ("null", "GET", (), "three"),
        (PAGE, "PATCH", (), ""),
        (PAGE, "get", (), ""),
    ],
)
def test_the_first_rule_that_allows_everything_counts(
    origin: str, method: str, headers: tuple[str, ...], expected: str
) -> None:
    found = find(RULES, origin, method, headers)
    assert (found.id if found is not None else "") == expected


def test_a_browser_is_told_what_the_rule_says() -> None:
    assert replied(RULES[0], PAGE, ("x-a", "x-b")) == [
        (b"access-control-allow-origin", b"https://page.example"),
        (b"access-control-allow-methods", b"GET"),
        (b"access-control-allow-headers", b"x-a, x-b"),
        (b"access-control-expose-headers", b"ETag"),
        (b"access-control-max-age", b"60"),
        (b"access-control-allow-credentials", b"true"),
    ]


@pytest.mark.parametrize("rule", RULES[1:])
def test_a_wildcard_never_lets_credentials_in(rule: Rule) -> None:
    told = dict(replied(rule, "https://evil.example"))
    assert b"access-control-allow-credentials" not in told


def test_an_origin_is_not_reflected_where_all_are_allowed() -> None:
    told = dict(replied(RULES[2], "https://evil.example"))
    assert told[b"access-control-allow-origin"] == b"*"
    # Not even where it is named beside the wildcard.
    assert dict(replied(RULES[3], "http://a.example"))[b"access-control-allow-origin"] == b"*"


def test_the_headers_that_a_preflight_asks_for() -> None:
    assert asked_headers("") == ()
    assert asked_headers(" X-Amz-Date,content-type ,, x-A\t") == (
        "x-amz-date",
        "content-type",
        "x-a",
    )


# --- documents ------------------------------------------------------------------------------


def document(*rules: str) -> bytes:
    inner = "".join(f"<CORSRule>{rule}</CORSRule>" for rule in rules)
    return f"<CORSConfiguration>{inner}</CORSConfiguration>".encode()


GET = "<AllowedMethod>GET</AllowedMethod>"
ALL = "<AllowedOrigin>*</AllowedOrigin>"
WHOLE = (
    f"<ID>a &amp; b</ID>{GET}<AllowedMethod>PUT</AllowedMethod>{ALL}"
    "<AllowedOrigin>http://*.a.example</AllowedOrigin><AllowedHeader>x-*</AllowedHeader>"
    "<ExposeHeader>ETag</ExposeHeader><ExposeHeader>x-amz-version-id</ExposeHeader>"
    "<MaxAgeSeconds>3000</MaxAgeSeconds>"
)


def test_a_document_is_read_kept_and_shown() -> None:
    rules = corsrules.read(document(WHOLE, GET + ALL))
    assert rules == (
        Rule(
            "a & b",
            ("GET", "PUT"),
            ("*", "http://*.a.example"),
            ("x-*",),
            ("ETag", "x-amz-version-id"),
            3000,
        ),
        Rule("", ("GET",), ("*",)),
    )
    assert corsrules.decode(corsrules.encode(rules)) == rules
    assert corsrules.read(corsrules.shown(rules)) == rules


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<CORSConfiguration/>",
        b"<Other/>",
        document(""),
        document(GET),
        document(ALL),
        document(GET + ALL + "<Unknown/>"),
        document(GET + ALL + "<ID>a</ID><ID>b</ID>"),
        document(GET + ALL + "<MaxAgeSeconds>soon</MaxAgeSeconds>"),
        document(GET + ALL + "<MaxAgeSeconds>-1</MaxAgeSeconds>"),
        document(GET + ALL + "<MaxAgeSeconds>99999999999</MaxAgeSeconds>"),
        b"<CORSConfiguration><Rule/></CORSConfiguration>",
    ],
)
def test_what_is_no_such_document_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedXML):
        corsrules.read(body)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (
            ALL + "<AllowedMethod>PATCH</AllowedMethod>",
            "Found unsupported HTTP method in CORS config. Unsupported method is PATCH",
        ),
        (ALL + "<AllowedMethod>get</AllowedMethod>", "Unsupported method is get"),
        (
            GET + "<AllowedOrigin>http://*.*</AllowedOrigin>",
            'AllowedOrigin "http://*.*" can not have more than one wildcard.',
        ),
        (
            GET + ALL + "<AllowedHeader>*-*</AllowedHeader>",
            'AllowedHeader "*-*" can not have more than one wildcard.',
        ),
        (
            GET + ALL + "<ExposeHeader>x-*</ExposeHeader>",
            'ExposeHeader "x-*" contains wildcard. We currently do not support wildcard for'
            " ExposeHeader.",
        ),
        (GET + ALL + f"<ID>{'a' * 256}</ID>", "at most 255"),
        (GET + "<AllowedOrigin>a\r\nset-cookie: b</AllowedOrigin>", "AllowedOrigin"),
        (GET + "<AllowedOrigin></AllowedOrigin>", "AllowedOrigin"),
        (GET + ALL + "<ExposeHeader>\u20ac</ExposeHeader>", "ExposeHeader"),
    ],
)
def test_what_s3_refuses_is_refused_in_its_words(rule: str, message: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        corsrules.read(document(rule))
    assert message in str(caught.value)


def test_there_are_at_most_a_hundred_rules() -> None:
    assert len(corsrules.read(document(*[GET + ALL] * 100))) == 100
    with pytest.raises(InvalidRequest, match="limit of 100"):
        corsrules.read(document(*[GET + ALL] * 101))


@given(st.binary(max_size=300))
def test_no_document_is_a_bug(body: bytes) -> None:
    told = 400
    try:
        corsrules.read(body)
    except AisleError as error:
        told = tell(error).status
    assert told == 400
