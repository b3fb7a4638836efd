"""Calls of a router that the observers and the tracer of an executor hear of."""

from __future__ import annotations

from durable_execution.executor import DurableExecutor
from durable_execution.orpc import Builder, observe_calls


def observed(rpc_builder: Builder, executor: DurableExecutor) -> Builder:
    """Have the executor's observers and tracer hear of the calls, if it has any."""
    options = executor.options
    if options.tracer is None and not options.observers:
        return rpc_builder
    return rpc_builder.use(observe_calls(tracer=options.tracer, observers=options.observers))
