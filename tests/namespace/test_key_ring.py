"""The key ring: how it is read, what it wraps, and what it never tells."""

from __future__ import annotations

import base64
import traceback

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aisle.core.errors import KeyNotFound, KeyUnusable
from aisle.namespace.records import Sealed
from aisle.namespace.sealing.ring import Ring, fresh_line, is_arn, key_name

ONE, TWO, THREE = (base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2, 3))
TEXT = f"aisle/1:{ONE}\n# a comment\n\naisle/2: {TWO}\nreports/1:{THREE}\n"
SECRET = b"s" * 32


def test_a_ring_tells_what_another_lacks() -> None:
    ring = Ring.parse(TEXT)
    assert not ring.missing_in(Ring.parse(f"{TEXT}\naisle/3:{ONE}"))
    fewer = Ring.parse(f"aisle/2:{TWO}")
    assert ring.missing_in(fewer) == {"aisle/1", "reports/1"}
    assert not fewer.missing_in(ring)
    # A name whose secret is another is another key.
    assert ring.missing_in(Ring.parse(TEXT.replace(THREE, ONE))) == {"reports/1"}


def test_lines_or_commas_name_keys_and_versions() -> None:
    ring = Ring.parse(TEXT)
    assert ring.identities == ["aisle/1", "aisle/2", "reports/1"]
    assert Ring.parse(f"aisle/10:{ONE},aisle/9:{TWO}").newest("aisle") == "aisle/10"
    assert ring.newest("reports") == "reports/1"
    with pytest.raises(KeyNotFound):
        ring.newest("other")


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"reports/1:{ONE}",
        f"aisle:{ONE}",
        f"aisle/0:{ONE}",
        f"aisle/x:{ONE}",
        f"aisle/1:{ONE[:-4]}",
        f"aisle/1:{ONE}{ONE}",
        f"aisle/1:{ONE},aisle/1:{TWO}",
        "aisle/1:secret-that-is-no-base64",
        f"a b/1:{ONE}",
        f"{'a' * 65}/1:{ONE}",
    ],
)
def test_what_is_no_ring_is_refused_without_a_word_of_its_keys(text: str) -> None:
    with pytest.raises(ValueError, match=r"entry|there is no key") as caught:
        Ring.parse(text)
    told = "".join(traceback.format_exception_only(caught.value))
    assert ONE[:8] not in told
    assert "secret-that" not in told


def test_neither_repr_nor_errors_have_keys() -> None:
    ring = Ring.parse(TEXT)
    assert repr(ring) == "Ring(aisle/1, aisle/2, reports/1)"


def wrapped(ring: Ring, name: str = "aisle", mode: str = "AES256", context: str = "") -> Sealed:
    identity, data = ring.wrap(name, SECRET, mode=mode, context=context)
    return Sealed(mode, identity, data, context)


def test_the_newest_version_wraps_and_all_of_them_open() -> None:
    before, ring = Ring.parse(f"aisle/1:{ONE}"), Ring.parse(TEXT)
    old, new = wrapped(before), wrapped(ring)
    assert (old.key, new.key) == ("aisle/1", "aisle/2")
    assert ring.unwrap(old) == ring.unwrap(new) == SECRET
    with pytest.raises(KeyUnusable):
        before.unwrap(new)


def test_a_wrapped_key_is_never_the_same_twice() -> None:
    ring = Ring.parse(TEXT)
    assert wrapped(ring).wrapped != wrapped(ring).wrapped
    assert SECRET not in wrapped(ring).wrapped


@pytest.mark.parametrize(
    "change",
    [
        {"mode": "aws:kms"},
        {"context": '{"a":"b"}'},
        {"key": "aisle/1"},
        {"key": "reports/1"},
        {"key": "gone/1"},
        {"key": ""},
        {"wrapped": b""},
        {"wrapped": b"x" * 64},
    ],
)
def test_what_is_said_of_a_wrapped_key_cannot_be_changed(change: dict[str, object]) -> None:
    ring = Ring.parse(TEXT)
    with pytest.raises(KeyUnusable):
        ring.unwrap(msgspec.structs.replace(wrapped(ring), **change))


def test_a_ring_with_another_key_of_that_name_does_not_open_it() -> None:
    with pytest.raises(KeyUnusable):
        Ring.parse(f"aisle/2:{THREE}").unwrap(wrapped(Ring.parse(TEXT)))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("", "aisle"),
        ("aws/s3", "aisle"),
        ("alias/aws/s3", "aisle"),
        ("reports", "reports"),
        ("alias/reports", "reports"),
        ("arn:aws:kms:us-east-1:000000000000:key/reports", "reports"),
        ("arn:aws:kms:us-east-1:000000000000:alias/reports", "reports"),
        ("arn:aws:kms:us-east-1:0:key/reports", "arn:aws:kms:us-east-1:0:key/reports"),
    ],
)
def test_keys_have_the_names_that_clients_write(text: str, name: str) -> None:
    assert key_name(text) == name
    assert is_arn(text) == text.startswith("arn:aws:kms:us-east-1:000000000000:key/")


@given(st.text())
def test_no_name_of_a_key_breaks_anything(text: str) -> None:
    ring = Ring.parse(TEXT)
    name = key_name(text)
    if name not in ("aisle", "reports"):
        with pytest.raises(KeyNotFound):
            ring.newest(name)


def test_a_new_key_is_the_next_version() -> None:
    assert fresh_line("", "aisle").startswith("aisle/1:")
    assert fresh_line(TEXT, "aisle").startswith("aisle/3:")
    line = fresh_line(TEXT, "new")
    assert Ring.parse(TEXT + line).newest("new") == "new/1"
    with pytest.raises(ValueError, match="64 letters"):
        fresh_line(TEXT, "a/b")
