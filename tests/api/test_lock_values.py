"""Values of tags and locks on literals: dates, periods, limits of tag sets."""

from __future__ import annotations

import pytest

from aisle.api.s3 import lockvalues, tagsets
from aisle.api.s3.errors import S3Error
from aisle.api.s3.xml import MalformedXML
from aisle.core.errors import InvalidArgument
from aisle.core.http import RequestHead
from aisle.namespace.locks import DAY, Rule
from aisle.namespace.records import Lock

NOW = 1_800_000_000 * 10**9
SECOND = 1_893_456_000 * 10**9  # 2030-01-01T00:00:00Z

DATES = [
    ("2030-01-01T00:00:00Z", SECOND, "2030-01-01T00:00:00.000Z"),
    ("2030-01-01T00:00:00", SECOND, "2030-01-01T00:00:00.000Z"),
    ("2030-01-01", SECOND, "2030-01-01T00:00:00.000Z"),
    ("2030-01-01T01:00:00+01:00", SECOND, "2030-01-01T00:00:00.000Z"),
    ("20300101T000000Z", SECOND, "2030-01-01T00:00:00.000Z"),
    ("2030-01-01T00:00:00.5Z", SECOND + 500_000_000, "2030-01-01T00:00:00.500Z"),
    # Never earlier than what was said.
    ("2030-01-01T00:00:00.0001Z", SECOND + 1_000_000, "2030-01-01T00:00:00.001Z"),
    ("2030-01-01T00:00:00.123456789Z", SECOND + 124_000_000, "2030-01-01T00:00:00.124Z"),
]


@pytest.mark.parametrize(("text", "moment", "shown"), DATES)
def test_dates(text: str, moment: int, shown: str) -> None:
    assert lockvalues.read_date(text) == moment
    assert lockvalues.write_date(moment) == shown
    assert lockvalues.read_date(shown) == moment


@pytest.mark.parametrize("text", ["", "soon", "2030-13-01T00:00:00Z", "1" * 65, "99999-01-01"])
def test_no_dates(text: str) -> None:
    with pytest.raises(ValueError, match=r"Invalid isoformat|must be in|that long"):
        lockvalues.read_date(text)


def head(**headers: str) -> RequestHead:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return RequestHead("PUT", b"/b/k", b"", named)


LOCKS = [
    ({}, None),
    ({"legal-hold": "ON"}, Lock(hold=True)),
    ({"legal-hold": "OFF"}, Lock(released=True)),
    (
        {"mode": "GOVERNANCE", "retain-until-date": "2030-01-01T00:00:00Z"},
        Lock("GOVERNANCE", SECOND),
    ),
    (
        {"mode": "COMPLIANCE", "retain-until-date": "2030-01-01T00:00:00Z", "legal-hold": "ON"},
        Lock("COMPLIANCE", SECOND, True),
    ),
]


@pytest.mark.parametrize(("given", "lock"), LOCKS)
def test_locks_of_headers(given: dict[str, str], lock: Lock | None) -> None:
    asked = head(**{f"x-amz-object-lock-{name}": value for name, value in given.items()})
    assert lockvalues.of_headers(asked, NOW) == lock
    assert lockvalues.is_asked(asked) == (lock is not None)
    if lock is not None:
        shown = lockvalues.retention_headers(lock) + lockvalues.hold_headers(lock)
        names = {name.decode()[len(lockvalues.PREFIX) :] for name, _ in shown}
        assert names == given.keys()


def test_how_far_off_the_end_may_be() -> None:
    lockvalues.check_until(NOW + 1, NOW)
    lockvalues.check_until(NOW + 36_500 * DAY, NOW)
    for until in (0, NOW - 1, NOW, NOW + 36_500 * DAY + 1):
        with pytest.raises(InvalidArgument):
            lockvalues.check_until(until, NOW)


@pytest.mark.parametrize("rule", [Rule(), Rule("GOVERNANCE", 1), Rule("COMPLIANCE", 0, 100)])
def test_rules_come_back(rule: Rule) -> None:
    assert lockvalues.read_rule(lockvalues.write_rule(rule)) == rule


@pytest.mark.parametrize("text", ["1e3", "+1", "1.0", "", "٣", "1" * 12])
def test_periods_that_are_no_numbers(text: str) -> None:
    body = (
        "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule>"
        f"<DefaultRetention><Mode>GOVERNANCE</Mode><Days>{text}</Days></DefaultRetention>"
        "</Rule></ObjectLockConfiguration>"
    )
    with pytest.raises(MalformedXML):
        lockvalues.read_rule(body.encode())


# --- tags -----------------------------------------------------------------------------------

KEYS = {
    "k": True,
    "k" * 128: True,
    "k" * 129: False,
    "😀" * 10: False,  # a symbol, whatever its length
    "𐍈" * 64: True,  # a letter of two units
    "𐍈" * 65: False,
    "": False,
    "a b\u00a0c": True,
    "a\tb": False,
    "a\nb": False,
    "a*b": False,
    "+-=._:/@": True,
    "e\u0301": False,  # a mark that combines is no letter
    "aws:k": False,
    "AWS:k": False,
    "awsk:": True,
    "\ufffe": False,
    "\ud800": False,
}


@pytest.mark.parametrize("key", KEYS)
def test_keys_of_tags(key: str) -> None:
    if KEYS[key]:
        assert tagsets.checked([(key, "")], tagsets.OBJECT) == {key: ""}
    else:
        with pytest.raises(S3Error) as caught:
            tagsets.checked([(key, "")], tagsets.OBJECT)
        assert caught.value.code == "InvalidTag"


VALUES = {"": True, "v" * 256: True, "v" * 257: False, "𐍈" * 128: True, "𐍈" * 129: False}


@pytest.mark.parametrize("value", VALUES)
def test_values_of_tags(value: str) -> None:
    if VALUES[value]:
        assert tagsets.checked([("k", value)], tagsets.BUCKET) == {"k": value}
    else:
        with pytest.raises(S3Error) as caught:
            tagsets.checked([("k", value)], tagsets.BUCKET)
        assert caught.value.code == "InvalidTag"


@pytest.mark.parametrize("limit", [tagsets.OBJECT, tagsets.BUCKET])
def test_how_many_tags_there_may_be(limit: tagsets.Limit) -> None:
    pairs = [(f"k{number}", "") for number in range(limit.most + 1)]
    assert len(tagsets.checked(pairs[:-1], limit)) == limit.most
    with pytest.raises(S3Error) as caught:
        tagsets.checked(pairs, limit)
    assert (caught.value.code, str(caught.value)) == ("BadRequest", limit.told)


def test_keys_differ_by_case_but_are_there_once() -> None:
    assert tagsets.checked([("a", "1"), ("A", "2")], tagsets.OBJECT) == {"a": "1", "A": "2"}
    with pytest.raises(S3Error, match="same key"):
        tagsets.checked([("a", "1"), ("a", "1")], tagsets.OBJECT)


def test_raw_utf8_in_a_header_is_what_it_is() -> None:
    """Bytes of the wire come as Latin-1: who does not escape them means the same."""
    raw = "größe=ü".encode().decode("latin-1")
    assert tagsets.of_header(head(x_amz_tagging=raw)) == {"größe": "ü"}


def test_a_document_comes_back() -> None:
    tags = {"a&b".replace("&", "/"): "x y", "größe": ""}
    assert tagsets.of_document(tagsets.render(tags), tagsets.OBJECT) == tags
