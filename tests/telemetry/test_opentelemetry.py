"""Real OpenTelemetry, exporting into memory."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from itertools import pairwise

import pytest
from opentelemetry import baggage
from opentelemetry.context import attach, detach
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind, StatusCode, format_span_id, format_trace_id

from durable_execution import (
    DurableExecutionError,
    DurableExecutor,
    ExecutorOptions,
    ParentTaskOutput,
    RetryOptions,
    TaskContext,
    Tasks,
    child_task,
    open_storage,
)
from durable_execution._observing import continuing
from durable_execution.orpc import AsgiSender, ORPCError, RPCLink, create_orpc_client
from durable_execution.server import (
    CallContext,
    RPCHandler,
    convert_procedure_client_to_task,
    create_tasks_router,
    observe_calls,
    rpc,
)
from durable_execution.telemetry import OpenTelemetryMetrics, OpenTelemetryTracer

SENT = f"00-{7:032x}-{9:016x}-01"
SAMPLED = 1
PROVIDER = TracerProvider()
tasks = Tasks()


@tasks.task(id="flaky", retry=RetryOptions(max_retries=1))
async def flaky(ctx: TaskContext) -> str | None:
    if ctx.attempt == 0:
        raise LookupError("not yet")
    with PROVIDER.get_tracer("of the application").start_as_current_span("inner"):
        return ctx.traceparent


@tasks.task(id="stateful")
async def stateful(ctx: TaskContext) -> list[object]:
    return [ctx.tracestate, dict(baggage.get_all())]


@tasks.task(id="slow", timeout=0.05)
async def slow(ctx: TaskContext) -> None:
    await asyncio.Event().wait()


@tasks.parent_task(id="family")
async def family(ctx: TaskContext) -> ParentTaskOutput[None]:
    return ParentTaskOutput(None, [child_task(flaky), child_task(flaky)])


@rpc.handler
async def charge(ctx: CallContext, amount: int) -> str:
    if amount < 0:
        raise ORPCError("BAD_REQUEST", "negative")
    return "charged"


class Trace:
    """Finished spans."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self._processor = SimpleSpanProcessor(self._exporter)
        PROVIDER.add_span_processor(self._processor)

    def spans(self) -> list[ReadableSpan]:
        return sorted(self._exporter.get_finished_spans(), key=lambda span: span.start_time or 0)

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.spans() if span.name == name]

    def shape(self) -> list[tuple[str, str | None]]:
        """Names of the spans, with those of their parents."""
        names = {span.context.span_id: span.name for span in self.spans() if span.context}
        return sorted(
            (span.name, None if span.parent is None else names.get(span.parent.span_id, "remote"))
            for span in self.spans()
        )

    def trace_ids(self) -> set[int]:
        return {span.context.trace_id for span in self.spans() if span.context}

    def close(self) -> None:
        self._exporter.clear()
        self._exporter.shutdown()


@pytest.fixture
def trace() -> Iterator[Trace]:
    trace = Trace()
    yield trace
    trace.close()


@pytest.fixture
async def executor() -> AsyncIterator[DurableExecutor]:
    options = ExecutorOptions(tracer=OpenTelemetryTracer(PROVIDER))
    executor = DurableExecutor(open_storage("memory://"), options)
    executor.include(tasks)
    async with executor:
        yield executor


async def test_retries_and_spans_of_the_application_are_in_the_trace_of_the_caller(
    executor: DurableExecutor, trace: Trace
) -> None:
    with PROVIDER.get_tracer("of the application").start_as_current_span("request"):
        handle = await executor.enqueue_task(flaky)
    traceparent = await handle.result()
    assert trace.shape() == [
        ("enqueue flaky", "request"),
        ("inner", "run flaky"),
        ("request", None),
        ("run flaky", "enqueue flaky"),
        ("run flaky", "enqueue flaky"),
    ]
    assert len(trace.trace_ids()) == 1
    failed, succeeded = trace.named("run flaky")
    assert failed.kind is SpanKind.CONSUMER
    assert failed.status.status_code is StatusCode.ERROR
    assert failed.status.description == "LookupError: not yet"
    assert [event.name for event in failed.events] == ["exception"]
    assert succeeded.status.status_code is StatusCode.UNSET
    assert succeeded.context is not None
    assert traceparent is not None
    assert traceparent[:53] == (
        f"00-{format_trace_id(succeeded.context.trace_id)}-"
        f"{format_span_id(succeeded.context.span_id)}-"
    )
    assert int(traceparent[-2:], 16) & SAMPLED
    assert succeeded.attributes is not None
    assert dict(succeeded.attributes) == {
        "messaging.system": "durable_execution",
        "messaging.operation.name": "run",
        "messaging.operation.type": "process",
        "messaging.destination.name": "flaky",
        "messaging.message.id": handle.execution_id,
        "durable_execution.attempt": 1,
        "durable_execution.crash_count": 0,
        "durable_execution.executor.id": succeeded.attributes["durable_execution.executor.id"],
    }


async def test_execution_of_no_caller_begins_a_trace_of_its_own(
    executor: DurableExecutor, trace: Trace
) -> None:
    for _ in range(2):
        await (await executor.enqueue_task(family)).wait_and_get_finished_execution()
    assert len(trace.trace_ids()) == 2
    shape = trace.shape()
    assert shape.count(("enqueue family", None)) == 2
    assert shape.count(("run family", "enqueue family")) == 2
    assert shape.count(("run flaky", "run family")) == 8
    (attributes,) = {str(span.attributes) for span in trace.named("run family")[:1]}
    child = trace.named("run flaky")[0].attributes
    assert child is not None
    assert child["durable_execution.parent.id"] == child["durable_execution.root.id"]
    assert str(child["durable_execution.parent.id"]) in attributes


async def test_timeout_is_the_error_of_its_span(executor: DurableExecutor, trace: Trace) -> None:
    with pytest.raises(DurableExecutionError):
        await (await executor.enqueue_task(slow)).result()
    (span,) = trace.named("run slow")
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description == "timed out"
    assert span.attributes is not None
    assert span.attributes["error.type"] == "CancelledError"


async def test_one_trace_from_a_client_over_a_server_to_the_app_that_its_task_calls(
    trace: Trace,
) -> None:
    tracer = OpenTelemetryTracer(PROVIDER)
    observed = rpc.use(observe_calls(tracer=tracer))
    app = RPCHandler(observed.router({"charge": charge}), prefix="/rpc")
    to_app = RPCLink("http://app.test/rpc?key=secret", sender=AsgiSender(app), tracer=tracer)
    options = ExecutorOptions(tracer=tracer)
    async with DurableExecutor(open_storage("memory://"), options) as executor, to_app:
        task = convert_procedure_client_to_task(
            executor, {"id": "charge"}, create_orpc_client(to_app).charge
        )
        server = RPCHandler(create_tasks_router(rpc, executor, {"charge": task}))
        link = RPCLink("http://server.test", sender=AsgiSender(server), tracer=tracer)
        async with link:
            client = create_orpc_client(link)
            with continuing({"traceparent": SENT}):
                sent = await client.enqueueTask({"taskId": "charge", "input": -1})
            found = await client.waitTaskExecution({"taskId": "charge", "executionId": sent})
    assert found["status"] == "failed"  # type: ignore[index, call-overload]
    of_the_caller = [span for span in trace.spans() if span.context and span.context.trace_id == 7]
    assert [(span.name, span.kind) for span in of_the_caller] == [
        ("enqueueTask", SpanKind.CLIENT),
        ("enqueueTask", SpanKind.SERVER),
        ("enqueue charge", SpanKind.PRODUCER),
        ("run charge", SpanKind.CONSUMER),
        ("charge", SpanKind.CLIENT),
        ("charge", SpanKind.SERVER),
    ]
    for outer, inner in pairwise(of_the_caller):
        assert inner.parent is not None
        assert outer.context is not None
        assert inner.parent.span_id == outer.context.span_id
    refusing, calling = of_the_caller[5], of_the_caller[4]
    assert refusing.status.status_code is StatusCode.UNSET, "the fault of the caller"
    assert calling.status.status_code is StatusCode.ERROR
    assert calling.attributes is not None
    assert calling.attributes["url.full"] == "http://app.test/rpc"
    assert calling.attributes["error.type"] == "BAD_REQUEST"


async def test_state_and_baggage_pass_through_spans(executor: DurableExecutor) -> None:
    tracer = OpenTelemetryTracer(PROVIDER)
    seen: dict[str, object] = {}

    @rpc.use(observe_calls(tracer=tracer)).handler
    async def look(ctx: CallContext, number: int) -> None:
        seen["headers"] = [ctx.headers.get(name) for name in ("tracestate", "baggage")]
        seen["baggage"] = dict(baggage.get_all())
        seen["task"] = await (await executor.enqueue_task(stateful)).result()

    link = RPCLink("http://app.test", sender=AsgiSender(RPCHandler({"look": look})), tracer=tracer)
    sent = {"traceparent": SENT, "tracestate": "rojo=1", "baggage": "user=7"}
    async with link:
        with continuing(sent):
            await create_orpc_client(link).look(1)
        assert seen == {
            "headers": ["rojo=1", "user=7"],
            "baggage": {"user": "7"},
            "task": ["rojo=1", {}],
        }
        token = attach(baggage.set_baggage("tenant", "acme"))  # as an application does
        await create_orpc_client(link).look(1)
        detach(token)
        assert seen["headers"] == [None, "tenant=acme"]
        assert seen["baggage"] == {"tenant": "acme"}


async def test_trace_that_is_not_recorded_is_passed_on_as_such() -> None:
    tracer = OpenTelemetryTracer(TracerProvider(sampler=ALWAYS_OFF))
    executor = DurableExecutor(open_storage("memory://"), ExecutorOptions(tracer=tracer))
    executor.include(tasks)
    async with executor:
        traceparent = await (await executor.enqueue_task(flaky)).result()
    assert traceparent is not None
    assert int(traceparent[-2:], 16) & SAMPLED == 0


def points(reader: InMemoryMetricReader) -> Mapping[str, object]:
    data = reader.get_metrics_data()
    assert data is not None
    return {
        metric.name: metric
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }


async def test_metrics_have_names_units_and_labels() -> None:
    reader = InMemoryMetricReader()
    metrics = OpenTelemetryMetrics(MeterProvider([reader]))
    options = ExecutorOptions(observers=[metrics])
    executor = DurableExecutor(open_storage("memory://"), options)
    executor.include(tasks)
    async with executor:
        await (await executor.enqueue_task(flaky)).result()
    found = points(reader)
    ended = found["durable_execution.attempts_ended"].data.data_points  # type: ignore[attr-defined]
    assert {(point.attributes["outcome"], point.value) for point in ended} == {
        ("retried", 1),
        ("completed", 1),
    }
    (age,) = found["durable_execution.queue_age"].data.data_points  # type: ignore[attr-defined]
    assert age.value == 0
    (limit,) = found["durable_execution.attempts_limit"].data.data_points  # type: ignore[attr-defined]
    assert limit.value == 5000
    lag = found["durable_execution.attempt_lag"]
    assert lag.unit == "s"  # type: ignore[attr-defined]
    (point,) = lag.data.data_points  # type: ignore[attr-defined]
    assert (point.count, point.attributes) == (2, {"task": "flaky"})
    assert point.explicit_bounds[:2] == (0.001, 0.0025)


@pytest.mark.parametrize("made", [OpenTelemetryMetrics, OpenTelemetryTracer])
def test_missing_opentelemetry_is_answered_with_the_extra(
    made: type[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'durable-execution\[telemetry\]'"):
        made()
