"""A process that traces what it runs: `python -m tests.processes.traced URL SPANS`.

Each span is a line of JSON, written when it ends, so that what was killed has written what it had.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import format_span_id, format_trace_id

from durable_execution import (
    DurableExecutor,
    ExecutorOptions,
    RetryOptions,
    TaskContext,
    Tasks,
    open_storage,
)
from durable_execution.telemetry import OpenTelemetryTracer

LEASE = 2.0
tasks = Tasks()


@tasks.task(id="deadlyOnce", retry=RetryOptions(max_retries=1))
async def deadly_once(ctx: TaskContext, marker: str) -> str:
    """Fail, then kill the process, then succeed: three attempts, a retry and a recovery."""
    if ctx.attempt == 0:
        raise LookupError("tried again")
    try:
        Path(marker).touch(exist_ok=False)
    except FileExistsError:
        return f"{os.getpid()}"
    os.kill(os.getpid(), signal.SIGKILL)
    await asyncio.Event().wait()
    raise AssertionError


class LineExporter(SpanExporter):
    """Appends finished spans to a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        with self._path.open("a") as file:
            for span in spans:
                assert span.context is not None
                line = {
                    "name": span.name,
                    "trace_id": format_trace_id(span.context.trace_id),
                    "parent": None if span.parent is None else format_span_id(span.parent.span_id),
                    "pid": os.getpid(),
                    **(span.attributes or {}),
                }
                file.write(f"{json.dumps(line)}\n")
        return SpanExportResult.SUCCESS


def traced_executor(url: str, spans: Path, *, capacity: int) -> DurableExecutor:
    """Return an executor that traces into a file."""
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(LineExporter(spans)))
    options = ExecutorOptions(
        lease=LEASE,
        max_concurrent_task_executions=capacity,
        tracer=OpenTelemetryTracer(provider),
    )
    executor = DurableExecutor(open_storage(url), options)
    executor.include(tasks)
    return executor


async def main(url: str, spans: str) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with traced_executor(url, Path(spans), capacity=10):
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
