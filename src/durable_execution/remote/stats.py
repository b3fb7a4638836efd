"""How the work goes, on the wire: `ExecutionStats` with the wire's names, instants as dates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Final

from durable_execution._codec import Schema
from durable_execution._core.found import ExecutionStats, FoundExecutor, TaskBacklog
from durable_execution.remote.wire import failed, object_of


def wire_stats(stats: ExecutionStats) -> dict[str, object]:
    """Write the numbers, without what is not known."""
    return {
        **_camel(stats),
        "tasks": {task_id: _camel(task) for task_id, task in stats.tasks.items()},
        "executors": [_wire_executor(each) for each in stats.executors],
    }


def stats_from_wire(value: object) -> ExecutionStats:
    """Read what `getExecutorStats` answers.

    Raises:
        ValidationFailed: It is no such answer.
    """
    given = object_of(value, "stats")
    tasks, executors = object_of(given.get("tasks"), "tasks"), given.get("executors")
    if not isinstance(executors, list):
        raise failed("executors", "expected an array")
    facts = {
        **_snake(ExecutionStats, given),
        "tasks": {key: _snake(TaskBacklog, object_of(each, key)) for key, each in tasks.items()},
        "executors": [_snake(FoundExecutor, object_of(each, "executor")) for each in executors],
    }
    return _STATS.convert(facts, root="stats")


def _wire_executor(executor: FoundExecutor) -> dict[str, object]:
    written = _camel(executor)
    if executor.task_ids is not None:
        written["taskIds"] = sorted(executor.task_ids)
    return written


def _camel(facts: ExecutionStats | TaskBacklog | FoundExecutor) -> dict[str, object]:
    found = {_wire_name(each.name): getattr(facts, each.name) for each in fields(facts)}
    return {name: value for name, value in found.items() if value is not None}


def _snake(
    kind: type[ExecutionStats | TaskBacklog | FoundExecutor], given: Mapping[str, object]
) -> dict[str, object]:
    """Give known fields their Python names; those that are left out are None."""
    return {each.name: given.get(_wire_name(each.name)) for each in fields(kind)}


def _wire_name(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


_STATS: Final[Schema[ExecutionStats]] = Schema(ExecutionStats)
