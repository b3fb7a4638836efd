"""The built-in type tags (WIRE.md 2)."""

from __future__ import annotations

BIGINT, DATE, NAN, UNDEFINED_TAG, URL, REGEXP, SET, MAP = range(8)
