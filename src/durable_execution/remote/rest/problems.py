"""Failures as problem details (RFC 9457): what a caller did wrong, and where. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final, Self, TypeAlias
from urllib.parse import quote

from durable_execution.orpc import ORPCError

Headers: TypeAlias = tuple[tuple[str, str], ...]
Issue: TypeAlias = Mapping[str, object]
Path: TypeAlias = Sequence[str | int]

PROBLEM_JSON: Final = "application/problem+json"

_MISFIT: Final = "The request is not what the server expects"
_PHRASES: Final = {int(status): status.phrase for status in HTTPStatus}
_OWN_NAMES: Final = frozenset({"title", "status", "detail", "code", "errors"})


class Problem(Exception):  # noqa: N818 - the standard calls it so
    """An answer that is a failure.

    Attributes:
        status: Of the answer.
        code: The name of the failure, as oRPC has it: `NOT_FOUND`.
        detail: What is wrong with this request, for people.
        issues: What is wrong with its values, and where each is found.
        facts: Whatever else there is to know, by name.
        headers: Of the answer.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        issues: Sequence[Issue] = (),
        facts: Mapping[str, object] | None = None,
        headers: Headers = (),
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.issues = issues
        self.facts = facts or {}
        self.headers = headers

    @classmethod
    def of(cls, code: str, detail: str = "", *, headers: Headers = ()) -> Self:
        """Make the failure of one of oRPC's codes, with its status."""
        error = ORPCError(code, detail)
        return cls(error.status, code, error.message, headers=headers)

    @classmethod
    def misfit(cls, *issues: Issue) -> Self:
        """Make the failure of a request with values that do not fit."""
        return cls(400, "BAD_REQUEST", _MISFIT, issues=issues)

    def body(self) -> bytes:
        """Write the problem details."""
        written: dict[str, object] = {
            "title": _PHRASES.get(self.status, "Failed"),
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
        }
        if self.issues:
            written["errors"] = list(self.issues)
        facts = {name: value for name, value in self.facts.items() if name not in _OWN_NAMES}
        return json.dumps({**written, **facts}).encode()


def body_issue(path: Path, message: str) -> Issue:
    """Say what is wrong at a place in the body."""
    return {"detail": message, "pointer": _pointer(path)}


def parameter_issue(name: str, message: str) -> Issue:
    """Say what is wrong with a parameter of the path or of the query."""
    return {"detail": message, "parameter": name}


def header_issue(name: str, message: str) -> Issue:
    """Say what is wrong with a header."""
    return {"detail": message, "header": name}


def issues_in(data: object) -> Iterable[tuple[tuple[str | int, ...], str]]:
    """Read the places and messages in the data of an error of the tasks router."""
    issues: Any = data.get("issues") if isinstance(data, Mapping) else None
    for issue in issues or ():
        yield tuple(issue.get("path", ())), issue["message"]


def _pointer(path: Path) -> str:
    """Write a JSON pointer as the fragment of a URI (RFC 6901, 6)."""
    steps = (str(step).replace("~", "~0").replace("/", "~1") for step in path)
    pointer = "".join(f"/{step}" for step in steps)
    return "#" + quote(pointer, safe="/~!$&'()*+,;=:@?", errors="replace")
