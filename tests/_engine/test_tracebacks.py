from __future__ import annotations

import msgspec

from durable_execution._engine.tracebacks import MAX_LENGTH, stored_with_traceback
from durable_execution.errors import DurableExecutionError, StoredError


def fail(depth: int = 0) -> None:
    secret = "of a local variable"
    if depth:
        fail(depth - 1)
    raise LookupError(f"no such thing after {len(secret)}")


def caught(function: object, *arguments: object) -> BaseException:
    try:
        function(*arguments)  # type: ignore[operator]
    except BaseException as error:
        return error
    raise AssertionError


def test_traceback_names_frames_and_no_values_of_variables() -> None:
    stored = stored_with_traceback(caught(fail))
    assert stored.message == "LookupError: no such thing after 19"
    assert isinstance(stored.traceback, str)
    assert 'in fail\n    raise LookupError(f"no such' in stored.traceback
    assert stored.traceback.endswith("LookupError: no such thing after 19\n")
    assert "= 'of a local" not in stored.traceback
    assert not stored.cause


def test_cause_is_named_and_in_the_traceback() -> None:
    def wrap() -> None:
        try:
            fail()
        except LookupError as error:
            raise DurableExecutionError("wrapped") from error

    stored = stored_with_traceback(caught(wrap))
    assert stored.cause == "LookupError: no such thing after 19"
    assert "direct cause" in str(stored.traceback)
    assert stored.without_traceback() == StoredError(message="wrapped")


def test_context_that_is_suppressed_is_no_cause() -> None:
    def hide() -> None:
        try:
            fail()
        except LookupError:
            raise KeyError("k") from None

    assert not stored_with_traceback(caught(hide)).cause


def test_deep_and_long_tracebacks_are_bounded_and_keep_their_end() -> None:
    stored = stored_with_traceback(caught(fail, 900))
    assert isinstance(stored.traceback, str)
    assert len(stored.traceback) < MAX_LENGTH + 100

    def shout() -> None:
        raise ValueError("x" * 50_000 + "end")

    stored = stored_with_traceback(caught(shout))
    assert isinstance(stored.traceback, str)
    assert len(stored.traceback) < MAX_LENGTH + 100
    assert "in shout" in stored.traceback
    assert "characters left out" in stored.traceback
    assert stored.traceback.endswith("xend\n")


def test_exceptions_that_cannot_be_shown_are_stored_all_the_same() -> None:
    class BrokenError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    def wrap() -> None:
        raise BrokenError from BrokenError()

    def surrogate() -> None:
        raise ValueError("\ud800")

    assert "cannot be read" in stored_with_traceback(caught(wrap)).message
    stored = stored_with_traceback(caught(surrogate))
    assert msgspec.json.decode(msgspec.json.encode(stored), type=StoredError) == stored


def test_errors_without_a_traceback_are_stored_as_before() -> None:
    error = StoredError(message="no")
    assert msgspec.json.encode(error) == (
        b'{"errorType":"generic","message":"no","isRetryable":false,"isInternal":false}'
    )
