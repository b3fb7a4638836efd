from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from durable_execution._observing import (
    Activity,
    EnqueueTasks,
    continuing,
    current_traceparent,
    is_traceparent,
    traced,
)

SENT = f"00-{7:032x}-{9:016x}-01"


@pytest.mark.parametrize(
    "value",
    [
        None,
        7,
        "",
        "garbage",
        f"ff-{7:032x}-{9:016x}-01",
        f"00-{0:032x}-{9:016x}-01",
        f"00-{7:032x}-{0:016x}-01",
        SENT.upper().replace("0", "A"),
        f"{SENT}-more",
        f"{SENT}\n",
        f"00-{7:031x}-{9:016x}-01",
    ],
)
def test_what_is_no_traceparent_is_neither_kept_nor_passed_on(value: object) -> None:
    assert not is_traceparent(value)
    with continuing(value):  # type: ignore[arg-type]
        assert current_traceparent.get() is None


def test_trace_of_a_caller_is_current_until_its_call_ends() -> None:
    with continuing(SENT):
        assert current_traceparent.get() == SENT
        with continuing(None):
            assert current_traceparent.get() == SENT
    assert current_traceparent.get() is None


def test_span_is_current_within_and_what_is_raised_passes_through_it() -> None:
    seen: list[object] = []

    @contextmanager
    def tracer(activity: Activity, parent: str | None) -> Iterator[str | None]:
        seen.extend((activity, parent))
        try:
            yield SENT
        except KeyError as error:
            seen.append(error.args)
            raise

    def fail() -> None:
        with traced(tracer, activity, "before") as traceparent:
            assert traceparent == current_traceparent.get() == SENT
            raise KeyError("within")

    activity = EnqueueTasks("task", "x1")
    with pytest.raises(KeyError):
        fail()
    assert seen == [activity, "before", ("within",)]
    assert current_traceparent.get() is None
