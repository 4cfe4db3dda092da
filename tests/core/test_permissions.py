"""Permissions by name, to masks and back."""

import pytest

from aisle.core import permissions as p
from aisle.core.errors import InvalidArgument


@pytest.mark.parametrize(
    ("words", "mask"),
    [
        (["ro"], p.READ_ONLY),
        (["RW"], p.READ_WRITE),
        (["su"], p.EVERYTHING),
        (["get", " PUT "], p.GET | p.PUT),
        (["ro", "ADMIN"], p.READ_ONLY | p.ADMIN),
        ([], 0),
    ],
)
def test_names_make_a_mask(words: list[str], mask: int) -> None:
    assert p.mask_of(words) == mask


def test_everything_may_be_more_than_what_has_a_name() -> None:
    assert p.mask_of(["su"], everything=p.ACCESS_ALL) == p.ACCESS_ALL


def test_a_name_that_is_none_is_told_with_those_there_are() -> None:
    with pytest.raises(InvalidArgument, match=r'no permission "fly" .*ro, rw, su, GET, .*ADMIN'):
        p.mask_of(["GET", "fly"])


def test_a_mask_is_told_by_its_set_or_its_bits() -> None:
    assert p.names_of(p.READ_WRITE) == ["rw"]
    assert p.names_of(p.GET | p.ADMIN) == ["GET", "ADMIN"]
