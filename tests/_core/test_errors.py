from __future__ import annotations

from itertools import product
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from durable_execution import errors
from durable_execution.errors import (
    MAX_STORED_MESSAGE_LENGTH,
    DurableExecutionCancelledError,
    DurableExecutionError,
    DurableExecutionNotFoundError,
    DurableExecutionTimedOutError,
    ErrorType,
    StoredError,
    to_stored_error,
)


@pytest.mark.parametrize(
    ("error_type", "is_retryable", "is_internal"),
    list(product(get_args(ErrorType), [False, True], [False, True])),
)
def test_a_stored_error_survives_the_way_to_an_exception_and_back(
    error_type: ErrorType, is_retryable: bool, is_internal: bool
) -> None:
    stored = StoredError(
        error_type=error_type, message="no", is_retryable=is_retryable, is_internal=is_internal
    )
    assert to_stored_error(stored.to_exception()) == stored


@pytest.mark.parametrize(
    ("error_type", "expected"),
    [
        ("generic", DurableExecutionError),
        ("not_found", DurableExecutionNotFoundError),
        ("timed_out", DurableExecutionTimedOutError),
        ("cancelled", DurableExecutionCancelledError),
    ],
)
def test_the_error_type_selects_the_class(error_type: ErrorType, expected: type) -> None:
    assert type(StoredError(error_type=error_type, message="no").to_exception()) is expected


@pytest.mark.parametrize(
    ("error", "error_type", "is_retryable", "is_internal"),
    [
        (DurableExecutionError("no"), "generic", False, False),
        (DurableExecutionError.retryable("no"), "generic", True, False),
        (DurableExecutionError.non_retryable("no", is_internal=True), "generic", False, True),
        (DurableExecutionNotFoundError("no"), "not_found", False, False),
        (DurableExecutionTimedOutError("no"), "timed_out", True, False),
        (DurableExecutionCancelledError("no"), "cancelled", False, False),
        (errors.InvalidInputError("no"), "generic", False, False),
        (errors.InvalidOptionError("no"), "generic", False, False),
        (errors.ExecutorShutDownError("no"), "generic", True, True),
        (errors.StorageError("no"), "generic", False, True),
        (errors.StorageUnavailableError("no"), "generic", True, True),
    ],
)
def test_each_class_says_whether_trying_again_helps_and_whose_fault_it_is(
    error: DurableExecutionError, error_type: ErrorType, is_retryable: bool, is_internal: bool
) -> None:
    assert to_stored_error(error) == StoredError(
        error_type=error_type, message="no", is_retryable=is_retryable, is_internal=is_internal
    )


def test_a_taken_sleeping_id_is_the_callers_fault_and_named() -> None:
    error = errors.DuplicateSleepingIdError("bed")
    assert not to_stored_error(error).is_internal
    assert error.sleeping_unique_id == "bed"
    assert str(error).endswith("[sleepingTaskUniqueId=bed]")


def test_an_idempotency_conflict_is_the_callers_fault_and_names_its_facts() -> None:
    error = errors.IdempotencyConflictError("charge", "order-42", "te_1")
    assert (error.task_id, error.idempotency_key, error.execution_id) == (
        "charge",
        "order-42",
        "te_1",
    )
    stored = to_stored_error(error)
    assert not stored.is_internal
    assert not stored.is_retryable
    assert stored.message.endswith("[taskId=charge] [idempotencyKey=order-42] [executionId=te_1]")


def test_an_invalid_option_is_a_value_error_too() -> None:
    assert isinstance(errors.InvalidOptionError("no"), ValueError)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValueError("bad"), "ValueError: bad"),
        (KeyError("k"), "KeyError: 'k'"),
        (OSError(), "OSError"),
    ],
)
def test_any_other_exception_is_stored_by_name_and_counts_as_retryable(
    error: Exception, message: str
) -> None:
    assert to_stored_error(error) == StoredError(message=message, is_retryable=True)


def test_a_long_message_is_cut_and_says_so() -> None:
    kept = "x" * MAX_STORED_MESSAGE_LENGTH
    assert to_stored_error(DurableExecutionError(kept)).message == kept
    cut = to_stored_error(DurableExecutionError(kept + "yz")).message
    assert cut == f"{kept}… (10002 characters in all)"


def test_an_exception_that_cannot_be_printed_is_stored_all_the_same() -> None:
    class UnprintableError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    stored = to_stored_error(UnprintableError())
    assert stored.message == "UnprintableError: (its text cannot be read: RuntimeError)"


def test_a_subclass_that_forgot_its_base_is_stored_all_the_same() -> None:
    class ForgetfulError(DurableExecutionError):
        def __init__(self) -> None:
            pass

    assert to_stored_error(ForgetfulError()).message == "(its text cannot be read: AttributeError)"


def test_a_message_that_is_no_string_is_stored_as_one() -> None:
    wrapped: object = ValueError("inside")
    assert to_stored_error(DurableExecutionError(wrapped)).message == "inside"  # type: ignore[arg-type]


@given(text=st.text(st.characters(), max_size=50))
def test_every_text_is_stored_in_a_form_that_encodes(text: str) -> None:
    for error in (ValueError(text), DurableExecutionError(text)):
        stored = to_stored_error(error)
        assert msgspec.json.decode(msgspec.json.encode(stored), type=StoredError) == stored
