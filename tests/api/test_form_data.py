"""Forms as streams: the same parts come out however the bytes were cut, and nothing is a bug."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aisle.api.s3.formdata import (
    MAX_HEAD,
    End,
    Event,
    FormError,
    FormParser,
    Part,
    boundary_of,
)

FORM = (
    b"a preamble\r\n"
    b'--b\r\nContent-Disposition: form-data; name="key"\r\n\r\nup/${filename}\r\n'
    b'--b  \r\nContent-Disposition: form-data; name="empty"\r\n\r\n\r\n'
    b"--b\r\ncontent-type: text/plain\r\nCONTENT-disposition:form-data;name=file; "
    b'filename="a \\"b\\" %22c%22.txt"\r\n\r\n'
    b"data with \r\n and \r\n- and \r\n--a and \r\n\r\n--\r\n"
    b"--b--\r\nan epilogue"
)
PARTS: list[tuple[Part, bytes]] = [
    (Part("key", None), b"up/${filename}"),
    (Part("empty", None), b""),
    (
        Part("file", 'a "b" "c".txt'),
        b"data with \r\n and \r\n- and \r\n--a and \r\n\r\n--",
    ),
]


def parse(pieces: Iterable[bytes], boundary: bytes = b"b") -> list[tuple[Part, bytes]]:
    """Whole parts out of pieces; raises if the form did not end."""
    parser = FormParser(boundary)
    events: list[Event] = []
    for piece in pieces:
        events += parser.feed(piece)
    if not parser.ended:
        raise FormError("the form has not ended")
    parts: list[tuple[Part, bytes]] = []
    open_part: Part | None = None
    data = b""
    for event in events[:-1]:
        if isinstance(event, Part):
            assert open_part is None
            open_part, data = event, b""
        elif isinstance(event, bytes):
            assert event
            data += event
        else:
            assert event is End.PART
            assert open_part is not None
            parts.append((open_part, data))
            open_part = None
    assert events[-1] is End.FORM
    return parts


@pytest.mark.parametrize("at", range(len(FORM) + 1))
def test_a_form_may_be_cut_anywhere(at: int) -> None:
    assert parse([FORM[:at], FORM[at:]]) == PARTS


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 64])
def test_a_form_may_come_in_pieces_of_any_size(size: int) -> None:
    assert parse(FORM[at : at + size] for at in range(0, len(FORM), size)) == PARTS


@given(st.data())
def test_what_was_written_is_read(data: st.DataObject) -> None:
    alphabet = st.sampled_from([b"\r", b"\n", b"-", b"b", b"\r\n--", b"\r\n--bx"[:5], b"x"])
    bodies = data.draw(
        st.lists(
            st.lists(alphabet, max_size=12)
            .map(b"".join)
            .filter(lambda body: b"\r\n--bb" not in b"\r\n" + body + b"\r\n"),
            max_size=4,
        )
    )
    form = b"".join(
        b'--bb\r\nContent-Disposition: form-data; name="%d"\r\n\r\n%b\r\n' % (number, body)
        for number, body in enumerate(bodies)
    )
    form += b"--bb--"
    cuts = sorted(data.draw(st.lists(st.integers(0, len(form)), max_size=6)))
    pieces = [form[a:b] for a, b in zip([0, *cuts], [*cuts, len(form)], strict=True)]
    assert parse(pieces, b"bb") == [
        (Part(str(number), None), body) for number, body in enumerate(bodies)
    ]


@given(st.lists(st.sampled_from([FORM, FORM[:40], b"--b", b"\r\n", b"--", b"\0", b" "])))
def test_no_bytes_are_a_bug(pieces: list[bytes]) -> None:
    parser = FormParser(b"b")
    try:
        for piece in pieces:
            for event in parser.feed(piece):
                assert isinstance(event, Part | bytes | End)
    except FormError:
        pass


@pytest.mark.parametrize(
    "form",
    [
        b"",
        b"--b",
        b"--b\r\n",
        b"--bx\r\n",
        b"--b-\r\n",
        b'--b\r\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n--b--',
        b"--b" + b" " * 100 + b"\r\n",
        b"--b\r\n\r\ndata\r\n--b--",
        b'--b\r\nContent-Disposition: attachment; name="a"\r\n\r\n\r\n--b--',
        b"--b\r\nContent-Disposition: form-data\r\n\r\n\r\n--b--",
        b'--b\r\nContent-Disposition: form-data; name="a"; name="b"\r\n\r\n\r\n--b--',
        b'--b\r\nContent-Disposition: form-data; name="a"\r\nX: ' + b"x" * MAX_HEAD,
        b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\ndata\r\n--b',
        b"--b\r\nContent-Disposition: form-data; name=a; filename*=latin1''b\r\n\r\n\r\n--b--",
    ],
)
@pytest.mark.parametrize("whole", [True, False])
def test_what_is_no_form_is_refused(form: bytes, whole: bool) -> None:
    pieces = [form] if whole else [form[at : at + 1] for at in range(len(form))]
    with pytest.raises(FormError):
        parse(pieces)


def test_little_is_held_of_a_large_part() -> None:
    parser = FormParser(b"b")
    head = b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\n'
    assert list(parser.feed(head)) == [Part("file", None)]
    piece = b"\r\n--" * 1000
    before = parser.overhead
    for _ in range(100):
        given_out = sum(len(event) for event in parser.feed(piece) if isinstance(event, bytes))
        assert given_out >= len(piece) - 8
    assert parser.overhead == before


def test_what_is_no_part_counts_as_overhead() -> None:
    parser = FormParser(b"b")
    list(parser.feed(b"x" * 10_000))
    assert parser.overhead == 10_002
    parser = FormParser(b"b")
    list(parser.feed(FORM))
    assert parser.overhead == len(FORM) + 2 - sum(len(data) for _, data in PARTS)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ('"a.txt"', "a.txt"),
        ("a.txt", "a.txt"),
        ('"C:\\dir\\a.txt"', "C:\\dir\\a.txt"),
        ('"\u20ac.txt"', "\u20ac.txt"),
        ('"a%0D%0Ab"', "a\r\nb"),
        ('"100%"', "100%"),
        ('"a;b=c"', "a;b=c"),
        ("ignored; filename*=UTF-8''%e2%82%ac.txt", "\u20ac.txt"),
    ],
)
def test_a_filename_is_what_browsers_mean(told: str, expected: str) -> None:
    head = f'--b\r\nContent-Disposition: form-data; name="file"; filename={told}\r\n\r\n'
    assert list(FormParser(b"b").feed(head.encode())) == [Part("file", expected)]


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("multipart/form-data; boundary=abc", b"abc"),
        ("Multipart/Form-Data;charset=utf-8; BOUNDARY=abc", b"abc"),
        ('multipart/form-data; boundary="a b:c"', b"a b:c"),
        (
            "multipart/form-data; boundary=----WebKitFormBoundaryAb1; x=y",
            b"----WebKitFormBoundaryAb1",
        ),
        (f"multipart/form-data; boundary={'a' * 70}", b"a" * 70),
    ],
)
def test_the_boundary_is_what_the_content_type_says(content_type: str, expected: bytes) -> None:
    assert boundary_of(content_type) == expected


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "multipart/mixed; boundary=a",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        'multipart/form-data; boundary=""',
        'multipart/form-data; boundary="a "',
        f"multipart/form-data; boundary={'a' * 71}",
        "multipart/form-data; boundary=a\x00",
    ],
)
def test_without_a_boundary_there_is_no_form(content_type: str) -> None:
    with pytest.raises(FormError):
        boundary_of(content_type)
