"""Values and their encoded form, the same on the wire and in storage. Pure."""

from __future__ import annotations

from .blob import Blob, Opaque
from .dates import JsDate, date_text
from .dialect import DIALECTS, Dialect, checked_dialect
from .encoded import Encoded, date_tag, encoded_object, encoded_part, enveloped
from .errors import DecodeError, EncodeError, JsonSyntaxError, RejectedEnvelope
from .js_collections import JsMap, JsSet
from .limits import Limits
from .plain_json import plain_json, read_plain_json
from .rule import Rule
from .scalars import BigInt, RegExp, Url
from .schema import Schema
from .typed_json import TypedJson, dumps, loads
from .undefined import UNDEFINED, Undefined
from .validation import Issue, ValidationFailed

__all__ = [
    "DIALECTS",
    "UNDEFINED",
    "BigInt",
    "Blob",
    "DecodeError",
    "Dialect",
    "EncodeError",
    "Encoded",
    "Issue",
    "JsDate",
    "JsMap",
    "JsSet",
    "JsonSyntaxError",
    "Limits",
    "Opaque",
    "RegExp",
    "RejectedEnvelope",
    "Rule",
    "Schema",
    "TypedJson",
    "Undefined",
    "Url",
    "ValidationFailed",
    "checked_dialect",
    "date_tag",
    "date_text",
    "dumps",
    "encoded_object",
    "encoded_part",
    "enveloped",
    "loads",
    "plain_json",
    "read_plain_json",
]
