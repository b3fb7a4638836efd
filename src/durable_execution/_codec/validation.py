"""A value that does not fit its hint."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from .errors import Path, path_text

_PLACE = re.compile(r"(?P<message>.*) - at (?P<key>`key` in )?`\$(?P<path>.*)`", re.DOTALL)
_SEGMENT = re.compile(r"\.(?P<name>[^.\[]+)|\[(?P<index>[^\]]*)\]")


@dataclass(frozen=True, slots=True)
class Issue:
    """One thing that does not fit. In `path`, "..." stands for a key that is not known."""

    path: Path
    message: str


class ValidationFailed(ValueError):  # noqa: N818 - the wire calls it so
    """A value does not fit its hint; `issues` says where and why. str() tells all of them."""

    def __init__(self, issues: Iterable[Issue], root: str = "$") -> None:
        self.issues = tuple(issues)
        self.root = root
        super().__init__(self.issues, root)

    def __str__(self) -> str:
        return "; ".join(f"{path_text(i.path, self.root)}: {i.message}" for i in self.issues)


def issue_of(error: Exception) -> Issue:
    """Read msgspec's message, the only place where it tells what it knows."""
    text = str(error)
    match = _PLACE.fullmatch(text)
    if match is None:
        return Issue((), _said(text))
    segments = (
        segment["name"] or _index(segment["index"]) for segment in _SEGMENT.finditer(match["path"])
    )
    prefix = "key: " if match["key"] else ""
    return Issue(tuple(segments), prefix + _said(match["message"]))


def issues_of_pydantic(errors: Iterable[Any]) -> list[Issue]:
    """Take over the error list of a pydantic ValidationError."""
    return [Issue(tuple(error["loc"]), _said(error["msg"])) for error in errors]


def _index(text: str) -> int | str:
    return int(text) if text.isdecimal() else text


def _said(message: str) -> str:
    return message[:1].lower() + message[1:].replace("`", "")


MISFITS: tuple[type[Exception], ...] = (
    msgspec.ValidationError,
    TypeError,
    ValueError,
    OverflowError,
)
"""What msgspec and the constructors it calls raise for a value that does not fit."""
