"""JSON text, as JavaScript writes and reads it (WIRE.md 2.2, 2.3 and 12)."""

from __future__ import annotations

import json
import re
from itertools import accumulate
from typing import Any, Final, NoReturn, TypeVar

import msgspec

from .errors import JsonSyntaxError
from .limits import Limits
from .scalars import MAX_SAFE_INTEGER

T = TypeVar("T")

_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder()


class _RawEnvelope(msgspec.Struct):
    json: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    meta: Any = None


_RAW_ENVELOPE: Final = msgspec.json.Decoder(_RawEnvelope)

_BOM = b"\xef\xbb\xbf"
_SURROGATE = re.compile("[\ud800-\udfff]")
_NOT_STRUCTURE = bytes(byte for byte in range(256) if byte not in b'[]{}"')
_BRACKETS_AS_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
_DIGITS_AS_ZEROS = bytes.maketrans(b"123456789", b"000000000")
# Shorter runs of digits are integers that a double holds exactly.
_LONG_DIGITS = b"0" * 16
_SHORT = len(_LONG_DIGITS)
_NEGATIVE_ZERO = re.compile(rb"-0(?![0-9.eE])")


def write_json(tree: object) -> bytes:
    """Write plain JSON values and `msgspec.Raw` parts; numbers have to be in final form.

    Structs that omit their defaults are written as well, if those are None.
    """
    try:
        return _ENCODER.encode(tree)
    except UnicodeEncodeError:
        return "".join(_write_escaping(tree)).encode()


def number_text(value: float) -> str:
    """Write a finite float as JavaScript does: `1e+21`, `0.000001`, and `3` for 3.0."""
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    # The value is 0.<digits> times ten to the power of `point`.
    point = len(digits) - len(fraction) + int(exponent or 0)
    digits = digits.rstrip("0")
    if not digits:
        return "0"
    if 0 < point <= 21:
        if len(digits) <= point:
            return sign + digits.ljust(point, "0")
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    tail = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{tail}e{point - 1:+d}"


def read_json(text: bytes | str, limits: Limits) -> Any:
    """Read JSON text. Numbers are what JavaScript would see, so a huge integer is a float.

    Bytes may start with a byte order mark, and invalid UTF-8 becomes U+FFFD; in a str a byte
    order mark is an error, as it is for `JSON.parse`.

    Raises:
        JsonSyntaxError: the text is not JSON, or exceeds `max_bytes` or `max_depth`.
    """
    payload = bounded(text, limits)
    try:
        if not _has_unusual_numbers(payload):
            return _DECODER.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError):
        # Lone surrogates, overflowing numbers and invalid UTF-8 are legal, but not to msgspec.
        pass
    except RecursionError:
        raise too_deep(limits) from None
    return _read_leniently(payload, limits)


def read_by_type(payload: bytes, decoder: msgspec.json.Decoder[T], limits: Limits) -> T | None:
    """Read and convert in one step; None when that needs the long way, for whatever reason.

    Raises:
        JsonSyntaxError: the text exceeds `max_bytes` or `max_depth`.
    """
    size = len(payload)
    if size < _SHORT and size <= limits.max_depth:
        # Neither too large nor too deep, and all its integers are short.
        if b"-0" in payload:
            return None
    else:
        payload = bounded(payload, limits)
        if _has_unusual_numbers(payload):
            return None
    try:
        return decoder.decode(payload)
    except (ValueError, TypeError, RecursionError):
        return None


def split_envelope(payload: bytes) -> tuple[msgspec.Raw | None, Any]:
    """Give the JSON text of an envelope, None when it has none, and its meta.

    Raises:
        ValueError: not the text of an object.
    """
    try:
        envelope = _RAW_ENVELOPE.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _split_leniently(_text_of(payload))
    return (None if envelope.json is msgspec.UNSET else envelope.json), envelope.meta


def bounded(text: bytes | str, limits: Limits) -> bytes:
    """Return text as bytes without a byte order mark, or raise JsonSyntaxError for its bounds."""
    if len(text) > limits.max_bytes:
        raise _too_large(len(text), limits)
    payload = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    if len(payload) > limits.max_bytes:
        raise _too_large(len(payload), limits)
    if isinstance(text, bytes) and payload.startswith(_BOM):
        payload = payload[len(_BOM) :]
    # The envelope is one level more than the value.
    most = limits.max_depth + 1
    if (
        len(payload) > most  # what is shorter cannot be so deep
        and payload.count(b"[") + payload.count(b"{") > most
        and _depth(payload) > most
    ):
        raise too_deep(limits)
    return payload


def _depth(payload: bytes) -> int:
    """Find the deepest nesting in a few passes over the bytes, without a loop over them.

    What is left are brackets and quotes. Two adjacent quotes may go, as they leave what is inside
    a string inside and what is outside outside; the rest are strings with brackets in them.
    """
    if b"\\" in payload:
        payload = payload.replace(b"\\\\", b"").replace(b'\\"', b"")
    structure = payload.translate(None, _NOT_STRUCTURE).replace(b'""', b"")
    brackets = b"".join(structure.split(b'"')[::2])
    steps = memoryview(brackets.translate(_BRACKETS_AS_STEPS)).cast("b")
    return max(accumulate(steps), default=0)


def _has_unusual_numbers(payload: bytes) -> bool:
    """Whether a number may mean something else to JavaScript than to msgspec; cheap, may err."""
    if _LONG_DIGITS in payload.translate(_DIGITS_AS_ZEROS):
        return True
    return b"-0" in payload and _NEGATIVE_ZERO.search(payload) is not None


def _read_leniently(payload: bytes, limits: Limits) -> Any:
    try:
        return json.loads(
            _text_of(payload), parse_constant=refuse_constant, parse_int=_parse_integer
        )
    except RecursionError:
        raise too_deep(limits) from None
    except ValueError as error:
        raise JsonSyntaxError(f"not JSON: {error}") from None


def _split_leniently(text: str) -> tuple[msgspec.Raw | None, Any]:
    # Numbers pass as the text they are, whatever Python would make of them.
    tree = json.loads(
        text, parse_constant=refuse_constant, parse_int=_raw_number, parse_float=_raw_number
    )
    if type(tree) is not dict:
        raise ValueError("expected an object")
    if "json" not in tree:
        return None, tree.get("meta")
    return msgspec.Raw(write_json(tree["json"])), json.loads(text).get("meta")


def _raw_number(digits: str) -> msgspec.Raw:
    return msgspec.Raw(digits.encode())


def _text_of(payload: bytes) -> str:
    try:
        return payload.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return payload.decode("utf-8", "replace")


def refuse_constant(name: str) -> NoReturn:
    """Refuse `NaN` and `Infinity`, which Python reads and JSON has not."""
    raise ValueError(f"{name} is not a JSON number")


def _parse_integer(digits: str) -> int | float:
    if digits == "-0":
        return -0.0
    if len(digits) <= 17 and -MAX_SAFE_INTEGER <= (value := int(digits)) <= MAX_SAFE_INTEGER:
        return value
    return float(digits)


def _too_large(size: int, limits: Limits) -> JsonSyntaxError:
    return JsonSyntaxError(f"{size} bytes or more; at most {limits.max_bytes} are accepted")


def too_deep(limits: Limits) -> JsonSyntaxError:
    """Make the error for text that is nested deeper than is allowed."""
    return JsonSyntaxError(f"nested deeper than {limits.max_depth} levels")


def _write_escaping(tree: object) -> list[str]:
    """Write text that holds lone surrogates, which UTF-8 cannot, as escapes."""
    if isinstance(tree, str):
        return [_SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", _quote(tree))]
    if isinstance(tree, dict):
        parts = ["{"]
        for key, item in tree.items():
            parts += [*_write_escaping(key), ":", *_write_escaping(item), ","]
        return [*_without_comma(parts), "}"]
    if isinstance(tree, list):
        parts = ["["]
        for item in tree:
            parts += [*_write_escaping(item), ","]
        return [*_without_comma(parts), "]"]
    if isinstance(tree, msgspec.Struct):
        return _write_escaping(_present(tree))
    return [_ENCODER.encode(tree).decode()]


def _present(struct: msgspec.Struct) -> dict[str, object]:
    names = zip(struct.__struct_encode_fields__, struct.__struct_fields__, strict=True)
    values = {written: getattr(struct, name) for written, name in names}
    return {name: value for name, value in values.items() if value is not None}


def _without_comma(parts: list[str]) -> list[str]:
    return parts[:-1] if parts[-1] == "," else parts


def _quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
