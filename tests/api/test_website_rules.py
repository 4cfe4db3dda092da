"""Website configurations: where requests are sent, which documents are taken."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aisle.api.base import website_bucket
from aisle.api.s3 import websiterules
from aisle.api.s3.errors import S3Error, Told
from aisle.api.s3.hosting import render
from aisle.api.s3.websiterules import Redirect, Rule, Target, Website, location, route
from aisle.api.s3.xml import MalformedXML
from aisle.core.errors import InvalidArgument, InvalidRequest
from aisle.core.http import RequestHead

HERE = "http://b.s3-website.localhost:8080"


def target(key: str) -> Target:
    return Target("http", "b.s3-website.localhost:8080", key)


RULES = (
    Rule(Redirect(prefix="documents/"), "docs/"),
    Rule(Redirect(host="other.example", protocol="https", code=307), "images/", 404),
    Rule(Redirect(key="error.html", code=302), "", 404),
    Rule(Redirect(host="busy.example", key="wait?from=b#top"), "", 503),
)


@pytest.mark.parametrize(
    ("key", "error", "expected"),
    [
        ("docs/a b.html", 0, (301, f"{HERE}/documents/a%20b.html")),
        ("docs/", 0, (301, f"{HERE}/documents/")),
        ("docs", 0, None),
        ("images/a.png", 0, None),
        ("images/a.png", 404, (307, "https://other.example/images/a.png")),
        ("images/a.png", 403, None),
        ("any", 404, (302, f"{HERE}/error.html")),
        ("any", 503, (301, "http://busy.example/wait?from=b#top")),
        # A rule with a prefix alone is not for errors: it was looked at before.
        ("docs/x", 404, (302, f"{HERE}/error.html")),
    ],
)
def test_the_first_rule_that_fits_says_where_to(
    key: str, error: int, expected: tuple[int, str] | None
) -> None:
    rule = route(RULES, key, error)
    assert (None if rule is None else location(rule, target(key))) == expected


@given(st.text(max_size=60), st.text(max_size=60))
def test_no_key_breaks_out_of_a_location(key: str, replacement: str) -> None:
    for redirect in (Redirect(prefix=replacement), Redirect(key=replacement), Redirect(code=302)):
        _, url = location(Rule(redirect), target(key))
        assert url.startswith(f"{HERE}/")
        assert url.isascii()
        assert url.isprintable()
        assert " " not in url


def test_all_requests_keep_their_path_and_query() -> None:
    redirect = Redirect("other.example", "https")
    start = Target("http", "b.localhost", "a b/c", "x=1&y=%20")
    assert websiterules.location_of_all(redirect, start) == (
        301,
        "https://other.example/a%20b/c?x=1&y=%20",
    )
    assert websiterules.location_of_all(Redirect("o"), start)[1].startswith("http://o/")


def test_a_directory_is_on_this_host() -> None:
    assert websiterules.below("a b") == "/a%20b/"
    assert websiterules.below("/evil.example") == "/%2Fevil.example/"


# --- documents ------------------------------------------------------------------------------


def document(inner: str) -> bytes:
    return f"<WebsiteConfiguration>{inner}</WebsiteConfiguration>".encode()


INDEX = "<IndexDocument><Suffix>index.html</Suffix></IndexDocument>"


def rule(redirect: str, condition: str = "") -> bytes:
    inner = f"{condition}<Redirect>{redirect}</Redirect>"
    return document(f"{INDEX}<RoutingRules><RoutingRule>{inner}</RoutingRule></RoutingRules>")


@pytest.mark.parametrize(
    "website",
    [
        Website("index.html"),
        Website("index.html", "errors/404.html"),
        Website(everything=Redirect("other.example")),
        Website(everything=Redirect("other.example:8080", "https")),
        Website("i", "e", None, RULES),
        Website("i", "e", None, (Rule(Redirect(prefix=""), "old/"),)),
    ],
)
def test_a_document_is_shown_read_and_kept(website: Website) -> None:
    assert websiterules.read(websiterules.shown(website)) == website
    assert websiterules.decode(websiterules.encode(website)) == website


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<Other/>",
        document("<Unknown/>"),
        document(INDEX + INDEX),
        document("<RedirectAllRequestsTo><Protocol>http</Protocol></RedirectAllRequestsTo>"),
        document(f"{INDEX}<RoutingRules><Rule/></RoutingRules>"),
        document(f"{INDEX}<RoutingRules><RoutingRule/></RoutingRules>"),
        rule(""),
        rule("<Other>a</Other>"),
        rule("<HostName>a</HostName><HostName>b</HostName>"),
    ],
)
def test_what_is_no_such_document_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedXML):
        websiterules.read(body)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (document(""), "IndexDocument Suffix must be provided"),
        (document("<ErrorDocument><Key>e</Key></ErrorDocument>"), "must be provided"),
        (document("<IndexDocument><Suffix></Suffix></IndexDocument>"), "not well formed"),
        (document("<IndexDocument><Suffix>a/b</Suffix></IndexDocument>"), "not well formed"),
        (document(INDEX + "<ErrorDocument><Key></Key></ErrorDocument>"), "ErrorDocument Key"),
        (
            document(
                INDEX + "<RedirectAllRequestsTo><HostName>a</HostName></RedirectAllRequestsTo>"
            ),
            "RedirectAllRequestsTo cannot be provided in conjunction with other Routing Rules.",
        ),
    ],
)
def test_an_argument_that_s3_refuses_is_refused(body: bytes, message: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        websiterules.read(body)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (rule("<Protocol>ftp</Protocol>"), "Invalid protocol"),
        (rule("<HttpRedirectCode>200</HttpRedirectCode>"), "redirect code (200) is not valid"),
        (rule("<HttpRedirectCode>300</HttpRedirectCode>"), "3XX except 300"),
        (
            rule(
                "<ReplaceKeyWith>a</ReplaceKeyWith><ReplaceKeyPrefixWith>b</ReplaceKeyPrefixWith>"
            ),
            "ReplaceKeyPrefix or ReplaceKey but not both",
        ),
        (rule("<HostName>a.example/path</HostName>"), "not a host name"),
        (rule("<HostName>a&#13;&#10;b</HostName>"), "not a host name"),
        (rule("<HostName>a</HostName>", "<Condition/>"), "Condition cannot be empty"),
        (
            rule(
                "<HostName>a</HostName>",
                "<Condition><HttpErrorCodeReturnedEquals>200</HttpErrorCodeReturnedEquals>"
                "</Condition>",
            ),
            "error code (200) is not valid",
        ),
        (
            document(
                INDEX
                + "<RoutingRules>"
                + "<RoutingRule><Redirect><HostName>a</HostName></Redirect></RoutingRule>" * 51
                + "</RoutingRules>"
            ),
            "51 routing rules provided",
        ),
    ],
)
def test_a_rule_that_s3_refuses_is_refused(body: bytes, message: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        websiterules.read(body)
    assert message in str(caught.value)


def test_an_object_leads_to_a_url_or_a_path() -> None:
    for good in ("/", "/a/b?c#d", "http://a.example/", "https://a.example"):
        assert websiterules.check_location(good) == good
    for bad in ("", "a", "javascript:alert(1)", "//" + "a" * 2048, "/\u20ac", "/a\tb"):
        with pytest.raises(S3Error) as caught:
            websiterules.check_location(bad)
        assert caught.value.code == "InvalidRedirectLocation"


@given(st.text())
def test_nothing_that_others_have_chosen_is_markup(text: str) -> None:
    told = Told(404, "NoSuchKey", text, {"Key": text})
    page = render(told, "id", told).decode()
    shown = page.replace("&lt;", "").replace("&gt;", "").replace("&amp;", "").replace("&quot;", "")
    tags = {"html", "head", "title", "body", "h1", "h3", "ul", "li", "hr"}
    for piece in shown.split("<")[1:]:
        assert piece.partition(">")[0].strip("/") in tags


@pytest.mark.parametrize(
    ("host", "websites", "expected"),
    [
        ("b.s3-website.localhost:8080", ("s3-website.localhost",), "b"),
        ("B.C.S3-Website.localhost", ("s3-website.localhost",), "b.c"),
        ("s3-website.localhost", ("s3-website.localhost",), None),
        ("b.localhost", ("s3-website.localhost",), None),
        ("b.localhost", (), None),
        # Of two domains that a host is below, the longer one is meant.
        ("b.s3.example.org", ("example.org",), None),
        ("b.example.org", ("example.org",), "b"),
    ],
)
def test_a_host_names_the_bucket_of_a_site(
    host: str, websites: tuple[str, ...], expected: str | None
) -> None:
    head = RequestHead("GET", b"/", b"", {"host": host})
    assert website_bucket(head, websites, ("localhost", "s3.example.org")) == expected
