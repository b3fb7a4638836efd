"""Traces: what is caused elsewhere carries the `traceparent` of what caused it (W3C).

A *trace*, here and in the row of an execution, is that one text and, behind a space, the
`tracestate` that belongs to it, if there is one. The current one is passed on whether or not
anybody makes spans: a server without a tracer still joins its callers' traces to those of the apps
that it calls. So is the `baggage` of a call, but only while the call is served: it is not kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Final, Protocol, TypeGuard

from durable_execution._observing.activities import Activity

TRACEPARENT_HEADER: Final = "traceparent"
TRACESTATE_HEADER: Final = "tracestate"
BAGGAGE_HEADER: Final = "baggage"
MAX_TRACESTATE_LENGTH: Final = 512
"""What everybody has to pass on; of more, the last members are left out, which are the oldest."""
MAX_TRACESTATE_MEMBERS: Final = 32
MAX_BAGGAGE_LENGTH: Final = 8192

# Version, trace, parent and flags; only zeros are no id, and version ff is none.
_TRACEPARENT: Final = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
)

_STATE_MEMBER: Final = re.compile(
    r"[a-z0-9][a-z0-9_*/@-]{0,255}="
    r"[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"  # no comma, no =
)
_BAGGAGE: Final = re.compile(r"[ -~\t]+")

current_trace: Final[ContextVar[str | None]] = ContextVar("durable_execution_trace", default=None)
"""The trace that what happens here is part of."""
current_baggage: Final[ContextVar[str | None]] = ContextVar(
    "durable_execution_baggage", default=None
)
"""What the caller that is served here has sent along, to be sent on."""


class Tracer(Protocol):
    """Makes a span around an activity.

    Entered, it gives the trace that the span is, its `traceparent` and, behind a space, its
    `tracestate` if it has one. That is stored, and sent, with what the activity causes; None where
    there is nothing to pass on. What is raised inside is an error of the span. An attempt always
    continues the trace that its execution was stored with; everything else that of the code around
    it, if there is one.
    """

    def __call__(
        self, activity: Activity, parent: str | None, /
    ) -> AbstractContextManager[str | None]:
        """Return a span, to be entered once and at once, that continues `parent` if given."""
        ...


def is_traceparent(value: object) -> TypeGuard[str]:
    """Whether a header is one that may be stored and passed on. It comes from anybody."""
    return isinstance(value, str) and _TRACEPARENT.fullmatch(value) is not None


def joined(traceparent: str, tracestate: str | None) -> str:
    """Return the trace of these two."""
    return f"{traceparent} {tracestate}" if tracestate else traceparent


def parts_of(trace: str | None) -> tuple[str | None, str | None]:
    """Return `traceparent` and `tracestate` of a trace."""
    if trace is None:
        return None, None
    traceparent, _, tracestate = trace.partition(" ")
    return traceparent, tracestate or None


def trace_in(headers: Mapping[str, str]) -> str | None:
    """Return the trace that a call is part of, if its headers say one. They come from anybody."""
    traceparent = headers.get(TRACEPARENT_HEADER)
    if not is_traceparent(traceparent):
        return None
    return joined(traceparent, _tracestate_in(headers.get(TRACESTATE_HEADER)))


def headers_of(trace: str | None) -> dict[str, str]:
    """Return what a call carries that is part of a trace, and the baggage of now."""
    found = zip(
        (TRACEPARENT_HEADER, TRACESTATE_HEADER, BAGGAGE_HEADER),
        (*parts_of(trace), current_baggage.get()),
        strict=True,
    )
    return {name: value for name, value in found if value is not None}


def continuing(headers: Mapping[str, str]) -> AbstractContextManager[None]:
    """Be part of the trace of a caller, where it has sent one; else go on as before."""
    trace, baggage = trace_in(headers), headers.get(BAGGAGE_HEADER)
    if trace is None and baggage is None:
        return _AS_BEFORE
    return _continuing(trace, baggage)


_AS_BEFORE: Final = nullcontext()


@contextmanager
def _continuing(trace: str | None, baggage: str | None) -> Iterator[None]:
    if baggage is not None and (
        len(baggage) > MAX_BAGGAGE_LENGTH or _BAGGAGE.fullmatch(baggage) is None
    ):
        baggage = None
    trace_token = current_trace.set(trace or current_trace.get())
    baggage_token = current_baggage.set(baggage or current_baggage.get())
    try:
        yield
    finally:
        current_baggage.reset(baggage_token)
        current_trace.reset(trace_token)


def _tracestate_in(header: str | None) -> str | None:
    """Return what of the header is passed on: all of it, the first members, or nothing."""
    members = [member.strip(" \t") for member in (header or "").split(",")]
    members = [member for member in members if member]
    if len(members) > MAX_TRACESTATE_MEMBERS or not all(map(_STATE_MEMBER.fullmatch, members)):
        return None
    while members and len(",".join(members)) > MAX_TRACESTATE_LENGTH:
        members.pop()
    return ",".join(members) or None


@contextmanager
def traced(tracer: Tracer, activity: Activity, parent: str | None) -> Iterator[str | None]:
    """Make a span, and be part of it; give what is to be passed on."""
    with tracer(activity, parent) as trace:
        token = current_trace.set(trace)
        try:
            yield trace
        finally:
            current_trace.reset(token)
