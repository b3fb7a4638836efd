"""What the procedures of the tasks router, and of the operators', are called on the wire."""

from __future__ import annotations

from typing import Final

ENQUEUE_TASK: Final = "enqueueTask"
ENQUEUE_TASKS: Final = "enqueueTasks"
GET_TASK_EXECUTION: Final = "getTaskExecution"
WAIT_TASK_EXECUTION: Final = "waitTaskExecution"
WATCH_TASK_EXECUTION: Final = "watchTaskExecution"
LIST_TASK_EXECUTIONS: Final = "listTaskExecutions"
CANCEL_TASK_EXECUTION: Final = "cancelTaskExecution"
COMPLETE_TASK: Final = "completeTask"
FAIL_TASK: Final = "failTask"
HEARTBEAT_TASK: Final = "heartbeatTask"
WAKEUP_SLEEPING_TASK_EXECUTION: Final = "wakeupSleepingTaskExecution"

RETRY_TASK_EXECUTION: Final = "retryTaskExecution"
GET_TASK_EXECUTION_TREE: Final = "getTaskExecutionTree"
GET_EXECUTOR_STATS: Final = "getExecutorStats"
PRUNE_TASK_EXECUTIONS: Final = "pruneTaskExecutions"
OPERATIONS: Final = frozenset(
    {RETRY_TASK_EXECUTION, GET_TASK_EXECUTION_TREE, GET_EXECUTOR_STATS, PRUNE_TASK_EXECUTIONS}
)
"""Those of operators. Any of them may be called again when its answer got lost."""
