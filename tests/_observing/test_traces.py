from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from durable_execution._core.limits import TRACE_LENGTH
from durable_execution._observing import (
    Activity,
    EnqueueTasks,
    continuing,
    current_trace,
    headers_of,
    parts_of,
    trace_in,
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
        f"{SENT} a=1",
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
    headers = {} if value is None else {"traceparent": value, "tracestate": "a=1"}
    assert trace_in(headers) is None
    with continuing(headers):
        assert current_trace.get() is None


def test_trace_of_a_caller_is_current_until_its_call_ends() -> None:
    with continuing({"traceparent": SENT}):
        assert current_trace.get() == SENT
        with continuing({}):
            assert current_trace.get() == SENT
    assert current_trace.get() is None


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("a=1", "a=1"),
        ("rojo=00f067aa,\tt61rcw@dd=s:2; p:1 , ,", "rojo=00f067aa,t61rcw@dd=s:2; p:1"),
        (",".join(f"k{number}={'v' * 60}" for number in range(10)), 8),
        (",".join(f"k{number}=1" for number in range(32)), 32),
        (",".join(f"k{number}=1" for number in range(33)), None),
        ("a=1,b", None),
        ("A=1", None),
        ("a=1=2", None),
        ("a=", None),
        ("a=ü", None),
        ("a=1\nb=2", None),
        ("", None),
    ],
)
def test_state_goes_with_the_trace_as_far_as_it_is_one(sent: str, kept: str | int | None) -> None:
    trace = trace_in({"traceparent": SENT, "tracestate": sent})
    traceparent, tracestate = parts_of(trace)
    assert traceparent == SENT
    if isinstance(kept, int):
        kept = ",".join(sent.split(",")[:kept])
    assert tracestate == kept
    assert headers_of(trace).get("tracestate") == kept


def test_longest_trace_fits_what_is_kept_for_it() -> None:
    state = f"k={'v' * 256},{'l' * 200}={'v' * 52}"
    trace = trace_in({"traceparent": SENT, "tracestate": state})
    assert trace == f"{SENT} {state}"
    assert len(trace) == TRACE_LENGTH


def test_baggage_is_sent_on_while_its_call_is_served() -> None:
    with continuing({"baggage": "tenant=acme;p=1, user=7"}):
        assert headers_of(None) == {"baggage": "tenant=acme;p=1, user=7"}
        with continuing({"traceparent": SENT}):
            assert headers_of(SENT) == {"traceparent": SENT, "baggage": "tenant=acme;p=1, user=7"}
    assert headers_of(None) == {}


@pytest.mark.parametrize("baggage", ["a=1\r\nx: y", "a=ü", "", f"a={'1' * 8192}"])
def test_what_is_no_baggage_is_not_sent_on(baggage: str) -> None:
    with continuing({"baggage": baggage}):
        assert headers_of(None) == {}


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
            assert traceparent == current_trace.get() == SENT
            raise KeyError("within")

    activity = EnqueueTasks("task", "x1")
    with pytest.raises(KeyError):
        fail()
    assert seen == [activity, "before", ("within",)]
    assert current_trace.get() is None
