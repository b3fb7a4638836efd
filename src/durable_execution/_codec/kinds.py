"""How each kind of value is encoded: the table, and one function per kind (WIRE.md 2 and 2.2)."""

from __future__ import annotations

import base64
import dataclasses
import math
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import msgspec

from .blob import Blob, is_upload
from .dates import JsDate, format_datetime
from .encoded import Encoded
from .js_collections import JsMap, JsSet
from .json_text import number_text, split_envelope
from .plain import is_plain_leaf
from .scalars import MAX_SAFE_INTEGER, BigInt, RegExp, Url
from .tags import BIGINT, DATE, MAP, NAN, REGEXP, SET, URL
from .undefined import UNDEFINED, Undefined

if TYPE_CHECKING:
    from .encoder import Walk

Visit = Callable[["Walk", Any], object]

_ONLY_TEXT: Final = frozenset({str})


def by_nature(value: object) -> Visit:
    """Find how to encode a value whose exact type is not in `BY_TYPE`."""
    for base, visit in _BY_BASE:
        if isinstance(value, base):
            return visit
    if not isinstance(value, type):
        if dataclasses.is_dataclass(value):
            return _dataclass
        if callable(getattr(value, "model_dump", None)):
            return _pydantic_model
        if is_upload(value):
            return _file
    return _refuse


def _itself(walk: Walk, value: object) -> object:
    return value


def _undefined(walk: Walk, value: object) -> object:
    return UNDEFINED


def _int(walk: Walk, value: int) -> object:
    return value if -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER else _bigint(walk, value)


def _bigint(walk: Walk, value: int) -> object:
    most = walk.limits.max_bigint_digits
    try:
        digits = int.__repr__(value)
    except ValueError:
        raise walk.error(f"an integer of more than {most} digits") from None
    if len(digits) - (value < 0) > most:
        raise walk.error(f"an integer of more than {most} digits")
    return walk.tagged(BIGINT, digits)


def _float(walk: Walk, value: float) -> object:
    if math.isnan(value):
        return walk.tagged(NAN, None)
    if math.isinf(value):
        raise walk.error("infinity would arrive as null; send a string or None instead")
    if value.is_integer() and abs(value) <= MAX_SAFE_INTEGER:
        return int(value)
    return float(value) if is_plain_leaf(value) else msgspec.Raw(number_text(value).encode())


def _text(walk: Walk, value: str) -> str:
    return str.__str__(value)


def _url(walk: Walk, value: Url) -> object:
    return walk.tagged(URL, str.__str__(value))


def _regexp(walk: Walk, value: RegExp) -> object:
    return walk.tagged(REGEXP, str(value))


def _pattern(walk: Walk, value: re.Pattern[Any]) -> object:
    if isinstance(value.pattern, bytes):
        raise walk.error("a bytes pattern; compile it from a str")
    return _regexp(walk, RegExp.from_pattern(value))


def _datetime(walk: Walk, value: datetime) -> object:
    if value.tzinfo is not UTC and value.utcoffset() is None:
        raise walk.error("naive datetime; give it a tzinfo, such as datetime.UTC")
    return walk.tagged(DATE, format_datetime(value))


def _js_date(walk: Walk, value: JsDate) -> object:
    return walk.tagged(DATE, None if value.epoch_ms is None else str(value))


def _array(walk: Walk, value: Iterable[object]) -> object:
    return walk.array(value)


def _set(walk: Walk, value: Iterable[object]) -> object:
    return walk.tagged(SET, walk.array(value))


def _map(walk: Walk, value: Mapping[Any, object]) -> object:
    walk.enter(value)
    pairs = walk.array([list(pair) for pair in value.items()])
    walk.leave(value)
    return walk.tagged(MAP, pairs)


def _mapping(walk: Walk, value: Mapping[Any, object]) -> object:
    """A mapping with text keys is an object; with any other key it has to be a Map."""
    if _ONLY_TEXT.issuperset(map(type, value)):
        return walk.properties(value, value.items())
    if all(isinstance(key, str) and not isinstance(key, Url) for key in value):
        return walk.properties(value, ((_key(key), item) for key, item in value.items()))
    return _map(walk, value)


def _key(key: str) -> str:
    plain = key.value if isinstance(key, Enum) else key
    return str.__str__(plain)


def _enum(walk: Walk, value: Enum) -> object:
    return walk.visit(value.value)


def _struct(walk: Walk, value: msgspec.Struct) -> object:
    config = value.__struct_config__
    items = [getattr(value, name) for name in value.__struct_fields__]
    if config.array_like:
        return walk.array(items if config.tag is None else [config.tag, *items])
    pairs = [
        (name, item)
        for name, item in zip(value.__struct_encode_fields__, items, strict=True)
        if item is not msgspec.UNSET
    ]
    if config.tag is not None and config.tag_field is not None:
        pairs.insert(0, (config.tag_field, config.tag))
    return walk.properties(value, pairs)


def _dataclass(walk: Walk, value: Any) -> object:
    names = (field.name for field in dataclasses.fields(value))
    return walk.properties(value, ((name, getattr(value, name, UNDEFINED)) for name in names))


def _pydantic_model(walk: Walk, value: Any) -> object:
    walk.enter(value)
    json = walk.visit(value.model_dump(by_alias=True))
    walk.leave(value)
    return json


def _as_msgspec_does(walk: Walk, value: object) -> object:
    return msgspec.to_builtins(value)


def _bytes(walk: Walk, value: bytes | bytearray | memoryview) -> object:
    return base64.b64encode(value).decode()


def _path(walk: Walk, value: PurePath) -> object:
    return str(value)


def _encoded(walk: Walk, value: Encoded) -> object:
    try:
        json, meta = split_envelope(value.payload)
    except (ValueError, RecursionError) as error:
        raise walk.error(f"Encoded holds no envelope: {error}") from None
    if json is None:
        return UNDEFINED
    for entry in meta or ():
        if type(entry) is not list or not entry:
            raise walk.error("Encoded holds an envelope with malformed meta")
        walk.adopt(entry)
    return json


def _file(walk: Walk, value: object) -> object:
    return walk.attach(value)


def _refuse(walk: Walk, value: object) -> object:
    name = f"{type(value).__module__}.{type(value).__qualname__}"
    if isinstance(value, Awaitable):
        raise walk.error(f"a value of type {name} cannot be encoded; await it first")
    raise walk.error(
        f"a value of type {name} cannot be encoded; use plain values, a dataclass, "
        "a msgspec.Struct or a pydantic model, or give the codec a Rule"
    )


BY_TYPE: dict[type, Visit] = {
    type(None): _itself,
    bool: _itself,
    str: _itself,
    int: _int,
    float: _float,
    dict: _mapping,
    list: _array,
    tuple: _array,
    Undefined: _undefined,
    msgspec.UnsetType: _undefined,
    BigInt: _bigint,
    datetime: _datetime,
    JsDate: _js_date,
    JsMap: _map,
    JsSet: _set,
    set: _set,
    frozenset: _set,
    Url: _url,
    RegExp: _regexp,
    re.Pattern: _pattern,
    Encoded: _encoded,
    UUID: _as_msgspec_does,
    Decimal: _as_msgspec_does,
    date: _as_msgspec_does,
    time: _as_msgspec_does,
    timedelta: _as_msgspec_does,
    bytes: _bytes,
    bytearray: _bytes,
    memoryview: _bytes,
}

# Subclasses, the narrower base first: an Enum may also be a str, a datetime is also a date.
_BY_BASE: tuple[tuple[type, Visit], ...] = (
    (Blob, _file),
    (Enum, _enum),
    (msgspec.Struct, _struct),
    (Url, _url),
    (BigInt, _bigint),
    (str, _text),
    (int, lambda walk, value: _int(walk, int(value))),
    (float, _float),
    (datetime, _datetime),
    (PurePath, _path),
    (JsMap, _map),
    (JsSet, _set),
    (Mapping, _mapping),
    (list, _array),
    (tuple, _array),
    (set, _set),
    (frozenset, _set),
)
