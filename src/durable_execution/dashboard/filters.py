"""What a list is asked to show: from the query of an address to a search, and back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlencode

from durable_execution._core.labels import checked_tags
from durable_execution._core.limits import check_task_id
from durable_execution._core.status import STATUSES, WAITING, Status
from durable_execution._engine.ids import newest_id_before, oldest_id_after
from durable_execution.errors import InvalidInputError, InvalidOptionError
from durable_execution.storage.search import Search

PAGE: Final = 50
"""Executions on one page."""
_IN_NO_INDEX: Final[frozenset[Status]] = WAITING.union({"running"})
_ID: Final = re.compile(r"[\x21-\x7e]{1,100}")
_AFTER_ALL_LETTERS: Final = "\x7f"


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What is looked for; all of it holds, and None or nothing is no filter.

    Attributes:
        id: How the id begins.
        tag: A name and a value.
        created_from: This instant or later.
        created_before: Before this instant.
        roots_only: Without what other executions have spawned.
        cursor: Where the page before ended.
    """

    task: str | None = None
    statuses: frozenset[Status] = frozenset()
    tag: tuple[str, str] | None = None
    id: str | None = None
    created_from: datetime | None = None
    created_before: datetime | None = None
    roots_only: bool = False
    cursor: str | None = None

    @property
    def is_narrowed(self) -> bool:
        """Whether anything is left out."""
        return self.first_page() != Filters()

    @property
    def is_led(self) -> bool:
        """Whether an index leads to what is looked for, or it is common, or its time is bounded.

        What runs or waits is in no index, so that finishing it touches none.
        """
        is_rare = bool(self.statuses & _IN_NO_INDEX) and "completed" not in self.statuses
        return not is_rare or bool(self.tag or self.id or self.created_from)

    def first_page(self) -> Filters:
        """Look for the same, from the beginning."""
        return replace(self, cursor=None)

    def after(self, cursor: str) -> Filters:
        """Look for the same, from where a page ended."""
        return replace(self, cursor=cursor)

    def query(self) -> str:
        """Write them as the query of an address, as short as can be."""
        pairs: list[tuple[str, str]] = []
        if self.id:
            pairs.append(("id", self.id))
        if self.task:
            pairs.append(("task", self.task))
        pairs += [("status", status) for status in sorted(self.statuses)]
        if self.tag:
            pairs.append(("tag", "=".join(self.tag)))
        if self.created_from:
            pairs.append(("from", written_instant(self.created_from)))
        if self.created_before:
            pairs.append(("before", written_instant(self.created_before)))
        if self.roots_only:
            pairs.append(("roots", "1"))
        if self.cursor:
            pairs.append(("cursor", self.cursor))
        return urlencode(pairs)

    def search(self) -> Search:
        """Make the search for one page of executions, newest first, without payloads.

        Raises:
            InvalidInputError: The cursor is malformed; when it is used.
        """
        id_from, id_before = self._ids()
        return Search(
            task_ids=None if self.task is None else frozenset({self.task}),
            statuses=self.statuses or None,
            created_from=_since(self.created_from),
            created_before=_milliseconds(self.created_before),
            is_root=True if self.roots_only else None,
            tags=() if self.tag is None else (self.tag,),
            id_from=id_from,
            id_before=id_before,
            cursor=self.cursor,
            limit=PAGE,
            with_payloads=False,
        )

    def _ids(self) -> tuple[str | None, str | None]:
        """The narrowest range of ids that holds all that is looked for."""
        first, last = _since(self.created_from), _milliseconds(self.created_before)
        lower = [] if first is None else [newest_id_before(first)]
        upper = [] if last is None else [oldest_id_after(last)]
        if self.id:
            lower.append(self.id)
            upper.append(self.id + _AFTER_ALL_LETTERS)
        return max(lower, default=None), min(upper, default=None)


def search_for_one(execution_id: str, *, with_payloads: bool = True) -> Search:
    """Make the search for the execution of exactly this id.

    Raises:
        InvalidInputError: No execution can have such an id.
    """
    if not _ID.fullmatch(execution_id):
        raise InvalidInputError("This is not the id of an execution")
    # "!" is the first letter that an id may have: none is between the two but this one.
    return Search(
        id_from=execution_id, id_before=execution_id + "!", limit=1, with_payloads=with_payloads
    )


def read_filters(query: Mapping[str, list[str]]) -> Filters:
    """Read what people typed. Empty fields are no filters; spaces around a value are slips.

    Raises:
        InvalidInputError: A field is malformed; the message names it.
    """
    given = {name: [text.strip() for text in texts] for name, texts in query.items()}

    def one(name: str) -> str | None:
        return next((text for text in given.get(name, ()) if text), None)

    statuses = frozenset(text for text in given.get("status", ()) if text)
    if not statuses <= STATUSES:
        raise InvalidInputError(f"status: expected some of {', '.join(sorted(STATUSES))}")
    execution_id = one("id")
    if execution_id is not None and not _ID.fullmatch(execution_id):
        raise InvalidInputError("id: expected the beginning of an execution's id")
    return Filters(
        task=_task(one("task")),
        statuses=frozenset(status for status in STATUSES if status in statuses),
        tag=_tag(one("tag")),
        id=execution_id,
        created_from=_instant("from", one("from")),
        created_before=_instant("before", one("before")),
        roots_only=one("roots") is not None,
        cursor=one("cursor"),
    )


def written_instant(instant: datetime) -> str:
    """Write an instant as a field of the kind `datetime-local` does, in UTC."""
    utc = instant.astimezone(UTC).replace(tzinfo=None)
    exact = "minutes" if not (utc.second or utc.microsecond) else "seconds"
    return utc.isoformat(timespec=exact if not utc.microsecond else "milliseconds")


def _task(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        return check_task_id(text)
    except InvalidOptionError as error:
        raise InvalidInputError(f"task: {error.message}") from error


def _tag(text: str | None) -> tuple[str, str] | None:
    if text is None:
        return None
    name, equals, value = text.partition("=")
    if not equals:
        raise InvalidInputError("tag: expected a name and a value, such as customer=42")
    checked: Any
    try:
        (checked,) = checked_tags({name.strip(): value.strip()})
    except InvalidOptionError as error:
        raise InvalidInputError(error.message) from error
    return checked[0], checked[1]


def _instant(name: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        instant = datetime.fromisoformat(text)
        # Without a zone it is UTC, as everything that the pages show.
        instant = instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant
        return instant.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidInputError(f"{name}: expected a time such as 2026-01-31T12:30") from error


def _since(instant: datetime | None) -> int | None:
    """The instant, unless it is before all executions: MySQL reads a range slower than a table."""
    milliseconds = _milliseconds(instant)
    return None if milliseconds is None or milliseconds <= 0 else milliseconds


def _milliseconds(instant: datetime | None) -> int | None:
    return None if instant is None else int(instant.timestamp() * 1000)
