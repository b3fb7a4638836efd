from __future__ import annotations

import math

import pytest

from durable_execution._core.progress import Progress, check_progress
from durable_execution.errors import InvalidOptionError


@pytest.mark.parametrize("fraction", [0, 1, 0.0, 1.0, 0.5, 5e-324, 1 / 3])
@pytest.mark.parametrize("message", [None, "", "x" * 1000, "ü 雪 😀"])
def test_fractions_and_messages_are_taken(fraction: float, message: str | None) -> None:
    check_progress(fraction, message)


@pytest.mark.parametrize(
    ("fraction", "shown"),
    [
        (-0.001, "-0.001"),
        (1.001, "1.001"),
        (math.nan, "nan"),
        (math.inf, "inf"),
        (10**400, "1000"),
        (True, "bool"),
        ("0.5", "str"),
        (None, "NoneType"),
        (1j, "complex"),
    ],
)
def test_what_is_no_fraction_is_refused(fraction: object, shown: str) -> None:
    with pytest.raises(InvalidOptionError, match=f"number from 0 to 1, got {shown}"):
        check_progress(fraction, None)


@pytest.mark.parametrize("message", [1, b"x", "x" * 1001, "\0", "\ud800"])
def test_what_is_no_message_is_refused(message: object) -> None:
    with pytest.raises(InvalidOptionError, match="message must"):
        check_progress(0.5, message)


def test_a_later_attempt_is_newer_whatever_its_number() -> None:
    first, later = Progress(1, 900, 0.9, None, 0), Progress(2, 1, 0.1, None, 0)
    assert first.place < later.place < Progress(2, 2, 0.1, None, 0).place
