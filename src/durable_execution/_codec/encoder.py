"""Value to plain JSON and type tags (WIRE.md 2.1, 2.2, 2.4 and 3)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .dialect import Dialect
from .errors import EncodeError
from .kinds import BY_TYPE, by_nature
from .limits import Limits
from .rule import Rule
from .tags import MAP, UNDEFINED_TAG, WRITTEN
from .undefined import UNDEFINED

Meta = list[list[Any]]

_UNCHANGED: frozenset[type] = frozenset({str, bool, type(None)})


class Attachments:
    """The files met in one encoding, and where each one was: `maps` of WIRE.md 3."""

    __slots__ = ("files", "maps")

    def __init__(self) -> None:
        self.files: list[object] = []
        self.maps: list[list[str | int]] = []


def encode(
    value: object,
    rules: tuple[Rule, ...],
    limits: Limits,
    *,
    dialect: Dialect = "v1",
    attachments: Attachments | None = None,
) -> tuple[object, Meta]:
    """Turn a value into plain JSON values and its meta entries; UNDEFINED stays what it is.

    Args:
        value: What to encode.
        rules: Tried before everything built in.
        limits: The bounds to keep.
        dialect: How the built-in tags are written.
        attachments: Gathers files; without it, a file is an error.

    Raises:
        EncodeError: some part has no form on the wire, or a limit is exceeded.
    """
    walk = Walk(rules, limits, dialect, attachments)
    try:
        return walk.visit(value), walk.meta
    except RecursionError:
        raise walk.error("nested deeper than the call stack allows here") from None


class Walk:
    """One encoding: where it is, what it is inside of, and the tags so far.

    An error ends the walk, so nothing is tidied up on the way out of one.
    """

    __slots__ = (
        "_attachments",
        "_budget",
        "_inside",
        "_path",
        "_rules",
        "_unchanged",
        "_written",
        "limits",
        "meta",
    )

    def __init__(
        self,
        rules: tuple[Rule, ...],
        limits: Limits,
        dialect: Dialect,
        attachments: Attachments | None,
    ) -> None:
        self._rules = rules
        self._written = WRITTEN[dialect]
        self._attachments = attachments
        self.limits = limits
        self.meta: Meta = []
        self._path: list[str | int] = []
        self._inside: set[int] = set()
        # Every value takes at least one byte and a comma, so no valid text has more of them.
        self._budget = limits.max_bytes
        # Kinds that need no visit; with rules, every value has to be shown to them.
        self._unchanged = frozenset[type]() if rules else _UNCHANGED

    def visit(self, value: object) -> object:
        """Encode one value at the current place."""
        for rule in self._rules:
            if rule.matches(value):
                return self._visit_with(rule, value)
        encode_kind = BY_TYPE.get(type(value)) or by_nature(value)
        return encode_kind(self, value)

    def array(self, values: Iterable[object]) -> list[object]:
        """Encode elements, of which undefined ones become tagged nulls."""
        result: list[object] = []
        path, visit, unchanged = self._path, self.visit, self._unchanged
        self.enter(values)
        for index, item in enumerate(values):
            if type(item) in unchanged:
                result.append(item)
                continue
            path.append(index)
            json = visit(item)
            result.append(self.tagged(UNDEFINED_TAG, None) if json is UNDEFINED else json)
            path.pop()
        self.leave(values, len(result))
        return result

    def properties(self, owner: object, pairs: Iterable[tuple[str, object]]) -> dict[str, object]:
        """Encode properties, of which undefined ones are dropped."""
        result: dict[str, object] = {}
        path, visit, unchanged = self._path, self.visit, self._unchanged
        self.enter(owner)
        for key, item in pairs:
            if key == "__proto__":
                raise self.error('the key "__proto__" gets lost in JavaScript; rename it')
            if type(item) in unchanged:
                result[key] = item
                continue
            path.append(key)
            json = visit(item)
            path.pop()
            if json is not UNDEFINED:
                result[key] = json
        self.leave(owner, len(result))
        return result

    def tagged(self, tag: int, json: object) -> object:
        """Note a built-in tag for the current place; gives `json` back."""
        self._note(self._written[tag])
        return json

    def adopt(self, entry: list[Any]) -> None:
        """Take over a meta entry of version 1 from an envelope that stands at the current place."""
        tag, *below = entry
        self._note(self._written[tag] if type(tag) is int and 0 <= tag <= MAP else tag, below)

    def attach(self, file: object) -> object:
        """Take a file out of the JSON; gives what stays in its place."""
        if self._attachments is None:
            raise self.error(
                "a file can only be part of the input or the output of a call, not of an event, "
                "an error, a batch or a stored payload"
            )
        self._attachments.files.append(file)
        self._attachments.maps.append(list(self._path))
        return {}

    def enter(self, container: object) -> None:
        """Guard a container while its parts are visited, against cycles and depth."""
        if id(container) in self._inside:
            raise self.error("the value contains itself; only trees can be encoded")
        if len(self._inside) >= self.limits.max_depth:
            raise self.error(f"nested deeper than {self.limits.max_depth} levels")
        self._inside.add(id(container))

    def leave(self, container: object, count: int = 0) -> None:
        """End what `enter` began, and account for the parts."""
        self._inside.discard(id(container))
        self._budget -= count
        if self._budget < 0:
            raise self.error(f"more values than fit into {self.limits.max_bytes} bytes")

    def error(self, problem: str) -> EncodeError:
        """Make an error about the current place."""
        return EncodeError(tuple(self._path), problem)

    def _visit_with(self, rule: Rule, value: object) -> object:
        self.enter(value)
        json = self.visit(rule.encode(value))
        self.leave(value)
        if json is UNDEFINED:
            raise self.error(f"the rule with tag {rule.tag!r} encoded a value to UNDEFINED")
        self._note(rule.tag)
        return json

    def _note(self, tag: int | str, below: Iterable[Any] = ()) -> None:
        if len(self.meta) >= self.limits.max_meta_entries:
            raise self.error(f"more than {self.limits.max_meta_entries} values that need a tag")
        self.meta.append([tag, *self._path, *below])
