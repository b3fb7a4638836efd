"""The options at the end of a storage's URL, whatever the database."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from durable_execution.errors import InvalidOptionError

POOL_SIZE: Final = 10
MAX_POOL_SIZE: Final = 1000


def parsed_url(url: str) -> URL:
    """Take a URL apart.

    Raises:
        InvalidOptionError: It is none.
    """
    try:
        return make_url(url)
    except (ArgumentError, ValueError) as error:
        raise InvalidOptionError(f"storage url cannot be read: {error}") from error


def options_of(parsed: URL, known: Collection[str]) -> dict[str, str]:
    """Return the options of a URL.

    Raises:
        InvalidOptionError: One is not among those that are known, or is given twice.
    """
    unknown = sorted(set(parsed.query) - set(known))
    if unknown:
        raise InvalidOptionError(
            f"storage url has unknown options {', '.join(unknown)}; known are {', '.join(known)}"
        )
    for name, value in parsed.query.items():
        check_option(name, value, isinstance(value, str), "one value")
    return {name: str(value) for name, value in parsed.query.items()}


def check_option(name: str, value: object, is_valid: bool, expected: str) -> None:  # noqa: FBT001
    """Raise InvalidOptionError unless the value of an option is valid."""
    if not is_valid:
        raise InvalidOptionError(f"storage url: {name} must be {expected}, got {value!r}")


def pool_size_of(options: dict[str, str]) -> int:
    """Return how many connections the pool may have.

    Raises:
        InvalidOptionError: It is not a number within bounds.
    """
    text = options.get("pool_size")
    if text is None:
        return POOL_SIZE
    is_size = text.isascii() and text.isdigit() and 1 <= int(text) <= MAX_POOL_SIZE
    check_option("pool_size", text, is_size, f"1 to {MAX_POOL_SIZE}")
    return int(text)
