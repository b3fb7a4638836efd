"""Keys and tags at the door: checked before anything is stored."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Literal, get_args

from durable_execution._core.limits import (
    MAX_IDEMPOTENCY_KEY_LENGTH,
    MAX_TAG_NAME_LENGTH,
    MAX_TAG_VALUE_LENGTH,
    MAX_TAGS,
)
from durable_execution._core.offspring import NO_LABEL, Label
from durable_execution._core.record import ExecutionRecord, Tags
from durable_execution.errors import IdempotencyConflictError, InvalidOptionError

OnConflict = Literal["raise", "return"]
ON_CONFLICT: Final[tuple[str, ...]] = get_args(OnConflict)

_TAG_NAME: Final = re.compile(rf"[A-Za-z0-9_.\-]{{1,{MAX_TAG_NAME_LENGTH}}}")
_UNSTORABLE: Final = re.compile(r"[\x00\ud800-\udfff]")
"""What a text column of some database cannot hold."""


def checked_label(
    key: str | None, on_conflict: OnConflict, tags: Mapping[str, str] | None
) -> Label:
    """Return the key and tags of a new root.

    Raises:
        InvalidOptionError: The key, a tag, or `on_conflict` is not one.
    """
    if on_conflict not in ON_CONFLICT:
        raise InvalidOptionError(
            f"on_conflict must be one of {', '.join(ON_CONFLICT)}, got {on_conflict!r}"
        )
    if key is None and not tags:
        return NO_LABEL
    if key is not None:
        check_key(key)
    return Label(idempotency_key=key, tags=checked_tags(tags or {}))


def check_key(key: object) -> None:
    """Raise InvalidOptionError unless this may be an idempotency key."""
    check_text("key", key, 1, MAX_IDEMPOTENCY_KEY_LENGTH)


def checked_tags(tags: object) -> Tags:
    """Return tags in the order of their names.

    Raises:
        InvalidOptionError: They are no mapping of texts, too many, or one is not a tag.
    """
    if not isinstance(tags, Mapping):
        raise InvalidOptionError(
            f"tags must be a mapping of names to values, got {type(tags).__name__}"
        )
    if len(tags) > MAX_TAGS:
        raise InvalidOptionError(f"tags must be at most {MAX_TAGS}, got {len(tags)}")
    for name, value in tags.items():
        if not isinstance(name, str) or not _TAG_NAME.fullmatch(name):
            raise InvalidOptionError(
                f"the name of a tag must be 1 to {MAX_TAG_NAME_LENGTH} letters, digits, "
                f"underscores, dots or dashes, got {_shown(name)}"
            )
        check_text(f"tag {name}", value, 0, MAX_TAG_VALUE_LENGTH)
    return tuple(sorted(tags.items()))


def check_same_input(record: ExecutionRecord, holder: ExecutionRecord) -> None:
    """Raise IdempotencyConflictError if a key was used for different inputs."""
    if holder.input != record.input:
        raise IdempotencyConflictError(
            holder.task_id, holder.idempotency_key or "", holder.execution_id
        )


def check_text(what: str, value: object, shortest: int, longest: int) -> None:
    if not isinstance(value, str):
        raise InvalidOptionError(f"{what} must be a string, got {type(value).__name__}")
    if not shortest <= len(value) <= longest:
        raise InvalidOptionError(
            f"{what} must be {shortest} to {longest} characters, got {len(value)}"
        )
    if _UNSTORABLE.search(value):
        raise InvalidOptionError(f"{what} must hold neither NUL nor half a surrogate pair")


def _shown(name: object) -> str:
    return repr(name)[: 2 * MAX_TAG_NAME_LENGTH]
