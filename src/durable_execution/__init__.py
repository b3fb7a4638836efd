"""Durable tasks for Python: hand off work, and know that it ends.

Names are loaded when they are first used, so that a client that only declares tasks loads no
engine and no database driver.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from durable_execution._codec import (
        UNDEFINED,
        BigInt,
        JsDate,
        JsMap,
        JsSet,
        RegExp,
        Undefined,
        Url,
    )
    from durable_execution._core.changes import (
        ProgressChange,
        StatusChange,
        TaskExecutionChange,
        TaskProgress,
    )
    from durable_execution._core.context import (
        ParentTaskExecutionSummary,
        Signal,
        TaskContext,
        TaskExecutionSummary,
    )
    from durable_execution._core.definitions import Tasks
    from durable_execution._core.enqueueing import TaskToEnqueue, task_to_enqueue
    from durable_execution._core.found import (
        ExecutionStats,
        FoundExecutor,
        FoundTaskExecution,
        TaskBacklog,
        TaskExecutionCounts,
        TaskExecutionPage,
    )
    from durable_execution._core.making import child_task, declare_task
    from durable_execution._core.results import (
        CompletedChild,
        Done,
        ErroredChild,
        FinishedChild,
        LoopGaveUp,
        LoopResult,
        LoopSucceeded,
        NotDone,
        ParentTaskResult,
    )
    from durable_execution._core.retry import RetryOptions
    from durable_execution._core.status import FinishedStatus, Status
    from durable_execution._core.task import (
        ChildTask,
        ParentTaskOutput,
        SleepingTask,
        Task,
        TaskDeclaration,
    )
    from durable_execution._core.views import (
        CancelledTaskExecution,
        CompletedTaskExecution,
        FailedTaskExecution,
        FinalizeFailedTaskExecution,
        FinishedTaskExecution,
        PastAttempt,
        ReadyTaskExecution,
        RunningTaskExecution,
        TaskExecution,
        TimedOutTaskExecution,
        WaitingForChildrenTaskExecution,
        WaitingForFinalizeTaskExecution,
    )
    from durable_execution._engine.garbage import tune_garbage_collector
    from durable_execution._engine.handle import TaskExecutionHandle
    from durable_execution._engine.options import ExecutorOptions
    from durable_execution._engine.storage_metrics import StorageCallMetrics
    from durable_execution.enqueueing import enqueue_in_transaction
    from durable_execution.errors import (
        AttemptOverError,
        DuplicateSleepingIdError,
        DurableExecutionCancelledError,
        DurableExecutionError,
        DurableExecutionNotFoundError,
        DurableExecutionTimedOutError,
        ExecutorShutDownError,
        IdempotencyConflictError,
        InvalidCallbackError,
        InvalidInputError,
        InvalidOptionError,
        InvalidTokenError,
        StorageError,
        StorageUnavailableError,
        StoredError,
    )
    from durable_execution.executor import DurableExecutor
    from durable_execution.storage import InMemoryStorage, Storage, open_storage

_HOMES = {
    "_codec": (
        "UNDEFINED",
        "BigInt",
        "JsDate",
        "JsMap",
        "JsSet",
        "RegExp",
        "Undefined",
        "Url",
    ),
    "_core.changes": (
        "ProgressChange",
        "StatusChange",
        "TaskExecutionChange",
        "TaskProgress",
    ),
    "_core.context": (
        "ParentTaskExecutionSummary",
        "Signal",
        "TaskContext",
        "TaskExecutionSummary",
    ),
    "_core.definitions": ("Tasks",),
    "_core.enqueueing": ("TaskToEnqueue", "task_to_enqueue"),
    "_core.found": (
        "ExecutionStats",
        "FoundExecutor",
        "FoundTaskExecution",
        "TaskBacklog",
        "TaskExecutionCounts",
        "TaskExecutionPage",
    ),
    "_core.making": ("child_task", "declare_task"),
    "_core.results": (
        "CompletedChild",
        "Done",
        "ErroredChild",
        "FinishedChild",
        "LoopGaveUp",
        "LoopResult",
        "LoopSucceeded",
        "NotDone",
        "ParentTaskResult",
    ),
    "_core.retry": ("RetryOptions",),
    "_core.status": ("FinishedStatus", "Status"),
    "_core.task": (
        "ChildTask",
        "ParentTaskOutput",
        "SleepingTask",
        "Task",
        "TaskDeclaration",
    ),
    "_core.views": (
        "CancelledTaskExecution",
        "CompletedTaskExecution",
        "FailedTaskExecution",
        "FinalizeFailedTaskExecution",
        "FinishedTaskExecution",
        "PastAttempt",
        "ReadyTaskExecution",
        "RunningTaskExecution",
        "TaskExecution",
        "TimedOutTaskExecution",
        "WaitingForChildrenTaskExecution",
        "WaitingForFinalizeTaskExecution",
    ),
    "_engine.handle": ("TaskExecutionHandle",),
    "_engine.options": ("ExecutorOptions",),
    "_engine.storage_metrics": ("StorageCallMetrics",),
    "enqueueing": ("enqueue_in_transaction",),
    "_engine.garbage": ("tune_garbage_collector",),
    "errors": (
        "AttemptOverError",
        "DuplicateSleepingIdError",
        "DurableExecutionCancelledError",
        "DurableExecutionError",
        "DurableExecutionNotFoundError",
        "DurableExecutionTimedOutError",
        "ExecutorShutDownError",
        "IdempotencyConflictError",
        "InvalidCallbackError",
        "InvalidInputError",
        "InvalidOptionError",
        "InvalidTokenError",
        "StorageError",
        "StorageUnavailableError",
        "StoredError",
    ),
    "executor": ("DurableExecutor",),
    "storage": ("InMemoryStorage", "Storage", "open_storage"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "UNDEFINED",
    "AttemptOverError",
    "BigInt",
    "CancelledTaskExecution",
    "ChildTask",
    "CompletedChild",
    "CompletedTaskExecution",
    "Done",
    "DuplicateSleepingIdError",
    "DurableExecutionCancelledError",
    "DurableExecutionError",
    "DurableExecutionNotFoundError",
    "DurableExecutionTimedOutError",
    "DurableExecutor",
    "ErroredChild",
    "ExecutionStats",
    "ExecutorOptions",
    "ExecutorShutDownError",
    "FailedTaskExecution",
    "FinalizeFailedTaskExecution",
    "FinishedChild",
    "FinishedStatus",
    "FinishedTaskExecution",
    "FoundExecutor",
    "FoundTaskExecution",
    "IdempotencyConflictError",
    "InMemoryStorage",
    "InvalidCallbackError",
    "InvalidInputError",
    "InvalidOptionError",
    "InvalidTokenError",
    "JsDate",
    "JsMap",
    "JsSet",
    "LoopGaveUp",
    "LoopResult",
    "LoopSucceeded",
    "NotDone",
    "ParentTaskExecutionSummary",
    "ParentTaskOutput",
    "ParentTaskResult",
    "PastAttempt",
    "ProgressChange",
    "ReadyTaskExecution",
    "RegExp",
    "RetryOptions",
    "RunningTaskExecution",
    "Signal",
    "SleepingTask",
    "Status",
    "StatusChange",
    "Storage",
    "StorageCallMetrics",
    "StorageError",
    "StorageUnavailableError",
    "StoredError",
    "Task",
    "TaskBacklog",
    "TaskContext",
    "TaskDeclaration",
    "TaskExecution",
    "TaskExecutionChange",
    "TaskExecutionCounts",
    "TaskExecutionHandle",
    "TaskExecutionPage",
    "TaskExecutionSummary",
    "TaskProgress",
    "TaskToEnqueue",
    "Tasks",
    "TimedOutTaskExecution",
    "Undefined",
    "Url",
    "WaitingForChildrenTaskExecution",
    "WaitingForFinalizeTaskExecution",
    "child_task",
    "declare_task",
    "enqueue_in_transaction",
    "open_storage",
    "task_to_enqueue",
    "tune_garbage_collector",
]


def __getattr__(name: str) -> object:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
