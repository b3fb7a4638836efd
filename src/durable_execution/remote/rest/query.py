"""What stands behind the question mark, as the inputs of procedures. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Final, NoReturn
from urllib.parse import parse_qsl

from durable_execution.remote.calls.execution import MAX_WAIT_MS
from durable_execution.remote.rest.problems import Problem, parameter_issue

MAX_PARAMETERS: Final = 1000

_NUMBER: Final = re.compile(r"\d{1,9}(?:\.\d{1,25})?(?:[eE][+-]?\d{1,3})?", re.ASCII)
_WHOLE: Final = re.compile(r"\d{1,9}", re.ASCII)
_FLAGS: Final = {"true": True, "false": False}


def wait_ms(query: str) -> int | None:
    """Read how long to wait for an execution to finish, in milliseconds; None: not at all.

    Raises:
        Problem: 400, the parameter is no number of seconds, too much, or given twice.
    """
    given = _parameters(query)
    if "wait" not in given:
        return None
    text = _only("wait", given["wait"])
    if not _NUMBER.fullmatch(text) or float(text) * 1000 > MAX_WAIT_MS:
        _refuse("wait", f"expected seconds, 0 to {MAX_WAIT_MS // 1000}")
    return math.ceil(float(text) * 1000)


def list_filters(query: str, task_id: str | None) -> dict[str, object]:
    """Read the filters of a list as the input of `listTaskExecutions`, which checks their values.

    Args:
        query: What stands behind the question mark.
        task_id: The task whose executions are listed; None where parameters name any number.

    Raises:
        Problem: 400, a parameter is malformed, or given twice though it may stand once.
    """
    filters: dict[str, object] = {}
    for name, texts in _parameters(query).items():
        if name in _MANY:
            wire_name, read_all = _MANY[name]
            given = [text for text in texts if text]  # `tag=` is how some write a list of none
            if given:
                filters[wire_name] = read_all(given)
        elif name in _ONE:
            filters[name] = _ONE[name](name, _only(name, texts))
    if task_id is not None:
        filters["taskIds"] = [task_id]
    return filters


def _parameters(query: str) -> Mapping[str, list[str]]:
    try:
        pairs = parse_qsl(
            query, keep_blank_values=True, errors="strict", max_num_fields=MAX_PARAMETERS
        )
    except ValueError as error:
        raise Problem.of("BAD_REQUEST", f"The query cannot be read: {error}") from error
    found: dict[str, list[str]] = {}
    for name, text in pairs:
        found.setdefault(name, []).append(text)
    return found


def _only(name: str, texts: list[str]) -> str:
    if len(texts) > 1:
        _refuse(name, "was given more than once")
    return texts[0]


def _text(name: str, text: str) -> str:
    return text


def _number(name: str, text: str) -> int:
    if not _WHOLE.fullmatch(text):
        _refuse(name, "expected a whole number")
    return int(text)


def _flag(name: str, text: str) -> bool:
    if text not in _FLAGS:
        _refuse(name, "expected true or false")
    return _FLAGS[text]


def _texts(texts: list[str]) -> object:
    return texts


def _tags(texts: list[str]) -> object:
    tags: dict[str, str] = {}
    for text in texts:
        name, separator, value = text.partition(":")
        if not separator:
            _refuse("tag", "expected name:value")
        if name in tags:
            _refuse("tag", f"has two values for {name!r}")
        tags[name] = value
    return tags


def _refuse(name: str, message: str) -> NoReturn:
    raise Problem.misfit(parameter_issue(name, message))


_ONE: Final[Mapping[str, Callable[[str, str], object]]] = {
    "createdFrom": _text,
    "createdBefore": _text,
    "finishedFrom": _text,
    "finishedBefore": _text,
    "parentExecutionId": _text,
    "rootExecutionId": _text,
    "isRoot": _flag,
    "idPrefix": _text,
    "order": _text,
    "cursor": _text,
    "limit": _number,
}
_MANY: Final[Mapping[str, tuple[str, Callable[[list[str]], object]]]] = {
    "taskId": ("taskIds", _texts),
    "status": ("statuses", _texts),
    "tag": ("tags", _tags),
}
PARAMETERS: Final = {wire_name: name for name, (wire_name, _) in _MANY.items()}
"""What the fields of `listTaskExecutions` are called here, where the names differ."""
