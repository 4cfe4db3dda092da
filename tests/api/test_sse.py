"""Headers of encryption: whatever a client sends is a wish, a key, or an error of S3's."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aisle.api.s3 import sse
from aisle.api.s3.errors import S3Error
from aisle.core.errors import InvalidArgument
from aisle.core.http import RequestHead
from aisle.core.redaction import redact, redact_canonical
from aisle.namespace.sealing.wishes import MODES

KEY = b"k" * 32
TEXT = base64.b64encode(KEY).decode()
PREFIX = "x-amz-server-side-encryption"
GIVEN = {
    f"{PREFIX}-customer-algorithm": "AES256",
    f"{PREFIX}-customer-key": TEXT,
    f"{PREFIX}-customer-key-md5": base64.b64encode(hashlib.md5(KEY).digest()).decode(),
}
SUFFIXES = (
    "", "-aws-kms-key-id", "-context", "-bucket-key-enabled", "-customer-algorithm",
    "-customer-key", "-customer-key-md5", "-unknown",
)  # fmt: skip


def head(headers: dict[str, str]) -> RequestHead:
    return RequestHead("PUT", b"/bucket/key", b"", headers)


values = st.one_of(
    st.sampled_from([*MODES, "true", "false", "", "reports", TEXT, *GIVEN.values()]),
    st.text(st.characters(max_codepoint=255), max_size=60),
    st.binary(max_size=40).map(lambda data: base64.b64encode(data).decode()),
    st.text(max_size=20).map(lambda text: base64.b64encode(text.encode()).decode()),
)


@given(st.dictionaries(st.sampled_from([PREFIX + suffix for suffix in SUFFIXES]), values))
def test_no_headers_are_more_than_an_error(headers: dict[str, str]) -> None:
    key = headers.get(f"{PREFIX}-customer-key", "")
    for read in (sse.wish, sse.reading, sse.customer_key):
        told = ""
        try:
            read(head(headers))
        except (InvalidArgument, S3Error) as error:
            told = str(error)
        assert len(key) <= 8 or key not in told


@given(st.dictionaries(st.sampled_from(sorted(GIVEN)), values, min_size=1))
def test_only_a_whole_key_is_one(change: dict[str, str]) -> None:
    sent = GIVEN | change
    try:
        key = sse.customer_key(head(sent))
    except (InvalidArgument, S3Error):
        return
    assert hashlib.md5(key).digest() == base64.b64decode(sent[f"{PREFIX}-customer-key-md5"])
    assert len(key) == 32


@pytest.mark.parametrize("name", sorted(GIVEN))
def test_no_part_of_a_key_may_be_missing(name: str) -> None:
    sent = {other: text for other, text in GIVEN.items() if other != name}
    with pytest.raises(InvalidArgument):
        sse.customer_key(head(sent))


def test_the_key_of_a_source_is_apart() -> None:
    moved = {name.replace("x-amz-", "x-amz-copy-source-"): text for name, text in GIVEN.items()}
    assert sse.customer_key(head(moved), sse.SOURCE) == KEY
    assert sse.customer_key(head(moved)) == b""
    assert sse.wish(head(moved)) is None


def test_a_wish_says_nothing_of_the_key() -> None:
    wish = sse.wish(head(GIVEN))
    assert wish is not None
    assert wish.customer == KEY
    assert "kkkk" not in repr(wish)


def test_no_text_that_is_kept_has_a_key() -> None:
    for prefix in ("x-amz-", "x-amz-copy-source-"):
        line = f"{prefix}server-side-encryption-customer-key:{TEXT}"
        assert TEXT not in redact(f"headers: {line}")
        canonical = f"GET\n/b/k\n\nhost:s3\n{line}\n\nhost\nUNSIGNED-PAYLOAD"
        assert TEXT not in redact_canonical(canonical)
        assert redact_canonical(canonical).startswith("GET\n/b/k\n\nhost:s3\n")
        assert redact_canonical(canonical).endswith("\n\nhost\nUNSIGNED-PAYLOAD")
