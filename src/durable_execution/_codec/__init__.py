"""Values and their encoded form, the same on the wire and in storage. Pure."""

from __future__ import annotations

from .dates import JsDate
from .encoded import Encoded
from .errors import DecodeError, EncodeError, JsonSyntaxError, RejectedEnvelope
from .js_collections import JsMap, JsSet
from .limits import Limits
from .rule import Rule
from .scalars import BigInt, RegExp, Url
from .schema import Schema
from .typed_json import TypedJson, dumps, loads
from .undefined import UNDEFINED, Undefined
from .validation import Issue, ValidationFailed

__all__ = [
    "UNDEFINED",
    "BigInt",
    "DecodeError",
    "EncodeError",
    "Encoded",
    "Issue",
    "JsDate",
    "JsMap",
    "JsSet",
    "JsonSyntaxError",
    "Limits",
    "RegExp",
    "RejectedEnvelope",
    "Rule",
    "Schema",
    "TypedJson",
    "Undefined",
    "Url",
    "ValidationFailed",
    "dumps",
    "loads",
]
