"""JSON without type tags, for those who speak nothing else.

Instants are ISO texts, sets arrays, undefined and NaN null. Integers are numbers of any size, as
JSON has them: unlike on the wire, nobody here is taken for JavaScript. A Map whose keys are texts,
numbers or booleans is an object, any other an array of pairs.
"""

from __future__ import annotations

import json
import math
from datetime import datetime
from typing import Any, assert_never

import msgspec

from .dates import JsDate, format_datetime
from .errors import JsonSyntaxError
from .js_collections import JsMap, JsSet
from .json_text import bounded, number_text, refuse_constant, split_envelope, too_deep, write_json
from .limits import Limits
from .scalars import RegExp
from .tags import BIGINT, MAP
from .typed_json import loads
from .undefined import Undefined

_UNLIKE_JSON = (BIGINT, MAP)
"""The tags of what stands otherwise in an envelope than it does here."""


def read_plain_json(text: bytes, limits: Limits | None = None) -> Any:
    """Read JSON text; integers keep all their digits.

    Raises:
        JsonSyntaxError: Not JSON, not UTF-8, too large or too deep, or an integer of more digits
            than Python reads.
    """
    limits = limits or Limits()
    payload = bounded(text, limits)
    try:
        return json.loads(payload.decode(), parse_constant=refuse_constant)
    except RecursionError:
        raise too_deep(limits) from None
    except ValueError as error:
        raise JsonSyntaxError(f"not JSON: {error}") from None


def plain_json(payload: bytes) -> bytes:
    """Write the value of an envelope that this codec wrote; undefined becomes null."""
    text, meta = split_envelope(payload)
    if text is None:
        return b"null"
    if not any(tag in _UNLIKE_JSON for tag, *_ in meta or ()):
        return bytes(text)  # the rest is the same with its tags and without
    return write_json(_plain(loads(payload)))


def _plain(value: Any) -> object:
    match value:
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case list() | JsSet():
            return [_plain(item) for item in value]
        case JsMap():
            return _plain_map(value)
        case str():
            return str(value)  # a URL is a kind of text
        case bool() | None:
            return value
        case int():
            return msgspec.Raw(str(value).encode())  # of any size
        case float():
            return None if math.isnan(value) else value
        case _:
            return _plain_object(value)


def _plain_object(value: datetime | JsDate | RegExp | Undefined) -> str | None:
    match value:
        case datetime():
            return format_datetime(value)
        case JsDate():
            return None if value.epoch_ms is None else str(value)
        case RegExp():
            return str(value)
        case Undefined():
            return None
        case _:
            assert_never(value)


def _plain_map(value: JsMap[Any, Any]) -> object:
    keys = [_text_of_key(key) for key in value]
    if None in keys:
        return [[_plain(key), _plain(item)] for key, item in value.items()]
    return {key: _plain(item) for key, item in zip(keys, value.values(), strict=True)}


def _text_of_key(key: object) -> str | None:
    match key:
        case bool():
            return "true" if key else "false"
        case str():
            return str(key)
        case int():
            return str(key)
        case float() if math.isfinite(key):
            return number_text(key)
        case _:
            return None
