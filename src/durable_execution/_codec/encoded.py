"""A value that is encoded already."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .json_text import split_envelope, write_json
from .tags import DATE


@dataclass(frozen=True, slots=True)
class Encoded:
    """An envelope placed inside a value that is about to be encoded.

    The encoder copies its JSON text and moves its tags below the new place, decoding nothing: a
    stored payload reaches the wire as it is. An empty envelope (`{}`) counts as UNDEFINED. The
    text is trusted to be one that this codec wrote or has read.
    """

    payload: bytes


def encoded_object(properties: Mapping[str, object], dates: Iterable[str] = ()) -> Encoded:
    """Write an object at once, without the walk that finds out what needs a tag.

    Args:
        properties: Trusted to be plain JSON values in final form (see `json_text.write_json`), and
            `Encoded` ones, of which an empty envelope is left out.
        dates: The properties that hold an ISO text, as JavaScript writes it, and are dates.
    """
    meta: list[list[object]] = [[DATE, name] for name in dates]
    json: dict[str, object] = {}
    for name, value in properties.items():
        part: object = value
        if type(value) is Encoded:
            part, tags = split_envelope(value.payload)
            if part is None:
                continue
            meta += [[tag, name, *path] for tag, *path in tags or ()]
        json[name] = part
    return Encoded(write_json({"json": json, "meta": meta} if meta else {"json": json}))
