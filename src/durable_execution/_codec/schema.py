"""What a type hint says of a value: the typed value, or the reasons why not."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import PurePath
from typing import Any, Final, Generic, TypeVar, Union, get_origin

import msgspec

from .hints import (
    OWN_TYPES,
    is_anything,
    is_array,
    is_closed_part,
    is_pydantic,
    is_unknown,
    parts_of,
)
from .js_collections import JsMap, JsSet
from .json_text import read_by_type, write_json
from .scalars import MAX_SAFE_INTEGER, BigInt, Url
from .typed_json import TypedJson
from .undefined import UNDEFINED
from .validation import MISFITS, Issue, ValidationFailed, issue_of, issues_of_pydantic

T = TypeVar("T")

_Convert = Callable[[Any], Any]

_SCALARS: Final[frozenset[type]] = frozenset({bool, int, str, type(None)})
"""Types without parts whose plain values are the same before and after."""

_FROM_PLAIN: dict[type, tuple[type, _Convert]] = {
    BigInt: (int, BigInt),
    JsMap: (dict, JsMap),
    JsSet: (list, JsSet),
    Url: (str, Url.parse),
}
"""What JavaScript's types are made of where a message has no tags."""


class Schema(Generic[T]):
    """A hint, compiled once.

    `Any`, `object` or no hint accept every value as it is. Under any other hint, values first
    become their nearest built-in ones: a bigint an int, a whole float an int, undefined a missing
    property or None; a Set becomes a list where the hint has arrays at all. Hints with pydantic
    models follow pydantic's rules, all others msgspec's strict ones: nothing is coerced but what
    JSON cannot tell apart.

    Raises:
        TypeError: the hint cannot be supported; the message says what to use instead.
    """

    __slots__ = ("_codec", "_convert", "_decoder", "_limits", "_same", "hint")

    def __init__(self, hint: Any = Any, *, codec: TypedJson | None = None) -> None:
        self.hint = hint
        self._codec = codec or TypedJson()
        self._limits = self._codec.limits
        self._same = _same(hint)
        self._decoder: msgspec.json.Decoder[Any] | None = None
        self._convert: _Convert | None = None
        if not is_anything(hint):
            self._compile(hint)

    def __repr__(self) -> str:
        return f"Schema({_name(self.hint)})"

    def convert(self, value: Any, *, root: str = "$") -> T:
        """Give the typed value of what `loads` gave.

        Args:
            value: the decoded value.
            root: what messages call the value, such as "input".

        Raises:
            ValidationFailed: the value does not fit the hint.
        """
        if self._convert is None:
            return value  # type: ignore[no-any-return] # T is Any or object
        try:
            return self._convert(None if value is UNDEFINED else value)  # type: ignore[no-any-return]
        except ValidationFailed as failure:
            issues = failure.issues
        except RecursionError:
            issues = (Issue((), "nested too deep"),)
        except MISFITS as error:
            issues = (issue_of(error),)
        if value is UNDEFINED:
            issues = (Issue((), f"expected {_name(self.hint)}, got undefined"),)
        raise ValidationFailed(issues, root) from None

    def load(self, payload: bytes, *, root: str = "$") -> T:
        """Decode an envelope to the typed value; without tags in it, at full speed.

        Raises:
            DecodeError: the payload is no valid envelope.
            ValidationFailed: its value does not fit the hint.
        """
        if self._decoder is not None:
            envelope = read_by_type(payload, self._decoder, self._limits)
            if (
                envelope is not None
                and envelope.json is not msgspec.UNSET
                # What stands in the place of tags, but is none, the long way has to judge.
                and (envelope.meta is None or envelope.meta == [])
            ):
                return envelope.json  # type: ignore[no-any-return]
        return self.convert(self._codec.loads(payload), root=root)

    def dumps_kept(self, value: object) -> bytes | None:
        """Encode a value that is known to be read back as what it is; None for any other."""
        kind = type(value)
        if kind not in self._same:
            return None
        if isinstance(value, str):
            # Two surrogates that stand side by side in a text come back as one character.
            is_kept = value.isascii()
        else:
            is_kept = not isinstance(value, int) or -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER
        return write_json({"json": value}) if is_kept else None

    def _compile(self, hint: Any) -> None:
        parts = list(parts_of(hint))
        if any(map(is_pydantic, parts)):
            self._convert = _pydantic_converter(hint)
            return
        try:
            unknown = [part for part in parts if is_unknown(part)]
            envelope = msgspec.defstruct(
                "Envelope",
                # Not written with `|`, which not every hint has.
                [("json", Union[hint, msgspec.UnsetType], msgspec.UNSET), ("meta", Any, None)],  # noqa: UP007
            )
            decoder = msgspec.json.Decoder(envelope, dec_hook=_make)
        except TypeError as error:
            self._convert = _union_converter(hint, error)
            return
        if unknown:
            raise TypeError(
                f"{_name(hint)}: values of {_name(unknown[0])} cannot be made from a message; use "
                "plain types, a dataclass, a msgspec.Struct, a TypedDict or a pydantic model"
            )
        self._decoder = decoder
        has_arrays = any(map(is_array, parts))
        is_closed = all(map(is_closed_part, parts))

        def convert(value: Any) -> Any:
            if is_closed:
                # What fits as it is would fit as well when it is made natural, and be the same.
                try:
                    return msgspec.convert(value, hint, str_keys=True, dec_hook=_make)
                except (ValueError, TypeError):
                    pass
            natural = _natural(value, has_arrays)
            return msgspec.convert(natural, hint, str_keys=True, dec_hook=_make)

        self._convert = convert


def _pydantic_converter(hint: Any) -> _Convert:
    # Not imported at the top: this is reached only for hints that are pydantic's already, or that
    # nothing else can handle.
    pydantic = importlib.import_module("pydantic")
    try:
        adapter = pydantic.TypeAdapter(hint)
    except pydantic.errors.PydanticUserError as error:
        raise TypeError(f"{_name(hint)}: {error}") from None

    def convert(value: Any) -> Any:
        try:
            return adapter.validate_python(_natural(value, has_arrays=True, maps_as_dicts=True))
        except pydantic.ValidationError as error:
            raise ValidationFailed(
                issues_of_pydantic(error.errors(include_url=False, include_input=False))
            ) from None

    return convert


def _union_converter(hint: Any, problem: TypeError) -> _Convert:
    try:
        return _pydantic_converter(hint)
    except (ImportError, TypeError):
        raise TypeError(
            f"{_name(hint)}: {problem}. Tell the members of the union apart with tagged "
            "msgspec.Struct classes (tag=True), or install pydantic, which tries them in turn"
        ) from problem


def _same(hint: Any) -> frozenset[type]:
    """Give the types of which a hint leaves plain values as they are."""
    if is_anything(hint):
        return _SCALARS
    kind = type(None) if hint is None else hint
    is_scalar = isinstance(kind, type) and kind in _SCALARS
    return frozenset({kind}) if is_scalar else frozenset()


def _make(kind: Any, value: Any) -> Any:
    """Make what msgspec cannot: paths, and the types of this package."""
    kind = get_origin(kind) or kind
    if isinstance(value, kind):
        return value
    if issubclass(kind, PurePath) and isinstance(value, str):
        return kind(value)
    plain, make = _FROM_PLAIN.get(kind, (None, None))
    if make is not None and type(value) is plain:  # by exact type: a bool is an int
        return make(value)
    expected = kind.__name__ if issubclass(kind, OWN_TYPES) else "str"
    raise ValueError(f"Expected `{expected}`, got `{type(value).__name__}`")


def _natural(value: Any, has_arrays: bool, maps_as_dicts: bool = False) -> Any:  # noqa: FBT001, FBT002
    """Give the nearest built-in value, sharing nothing that is changed later."""
    kind = type(value)
    if kind is dict:
        return {
            key: _natural(item, has_arrays, maps_as_dicts)
            for key, item in value.items()
            if item is not UNDEFINED
        }
    if kind is list or (kind is JsSet and has_arrays):
        return [_natural(item, has_arrays, maps_as_dicts) for item in value]
    if kind is float:
        return int(value) if value.is_integer() else value
    if kind is JsMap:
        pairs = [
            (_frozen(key), _natural(item, has_arrays, maps_as_dicts)) for key, item in value.items()
        ]
        return dict(pairs) if maps_as_dicts else JsMap(pairs)
    return None if value is UNDEFINED else value


def _frozen(key: Any) -> Any:
    """Give a key that a dict can hold, where there is one."""
    if type(key) is list:
        return tuple(map(_frozen, key))
    if type(key) is JsSet:
        return frozenset(map(_frozen, key))
    return _natural(key, has_arrays=True)


def _name(hint: object) -> str:
    return hint.__qualname__ if isinstance(hint, type) and not get_origin(hint) else str(hint)
