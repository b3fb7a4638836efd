"""Forms read piece by piece: what is in them, wherever they are cut, and what is no form."""

from __future__ import annotations

import itertools
from email.message import EmailMessage
from email.policy import HTTP
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from durable_execution.orpc._protocol.multipart import (
    MAX_HEADER_BYTES,
    MultipartError,
    MultipartReader,
    PartEnd,
    PartStart,
    boundary_of,
    form_end,
    part_head,
)

Part = tuple[str, str | None, str, bytes]

NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00%"), max_size=20)
CONTENTS = st.binary(max_size=60) | st.lists(
    st.sampled_from([b"\r", b"\n", b"-", b"--", b"--B", b"\r\n--", b"\r\n--B", b"x"]), max_size=8
).map(b"".join)


def written(parts: list[Part], boundary: str) -> bytes:
    pieces = []
    for name, filename, content_type, content in parts:
        pieces += [part_head(boundary, name, filename, content_type), content, b"\r\n"]
    return b"".join([*pieces, form_end(boundary)])


def read(form: bytes, cuts: list[int] | None = None, boundary: bytes = b"B") -> list[Part]:
    """The parts, of a form fed in pieces cut at these places."""
    reader = MultipartReader(boundary)
    places = [0, *sorted(cut % (len(form) + 1) for cut in cuts or []), len(form)]
    parts: list[Part] = []
    content: list[bytes] = []
    for start, end in itertools.pairwise(places):
        for event in reader.feed(form[start:end]):
            if isinstance(event, bytes):
                assert event
                content.append(event)
            elif isinstance(event, PartStart):
                parts.append((event.name, event.filename, event.content_type, b""))
                content = []
            else:
                assert isinstance(event, PartEnd)
                parts[-1] = (*parts[-1][:3], b"".join(content))
    reader.end()
    return parts


@given(
    st.lists(st.tuples(NAMES, st.none() | NAMES, st.just("text/x"), CONTENTS), max_size=4),
    st.lists(st.integers(0, 1 << 20), max_size=12),
)
@example([("data", None, "text/x", b"\r\n--B"), ("0", "", "text/x", b"")], [1, 2, 3, 40, 41, 42])
def test_what_is_written_is_read_back_wherever_it_is_cut(
    parts: list[Part], cuts: list[int]
) -> None:
    boundary = "----formdata-0123456789"
    form = written(parts, boundary) if parts else f"--{boundary}--\r\n".encode()
    assert read(form, cuts, boundary.encode()) == parts


def test_a_form_fed_byte_by_byte_is_the_same_form() -> None:
    parts: list[Part] = [("data", None, "a/b", b"{}"), ("0", "x.bin", "c/d", b"\r\n-\r\n--\r\n--X")]
    form = written(parts, "XY")
    assert read(form, list(range(len(form))), b"XY") == parts


@given(st.binary(max_size=80), st.lists(st.integers(0, 1 << 20), max_size=6))
def test_what_is_no_form_is_refused_and_nothing_else(noise: bytes, cuts: list[int]) -> None:
    for form in (noise, b"--B" + noise, b"--B\r\n" + noise, HEAD + noise):
        try:
            read(form, cuts)
        except MultipartError:
            continue
        assert form.rstrip(b"\r\n").endswith(b"--B--")


HEAD = b'--B\r\nContent-Disposition: form-data; name="0"; filename="f"\r\n\r\n'


def test_parts_of_another_writer_are_the_same_parts() -> None:
    message = EmailMessage(policy=HTTP)
    message.make_mixed(boundary="Q")
    part = EmailMessage(policy=HTTP)
    part.set_content(b"\x00\xff", maintype="image", subtype="png", cte="binary")
    part["Content-Disposition"] = 'form-data; name="0"; filename="a.png"'
    message.attach(part)
    form = message.as_bytes().partition(b"\r\n\r\n")[2]
    assert read(form, boundary=b"Q") == [("0", "a.png", "image/png", b"\x00\xff")]


@pytest.mark.parametrize(
    ("form", "parts"),
    [
        (b"--B--", []),
        (b"--B--\r\n", []),
        (
            b'--B\r\ncontent-disposition:form-data;name="a"\r\n\r\n\r\n--B--',
            [("a", None, "text/plain", b"")],
        ),
        (
            b'--B\r\nX-Other: 1\r\nCONTENT-TYPE: a/b\r\nContent-Disposition: form-data; name="a"; '
            b'filename="%22%0d%0A"\r\n\r\nx\r\n--B--\r\n',
            [("a", '"\r\n', "a/b", b"x")],
        ),
        (
            b'--B\r\nContent-Disposition: form-data; name="\xff"\r\n\r\nx\r\n--B--',
            [("\ufffd", None, "text/plain", b"x")],
        ),
    ],
)
def test_forms_as_strict_as_they_have_to_be(form: bytes, parts: list[Any]) -> None:
    assert read(form) == parts


@pytest.mark.parametrize(
    "form",
    [
        b"",
        b"--B",
        b"--B-",
        b"preamble\r\n--B--\r\n",
        b"\r\n--B--\r\n",
        b"--Bx\r\n",
        b"--B--\r\n\r\n",
        b"--B--\nepilogue",
        b"--B\n",
        b'--B\r\nContent-Disposition: form-data; name="a"\r\n\r\nx',
        b'--B\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n--B',
        b"--B\r\n\r\nx\r\n--B--",
        b"--B\r\nContent-Type: a/b\r\n\r\nx\r\n--B--",
        b"--B\r\nContent-Disposition: form-data\r\n\r\nx\r\n--B--",
        b'--B\r\nContent-Disposition: attachment; name="a"\r\n\r\nx\r\n--B--',
        b'--B\r\nContent-Disposition: form-data; name="a"; other="b"\r\n\r\nx\r\n--B--',
        b'--B\r\nContent-Disposition: form-data;\r\n name="a"\r\n\r\nx\r\n--B--',
        b'--B\r\nContent-Disposition: form-data; name="a"\nX: 1\r\n\r\nx\r\n--B--',
        b'--B\r\nno colon\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n--B--',
    ],
)
def test_what_node_would_not_read_is_refused(form: bytes) -> None:
    with pytest.raises(MultipartError):
        read(form)


def test_headers_without_an_end_are_not_collected() -> None:
    reader = MultipartReader(b"B")
    assert list(reader.feed(b"--B\r\nX: ")) == []
    assert list(reader.feed(b"x" * (MAX_HEADER_BYTES - 10))) == []
    with pytest.raises(MultipartError, match="longer than"):
        list(reader.feed(b"x" * 10))


def test_nothing_but_a_possible_delimiter_is_held_back() -> None:
    reader = MultipartReader(b"B")
    list(reader.feed(HEAD))
    assert list(reader.feed(b"x" * 100_000 + b"\r\n--")) == [b"x" * 100_000]
    assert list(reader.feed(b"\rabc")) == [b"\r\n--\rabc"]
    assert list(reader.feed(b"\r\n--")) == []
    assert list(reader.feed(b"\r" * 1000)) == [b"\r\n--" + b"\r" * 999]


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        ("multipart/form-data; boundary=abc", b"abc"),
        ('multipart/form-data; boundary="a b;c"', b"a b;c"),
        ("multipart/form-data; charset=utf-8; boundary=abc", b"abc"),
        ("multipart/form-data;BOUNDARY=abc;x=y", b"abc"),
    ],
)
def test_boundary_is_found(content_type: str, boundary: bytes) -> None:
    assert boundary_of(content_type) == boundary


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        'multipart/form-data; boundary=""',
        "multipart/form-data; boundary=" + "x" * 300,
        "multipart/form-data; xboundary=abc",
        "multipart/form-data" + ";" * 20_000,
    ],
)
def test_content_type_without_a_boundary_is_refused(content_type: str) -> None:
    with pytest.raises(MultipartError):
        boundary_of(content_type)
