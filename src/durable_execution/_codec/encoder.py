"""Value to plain JSON and type tags (WIRE.md 2.1, 2.2 and 2.4)."""

from __future__ import annotations

import base64
import dataclasses
import math
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any
from uuid import UUID

import msgspec

from .dates import JsDate, format_datetime
from .encoded import Encoded
from .errors import EncodeError
from .js_collections import JsMap, JsSet
from .json_text import number_text
from .limits import Limits
from .plain import is_plain_leaf
from .rule import Rule
from .scalars import MAX_SAFE_INTEGER, BigInt, RegExp, Url
from .undefined import UNDEFINED, Undefined

BIGINT, DATE, NAN, UNDEFINED_TAG, URL, REGEXP, SET, MAP = range(8)

Meta = list[list[Any]]


def encode(value: object, rules: tuple[Rule, ...], limits: Limits) -> tuple[object, Meta]:
    """Turn a value into plain JSON values and its meta entries; UNDEFINED stays what it is.

    Raises:
        EncodeError: some part has no form on the wire, or a limit is exceeded.
    """
    walk = _Walk(rules, limits)
    try:
        return walk.visit(value), walk.meta
    except RecursionError:
        raise walk.error(f"nested deeper than {limits.max_depth} levels") from None


class _Walk:
    """One encoding: where it is, what it is inside of, and the tags so far."""

    __slots__ = ("budget", "inside", "limits", "meta", "path", "rules")

    def __init__(self, rules: tuple[Rule, ...], limits: Limits) -> None:
        self.rules = rules
        self.limits = limits
        self.meta: Meta = []
        self.path: list[str | int] = []
        self.inside: set[int] = set()
        # Every value takes at least one byte and a comma, so no valid text has more of them.
        self.budget = limits.max_bytes

    def visit(self, value: object) -> object:
        self.budget -= 1
        if self.budget < 0:
            raise self.error(f"more values than fit into {self.limits.max_bytes} bytes")
        for rule in self.rules:
            if rule.matches(value):
                return self.visit_with(rule, value)
        encode_kind = _BY_TYPE.get(type(value))
        return encode_kind(self, value) if encode_kind else _by_nature(value)(self, value)

    def visit_with(self, rule: Rule, value: object) -> object:
        with _Inside(self, value):
            json = self.visit(rule.encode(value))
        if json is UNDEFINED:
            raise self.error(f"the rule with tag {rule.tag!r} encoded a value to UNDEFINED")
        return self.tagged(rule.tag, json)

    def tagged(self, tag: int | str, json: object) -> object:
        if len(self.meta) >= self.limits.max_meta_entries:
            raise self.error(f"more than {self.limits.max_meta_entries} values that need a tag")
        self.meta.append([tag, *self.path])
        return json

    def array(self, value: Iterable[object]) -> list[object]:
        result: list[object] = []
        with _Inside(self, value):
            for index, item in enumerate(value):
                self.path.append(index)
                json = self.visit(item)
                result.append(self.tagged(UNDEFINED_TAG, None) if json is UNDEFINED else json)
                self.path.pop()
        return result

    def properties(self, owner: object, pairs: Iterable[tuple[str, object]]) -> dict[str, object]:
        result: dict[str, object] = {}
        with _Inside(self, owner):
            for key, item in pairs:
                if key == "__proto__":
                    raise self.error('the key "__proto__" gets lost in JavaScript; rename it')
                self.path.append(key)
                json = self.visit(item)
                self.path.pop()
                if json is not UNDEFINED:
                    result[key] = json
        return result

    def error(self, problem: str) -> EncodeError:
        return EncodeError(tuple(self.path), problem)


class _Inside:
    """Guards one container while its parts are visited, against cycles and depth."""

    __slots__ = ("token", "walk")

    def __init__(self, walk: _Walk, container: object) -> None:
        self.walk = walk
        self.token = id(container)

    def __enter__(self) -> None:
        walk = self.walk
        if self.token in walk.inside:
            raise walk.error("the value contains itself; only trees can be encoded")
        if len(walk.inside) >= walk.limits.max_depth:
            raise walk.error(f"nested deeper than {walk.limits.max_depth} levels")
        walk.inside.add(self.token)

    def __exit__(self, *failure: object) -> None:
        self.walk.inside.discard(self.token)


_Visit = Callable[[_Walk, Any], object]


def _itself(walk: _Walk, value: object) -> object:
    return value


def _undefined(walk: _Walk, value: object) -> object:
    return UNDEFINED


def _int(walk: _Walk, value: int) -> object:
    return value if -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER else _bigint(walk, value)


def _bigint(walk: _Walk, value: int) -> object:
    most = walk.limits.max_bigint_digits
    try:
        digits = int.__repr__(value)
    except ValueError:
        raise walk.error(f"an integer of more than {most} digits") from None
    if len(digits) - (value < 0) > most:
        raise walk.error(f"an integer of more than {most} digits")
    return walk.tagged(BIGINT, digits)


def _float(walk: _Walk, value: float) -> object:
    if math.isnan(value):
        return walk.tagged(NAN, None)
    if math.isinf(value):
        raise walk.error("infinity would arrive as null; send a string or None instead")
    if value.is_integer() and abs(value) <= MAX_SAFE_INTEGER:
        return int(value)
    return float(value) if is_plain_leaf(value) else msgspec.Raw(number_text(value).encode())


def _text(walk: _Walk, value: str) -> str:
    return str.__str__(value)


def _url(walk: _Walk, value: Url) -> object:
    return walk.tagged(URL, str.__str__(value))


def _regexp(walk: _Walk, value: RegExp) -> object:
    return walk.tagged(REGEXP, str(value))


def _pattern(walk: _Walk, value: re.Pattern[Any]) -> object:
    if isinstance(value.pattern, bytes):
        raise walk.error("a bytes pattern; compile it from a str")
    return _regexp(walk, RegExp.from_pattern(value))


def _datetime(walk: _Walk, value: datetime) -> object:
    if value.tzinfo is None or value.utcoffset() is None:
        raise walk.error("naive datetime; give it a tzinfo, such as datetime.UTC")
    return walk.tagged(DATE, format_datetime(value))


def _js_date(walk: _Walk, value: JsDate) -> object:
    return walk.tagged(DATE, None if value.epoch_ms is None else str(value))


def _array(walk: _Walk, value: Iterable[object]) -> object:
    return walk.array(value)


def _set(walk: _Walk, value: Iterable[object]) -> object:
    return walk.tagged(SET, walk.array(value))


def _map(walk: _Walk, value: Mapping[Any, object]) -> object:
    with _Inside(walk, value):
        pairs = walk.array(list(pair) for pair in value.items())
    return walk.tagged(MAP, pairs)


def _mapping(walk: _Walk, value: Mapping[Any, object]) -> object:
    """A mapping with text keys is an object; with any other key it has to be a Map."""
    if all(isinstance(key, str) and not isinstance(key, Url) for key in value):
        return walk.properties(value, ((_key(key), item) for key, item in value.items()))
    return _map(walk, value)


def _key(key: str) -> str:
    plain = key.value if isinstance(key, Enum) else key
    return str.__str__(plain)


def _enum(walk: _Walk, value: Enum) -> object:
    return walk.visit(value.value)


def _struct(walk: _Walk, value: msgspec.Struct) -> object:
    config = value.__struct_config__
    items = [getattr(value, name) for name in value.__struct_fields__]
    if config.array_like:
        return walk.array(items if config.tag is None else [config.tag, *items])
    pairs = list(zip(value.__struct_encode_fields__, items, strict=True))
    if config.tag is not None and config.tag_field is not None:
        pairs.insert(0, (config.tag_field, config.tag))
    return walk.properties(value, pairs)


def _dataclass(walk: _Walk, value: Any) -> object:
    names = (field.name for field in dataclasses.fields(value))
    return walk.properties(value, ((name, getattr(value, name, UNDEFINED)) for name in names))


def _pydantic_model(walk: _Walk, value: Any) -> object:
    with _Inside(walk, value):
        return walk.visit(value.model_dump(by_alias=True))


def _as_msgspec_does(walk: _Walk, value: object) -> object:
    return msgspec.to_builtins(value)


def _bytes(walk: _Walk, value: bytes | bytearray | memoryview) -> object:
    return base64.b64encode(value).decode()


def _path(walk: _Walk, value: PurePath) -> object:
    return str(value)


class _RawEnvelope(msgspec.Struct):
    json: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    meta: Any = None


_RAW_ENVELOPE = msgspec.json.Decoder(_RawEnvelope)


def _encoded(walk: _Walk, value: Encoded) -> object:
    try:
        envelope = _RAW_ENVELOPE.decode(value.payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise walk.error(f"Encoded holds no envelope: {error}") from None
    if envelope.json is msgspec.UNSET:
        return UNDEFINED
    for entry in envelope.meta or ():
        if type(entry) is not list or not entry:
            raise walk.error("Encoded holds an envelope with malformed meta")
        walk.tagged(entry[0], None)
        walk.meta[-1] += entry[1:]
    return envelope.json


_BY_TYPE: dict[type, _Visit] = {
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
_BY_BASE: tuple[tuple[type, _Visit], ...] = (
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


def _by_nature(value: object) -> _Visit:
    for base, visit in _BY_BASE:
        if isinstance(value, base):
            return visit
    if not isinstance(value, type):
        if dataclasses.is_dataclass(value):
            return _dataclass
        if callable(getattr(value, "model_dump", None)):
            return _pydantic_model
    return _refuse


def _refuse(walk: _Walk, value: object) -> object:
    name = f"{type(value).__module__}.{type(value).__qualname__}"
    raise walk.error(
        f"a value of type {name} cannot be encoded; use plain values, a dataclass, "
        "a msgspec.Struct or a pydantic model, or give the codec a Rule"
    )
