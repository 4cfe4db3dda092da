"""Every target, for a moment: its own inputs, and many made from them by damage."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS

EXAMPLES = 150


@st.composite
def damaged(draw: st.DrawFn, name: str) -> bytes:
    """One of a target's inputs with a few pieces cut out, doubled, replaced or put in."""
    seeds = TARGETS[name].seeds
    data = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(data)))
        stop = draw(st.integers(start, min(len(data), start + 40)))
        other = draw(st.sampled_from(seeds))
        at = draw(st.integers(0, len(other)))
        piece = draw(
            st.one_of(
                st.just(b""),
                st.just(data[start:stop] * 2),
                st.just(other[at : at + 40]),
                st.binary(max_size=12),
                st.sampled_from([b"\0", b"%", b"\r\n", b"\n", b",", b";", b"\xff\xfe", b'"', b"<"]),
            )
        )
        data = data[:start] + piece + data[stop:]
    return data


@pytest.mark.parametrize("name", TARGETS)
def test_a_reader_of_strangers_bytes_refuses_in_order(name: str) -> None:
    target = TARGETS[name]
    for seed in target.seeds:
        target.run(seed)

    @settings(max_examples=EXAMPLES)
    @given(st.one_of(damaged(name), st.binary(max_size=200)))
    def feed(data: bytes) -> None:
        target.run(data)

    feed()
