"""Spans for OpenTelemetry, in the words of its conventions for messaging and remote calls.

An enqueue is a producer's span, and an attempt a consumer's. The conventions prefer links from
consumers to producers where a consumer takes many messages at once; an attempt is one execution. So
its span is a child of what enqueued it, and retries, recoveries and children are all found in the
caller's trace.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, assert_never

from durable_execution._observing import (
    BAGGAGE_HEADER,
    Activity,
    EnqueueTasks,
    MakeCall,
    RunAttempt,
    ServeCall,
    current_baggage,
    headers_of,
    trace_in,
)
from durable_execution.telemetry.extra import needs_extra

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span, SpanKind, TracerProvider

Attributes = dict[str, str | int]

_SYSTEM = {"messaging.system": "durable_execution"}
_FIRST_SERVER_ERROR = 500


class OpenTelemetryTracer:
    """Makes a span for each enqueue, attempt and call: one trace from the caller to the last child.

        tracer = OpenTelemetryTracer()
        executor = DurableExecutor(storage, ExecutorOptions(tracer=tracer))
        link = RPCLink("https://app.example.com/rpc", tracer=tracer)

    Inside, the span is OpenTelemetry's current one, so that those of other libraries are its
    children. Whether a trace is recorded is decided where it begins, and passed on.

    Args:
        tracer_provider: The application's global one, unless given.

    Raises:
        ModuleNotFoundError: The `telemetry` extra is not installed.
    """

    def __init__(self, tracer_provider: TracerProvider | None = None) -> None:
        with needs_extra("OpenTelemetryTracer"):
            from opentelemetry import context, trace
            from opentelemetry.baggage.propagation import W3CBaggagePropagator
            from opentelemetry.propagators.composite import CompositePropagator
            from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
        self._tracer = trace.get_tracer("durable_execution", tracer_provider=tracer_provider)
        self._propagator = CompositePropagator(
            [TraceContextTextMapPropagator(), W3CBaggagePropagator()]
        )
        self._trace = trace
        self._contexts = context

    def __call__(
        self, activity: Activity, parent: str | None, /
    ) -> AbstractContextManager[str | None]:
        """Return a span around an activity."""
        return self._span(activity, parent)

    @contextmanager
    def _span(self, activity: Activity, parent: str | None) -> Iterator[str | None]:
        trace = self._trace
        name, kind, attributes = _described(activity, trace.SpanKind)
        with (
            self._within(self._context(activity, parent)),
            self._tracer.start_as_current_span(
                name,
                kind=kind,
                attributes=attributes,
                record_exception=False,
                set_status_on_exception=False,
            ) as span,
        ):
            carrier: dict[str, str] = {}
            self._propagator.inject(carrier)
            # What the application has put into OpenTelemetry's baggage goes along, as with its own.
            outside = current_baggage.set(carrier.get(BAGGAGE_HEADER) or current_baggage.get())
            try:
                yield trace_in(carrier)
            except BaseException as error:
                self._note(span, activity, error)
                raise
            finally:
                current_baggage.reset(outside)

    @contextmanager
    def _within(self, context: Context | None) -> Iterator[None]:
        """Be in a context, its baggage included; None for the current one."""
        if context is None:
            yield
            return
        token = self._contexts.attach(context)
        try:
            yield
        finally:
            self._contexts.detach(token)

    def _context(self, activity: Activity, parent: str | None) -> Context | None:
        """Return what a span continues; None for the current context.

        An attempt is started by whichever loop had it at hand, whose context means nothing.
        """
        from opentelemetry.context import Context

        is_within = self._trace.get_current_span().get_span_context().is_valid
        if is_within and not isinstance(activity, RunAttempt):
            return None
        carrier = headers_of(parent)
        if not carrier:
            return Context() if isinstance(activity, RunAttempt) else None
        return self._propagator.extract(carrier, Context())

    def _note(self, span: Span, activity: Activity, error: BaseException) -> None:
        status = getattr(error, "status", _FIRST_SERVER_ERROR)
        span.set_attribute("error.type", getattr(error, "code", None) or type(error).__qualname__)
        if isinstance(activity, ServeCall) and isinstance(status, int):
            if status < _FIRST_SERVER_ERROR:
                return  # the fault of its caller, whose own span says so
        elif isinstance(error, asyncio.CancelledError):
            why = str(error) or "cancelled"
            span.set_status(self._trace.StatusCode.ERROR, why)
            return
        span.record_exception(error)
        span.set_status(self._trace.StatusCode.ERROR, f"{type(error).__name__}: {error}")


def _described(activity: Activity, kinds: type[SpanKind]) -> tuple[str, SpanKind, Attributes]:
    match activity:
        case EnqueueTasks(task_id, execution_id, count):
            attributes: dict[str, Any] = {
                **_SYSTEM,
                "messaging.operation.name": "enqueue",
                "messaging.operation.type": "send",
                "messaging.destination.name": task_id,
                "messaging.message.id": execution_id,
                "messaging.batch.message_count": None if execution_id else count,
            }
            return f"enqueue {task_id or 'tasks'}", kinds.PRODUCER, _present(attributes)
        case RunAttempt():
            attributes = {
                **_SYSTEM,
                "messaging.operation.name": "run",
                "messaging.operation.type": "process",
                "messaging.destination.name": activity.task_id,
                "messaging.message.id": activity.execution_id,
                "durable_execution.attempt": activity.attempt,
                "durable_execution.crash_count": activity.crash_count,
                "durable_execution.executor.id": activity.executor_id,
                "durable_execution.root.id": activity.root_execution_id,
                "durable_execution.parent.id": activity.parent_execution_id,
            }
            return f"run {activity.task_id}", kinds.CONSUMER, _present(attributes)
        case ServeCall(procedure):
            return procedure, kinds.SERVER, {"rpc.system": "orpc", "rpc.method": procedure}
        case MakeCall(procedure, url):
            attributes = {"rpc.system": "orpc", "rpc.method": procedure, "url.full": url}
            return procedure, kinds.CLIENT, attributes
        case _:
            assert_never(activity)


def _present(attributes: dict[str, Any]) -> Attributes:
    return {name: value for name, value in attributes.items() if value is not None}
