"""The notation of the vector files: JSON in which an object with a "$" key is a typed value.

`from_notation` gives the value that decoding gives; `same` compares such values without Python's
habit of taking 1 for True or a bigint for a number.
"""

from __future__ import annotations

import base64
import json
import math
from datetime import datetime
from pathlib import Path
from typing import Any

from durable_execution._codec import UNDEFINED, BigInt, JsDate, JsMap, JsSet, RegExp, Url, loads
from durable_execution.orpc import File

_HERE = Path(__file__).parent
_MAX_SAFE_INTEGER = 2**53 - 1


class OnlyJavaScript(Exception):  # noqa: N818 - a condition of the vector, not a failure
    """The value has no counterpart in Python: a function, a symbol, a hole, a class instance."""


def load_vectors(name: str) -> list[dict[str, Any]]:
    """Read one vector file of this folder, `values.json` for example."""
    vectors: list[dict[str, Any]] = json.loads((_HERE / name).read_text(encoding="utf-8"))
    return vectors


def from_notation(obj: Any) -> Any:
    """Turn notation into the value; raises OnlyJavaScript where Python has none."""
    if isinstance(obj, list):
        return [from_notation(item) for item in obj]
    if isinstance(obj, int) and abs(obj) > _MAX_SAFE_INTEGER:
        return float(obj)
    if not isinstance(obj, dict):
        return obj
    if "$" not in obj:
        return {key: from_notation(item) for key, item in obj.items()}
    kind = obj["$"]
    if kind not in _TYPED:
        raise OnlyJavaScript(kind)
    return _TYPED[kind](obj)


def same(a: Any, b: Any) -> bool:
    """Compare as JavaScript's deep strict equality would; the key order of objects is ignored."""
    if _is_number(a) and _is_number(b):
        return _same_number(float(a), float(b))
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, JsMap):
        return _same_items(list(map(list, a.items())), list(map(list, b.items())))
    if isinstance(a, (list, JsSet)):
        return _same_items(list(a), list(b))
    if isinstance(a, File):
        return (a.name, a.content_type, a.read_bytes()) == (b.name, b.content_type, b.read_bytes())
    return bool(a == b)


def _same_items(a: list[Any], b: list[Any]) -> bool:
    return len(a) == len(b) and all(map(same, a, b))


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


def _same_number(a: float, b: float) -> bool:
    if math.isnan(a) or math.isnan(b):
        return math.isnan(a) and math.isnan(b)
    return a == b and math.copysign(1, a) == math.copysign(1, b)


def _date(obj: dict[str, Any]) -> datetime | JsDate:
    # An ordinary date is a datetime, which is what the decoder's fast path has to give.
    decoded: datetime | JsDate = loads(json.dumps({"json": obj["v"], "meta": [[1]]}))
    if isinstance(decoded, datetime):
        assert round(decoded.timestamp() * 1000) == obj["epochMs"]
    else:
        assert decoded.epoch_ms == obj["epochMs"]
    return decoded


def _file(obj: dict[str, Any]) -> File:
    # A blob arrives as a file of that name, and a type that was not given as this one.
    content_type = obj["type"] or "application/octet-stream"
    return File(base64.b64decode(obj["base64"]), obj.get("name", "blob"), content_type)


def _object(obj: dict[str, Any]) -> dict[str, Any]:
    return {key: from_notation(item) for key, item in obj["v"]}


_TYPED = {
    "undefined": lambda obj: UNDEFINED,
    "nan": lambda obj: math.nan,
    "number": lambda obj: float(obj["v"]),
    "bigint": lambda obj: BigInt(obj["v"]),
    "date": _date,
    "url": lambda obj: Url(obj["v"]),
    "regexp": lambda obj: RegExp(obj["source"], obj["flags"]),
    "set": lambda obj: JsSet(from_notation(item) for item in obj["v"]),
    "map": lambda obj: JsMap((from_notation(k), from_notation(v)) for k, v in obj["v"]),
    "object": _object,
    "blob": _file,
    "file": _file,
}
