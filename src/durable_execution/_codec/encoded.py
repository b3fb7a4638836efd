"""A value that is encoded already."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec

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
    meta: list[object] = [[DATE, name] for name in dates]
    json: dict[str, object] = {}
    for name, value in properties.items():
        part: object = value
        if type(value) is Encoded:
            part = encoded_part(name, value.payload, meta)
            if part is None:
                continue
        json[name] = part
    return enveloped(json, meta)


def encoded_part(name: str, payload: bytes, meta: list[object]) -> msgspec.Raw | None:
    """Give the JSON text of an envelope that becomes a property, and add its tags to `meta`.

    None when the envelope is empty: then the property is left out.
    """
    part, tags = split_envelope(payload)
    if part is not None and tags:
        meta += [[tag, name, *path] for tag, *path in tags]
    return part


def date_tag(name: str) -> msgspec.Raw:
    """Write the meta entry of a property that is a date."""
    return msgspec.Raw(write_json([DATE, name]))


def enveloped(json: object, meta: list[object]) -> Encoded:
    """Write a value in final form (see `json_text.write_json`) and its meta entries at once."""
    return Encoded(write_json({"json": json, "meta": meta} if meta else {"json": json}))
