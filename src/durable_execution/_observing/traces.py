"""Traces: what is caused elsewhere carries the `traceparent` of what caused it (W3C).

The current one is passed on whether or not anybody makes spans: a server without a tracer still
joins its callers' traces to those of the apps that it calls.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Final, Protocol, TypeGuard

from durable_execution._observing.activities import Activity

TRACEPARENT_HEADER: Final = "traceparent"

# Version, trace, parent and flags; only zeros are no id, and version ff is none.
_TRACEPARENT: Final = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
)

current_traceparent: Final[ContextVar[str | None]] = ContextVar(
    "durable_execution_traceparent", default=None
)
"""The trace that what happens here is part of."""


class Tracer(Protocol):
    """Makes a span around an activity.

    Entered, it gives the `traceparent` of the span, which is stored, and sent, with what the
    activity causes; None where there is nothing to pass on. What is raised inside is an error of
    the span. An attempt always continues the trace that its execution was stored with; everything
    else that of the code around it, if there is one.
    """

    def __call__(
        self, activity: Activity, parent: str | None, /
    ) -> AbstractContextManager[str | None]:
        """Return a span, to be entered once and at once, that continues `parent` if given."""
        ...


def is_traceparent(value: object) -> TypeGuard[str]:
    """Whether a header is one that may be stored and passed on. It comes from anybody."""
    return isinstance(value, str) and _TRACEPARENT.fullmatch(value) is not None


@contextmanager
def continuing(traceparent: str | None) -> Iterator[None]:
    """Be part of the trace of a caller, where it has sent one; else go on as before."""
    if not is_traceparent(traceparent):
        yield
        return
    token = current_traceparent.set(traceparent)
    try:
        yield
    finally:
        current_traceparent.reset(token)


@contextmanager
def traced(tracer: Tracer, activity: Activity, parent: str | None) -> Iterator[str | None]:
    """Make a span, and be part of it; give what is to be passed on."""
    with tracer(activity, parent) as traceparent:
        token = current_traceparent.set(traceparent)
        try:
            yield traceparent
        finally:
            current_traceparent.reset(token)
