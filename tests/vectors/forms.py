"""Recorded forms and ours differ in their boundaries, which are random."""

from __future__ import annotations


def without_boundary(content_type: str | None) -> str | None:
    """The content type alone, of a form; any other as it is."""
    is_form = content_type is not None and content_type.startswith("multipart/")
    return content_type.partition(";")[0] if content_type is not None and is_form else content_type


def with_boundary(body: str, content_type: str | None, boundary: str = "B") -> str:
    """A form with another boundary; any other body as it is."""
    if content_type is None or not content_type.startswith("multipart/"):
        return body
    own = content_type.partition("boundary=")[2]
    assert own
    assert f"--{own}--\r\n" in body
    return body.replace(own, boundary)
