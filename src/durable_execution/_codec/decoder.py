"""Plain JSON, type tags and files to a value (WIRE.md 2.3 and 3). Trusts nobody."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from .dates import parse_date
from .dialect import Dialect
from .errors import RejectedEnvelope, path_text
from .js_collections import JsMap, JsSet
from .json_text import number_text
from .limits import Limits
from .scalars import BigInt, RegExp, Url
from .tags import BIGINT, DATE, MAP, NAN, REGEXP, SET, UNDEFINED_TAG, URL, WRITTEN
from .undefined import UNDEFINED

Decode = Callable[[Any], object]

_BIGINT = re.compile(r"-?(?:0|[1-9][0-9]*)", re.ASCII)
_INDEX = re.compile(r"0|[1-9][0-9]{0,15}", re.ASCII)


def built_in_tags(limits: Limits, dialect: Dialect = "v1") -> dict[int | str, Decode]:
    """Give the table of tag to decoder; a decoder raises ValueError for a value that is unfit.

    Version 1 must ignore the tags of version 2; version 2 would refuse those of version 1, but no
    message can mean both, so that a reader of version 2 takes either (WIRE.md 11.3).
    """

    def bigint(json: object) -> BigInt:
        text = _expect_text(json)
        digits = len(text) - text.startswith("-")
        if digits > limits.max_bigint_digits or not _BIGINT.fullmatch(text):
            raise ValueError(
                f"expected a decimal integer of at most {limits.max_bigint_digits} digits"
            )
        return BigInt(text)

    by_number: dict[int | str, Decode] = {
        BIGINT: bigint,
        DATE: lambda json: parse_date("" if json is None else _expect_text(json)),
        NAN: lambda json: _expect_null(json, math.nan),
        UNDEFINED_TAG: lambda json: _expect_null(json, UNDEFINED),
        URL: lambda json: Url.parse(_expect_text(json)),
        REGEXP: lambda json: RegExp.parse(_expect_text(json)),
        SET: lambda json: JsSet(_expect_list(json)),
        MAP: lambda json: JsMap(map(_pair, _expect_list(json))),
    }
    return by_number | dict(zip(WRITTEN[dialect], by_number.values(), strict=True))


def decode(
    json: object,
    meta: object,
    tags: Mapping[int | str, Decode],
    limits: Limits,
    *,
    dialect: Dialect = "v1",
) -> object:
    """Apply the meta entries in order, changing `json` in place, and give the value.

    Raises:
        RejectedEnvelope: an entry points nowhere, or at a value that does not fit its tag; in
            version 2 also an unknown tag.
    """
    root = [json]
    is_lenient = dialect == "v1"
    for entry in _entries(meta, limits, is_lenient=is_lenient):
        decode_tag = _tag_decoder(entry, tags)
        if decode_tag is not None:
            _apply(decode_tag, entry, root)
        elif not is_lenient:
            raise RejectedEnvelope("meta: an entry without a known tag")
    return root[0]


def place_files(
    json: object, maps: object, files: Mapping[str, object], *, max_depth: int
) -> object:
    """Put files where `maps` says, changing `json` in place, and give the value (WIRE.md 3).

    Args:
        json: Plain JSON values, with placeholders of any kind.
        maps: Paths, in the order of the files; none when missing.
        files: By the name of their part: "0", "1" and so on.
        max_depth: Bound for the length of a path.

    Raises:
        RejectedEnvelope: a path points nowhere, or its file is missing.
    """
    if maps is None:
        return json
    if type(maps) is not list:
        raise RejectedEnvelope(f"maps: expected an array, got {type(maps).__name__}")
    root = [json]
    for index, path in enumerate(maps):
        if str(index) not in files:
            raise RejectedEnvelope(f"maps[{index}]: there is no file part named {index}")
        if type(path) is not list or len(path) > max_depth:
            raise RejectedEnvelope(f"maps[{index}]: expected a path, an array")
        container, key = _place([None, *path], root)
        container[key] = files[str(index)]
    return root[0]


def _entries(meta: object, limits: Limits, *, is_lenient: bool) -> list[object]:
    if meta is None or meta is UNDEFINED or (is_lenient and isinstance(meta, str)):
        return []
    if not isinstance(meta, list):
        raise RejectedEnvelope(f"meta: expected an array, got {type(meta).__name__}")
    if len(meta) > limits.max_meta_entries:
        raise RejectedEnvelope(
            f"meta: {len(meta)} entries; at most {limits.max_meta_entries} are accepted"
        )
    return meta


def _tag_decoder(entry: object, tags: Mapping[int | str, Decode]) -> Decode | None:
    """Find the decoder of an entry; what is no entry or has an unknown tag means nothing."""
    if entry is None:
        raise RejectedEnvelope("meta: null is not an entry")
    if type(entry) is not list or not entry:
        return None
    tag = entry[0]
    # By exact type, because True and 1 are the same key to a dict, but not to JavaScript.
    return tags.get(tag) if type(tag) in (int, float, str) else None


def _place(entry: Any, root: list[object]) -> tuple[Any, Any]:
    """The container and the key an entry leads to; every step has to exist."""
    container: Any = root
    key: Any = 0
    for segment in entry[1:]:
        container, key = container[key], _own_key(container[key], segment)
        if key is None:
            raise RejectedEnvelope(f"{_where(entry)}: {segment!r} does not exist")
    return container, key


def _apply(decode_tag: Decode, entry: Any, root: list[object]) -> None:
    container, key = _place(entry, root)
    try:
        container[key] = decode_tag(container[key])
    except RejectedEnvelope:
        raise
    except Exception as error:
        # Whatever a rule of the application raises, the sender provoked it.
        raise RejectedEnvelope(f"{_where(entry)}: type {entry[0]!r}: {error}") from error


def _own_key(container: object, segment: object) -> str | int | None:
    """Give the key under which this container has the segment as its own property, or None."""
    if type(container) is dict:
        name = segment if type(segment) is str else _property_name(segment)
        return name if name in container else None
    if type(container) is list:
        index = segment if type(segment) is int else _index(segment)
        return index if index is not None and 0 <= index < len(container) else None
    return None


def _index(segment: object) -> int | None:
    name = _property_name(segment)
    return int(name) if name is not None and _INDEX.fullmatch(name) else None


def _property_name(segment: object) -> str | None:
    """Name a property as JavaScript would when indexing with this value."""
    if isinstance(segment, str):
        return segment
    if isinstance(segment, bool):
        return "true" if segment else "false"
    if segment is None:
        return "null"
    if isinstance(segment, (int, float)) and math.isfinite(segment):
        return number_text(float(segment))
    return None


def _expect_text(json: object) -> str:
    if not isinstance(json, str) or isinstance(json, Url):
        raise ValueError("expected a string")
    return json


def _expect_null(json: object, value: object) -> object:
    if json is not None:
        raise ValueError("expected null")
    return value


def _expect_list(json: object) -> list[Any]:
    if type(json) is not list:
        raise ValueError("expected an array")
    return json


def _pair(entry: object) -> tuple[object, object]:
    if type(entry) is list:
        key, value = [*entry[:2], UNDEFINED, UNDEFINED][:2]
        return key, value
    if type(entry) is dict:
        return entry.get("0", UNDEFINED), entry.get("1", UNDEFINED)
    raise ValueError("expected an array of pairs")


def _where(entry: Any) -> str:
    segments = (s if type(s) in (int, str) else str(s) for s in entry[1:])
    return path_text(tuple(segments))
