"""The procedures with which apps answer for attempts that were handed over to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from durable_execution._codec import date_text, encoded_object
from durable_execution._core.task import CallbackPlan, Task
from durable_execution._engine.outside import Turn
from durable_execution.errors import DurableExecutionError
from durable_execution.executor import DurableExecutor
from durable_execution.orpc import Builder, CallContext, Procedure, Router, rpc
from durable_execution.remote.callbacks.courier import CallbackCourier
from durable_execution.remote.callbacks.secrets import CallbackSecrets
from durable_execution.remote.callbacks.tokens import read_token
from durable_execution.remote.calls.callbacks import (
    read_complete_task,
    read_fail_task,
    read_heartbeat_task,
)
from durable_execution.remote.calls.names import COMPLETE_TASK, FAIL_TASK, HEARTBEAT_TASK
from durable_execution.remote.observed import observed
from durable_execution.remote.procedures.mounted import MountedTasks, told


def create_callbacks_router(
    rpc_builder: Builder, executor: DurableExecutor, tasks: Mapping[str, Task[Any, Any]]
) -> Router:
    """Make a router of the three procedures that apps call back with, and nothing else.

    The tasks router has them too, behind whatever guards it. This one is for an address of its own
    that apps reach with nothing but their tokens: those alone say what a caller may do.

        callbacks = create_callbacks_router(rpc, executor, {"renderVideo": render_video})
        app = RPCHandler(callbacks, prefix="/callbacks")

    - `completeTask({token, output})` and `failTask({token, error, isRetryable?})` end the attempt
      of the token and give `{executionId, status}`. Who says the same again gets the same answer.
    - `heartbeatTask({token, progress?: {fraction, message?}})` begins the lease anew, reports the
      progress, and gives `{expiresAt}`.

    A token that was not made here is answered 401, one whose attempt is over 409.

    Args:
        rpc_builder: `rpc`, or a builder with middlewares.
        executor: As for `create_tasks_router`.
        tasks: Those of them that are no callback tasks are passed over.

    Raises:
        InvalidOptionError: A task is not registered on the executor, or a key is no text.
    """
    return observed(rpc_builder, executor).router({**calling_back(MountedTasks(executor, tasks))})


def calling_back(tasks: MountedTasks) -> Mapping[str, Procedure]:
    """Make the procedures for apps; none of them where no task is a callback task."""
    callbacks = {task.id: task for task in tasks.all() if isinstance(task.plan, CallbackPlan)}
    secrets = {task_id: _secrets_of(task) for task_id, task in callbacks.items()}
    executor = tasks.executor

    def turn_of(token: str) -> tuple[Task[Any, Any], Turn]:
        claim = read_token(secrets, token)
        return callbacks[claim.task_id], Turn(claim.execution_id, claim.fence)

    async def complete_task(ctx: CallContext, input: object) -> object:
        with told(at=("output",)):
            call = read_complete_task(input)
            task, turn = turn_of(call.token)
            status = await executor.complete_attempt(task, turn, call.output)
        return {"executionId": turn.execution_id, "status": status}

    async def fail_task(ctx: CallContext, input: object) -> object:
        with told():
            call = read_fail_task(input)
            task, turn = turn_of(call.token)
            error = DurableExecutionError(call.message, is_retryable=call.is_retryable)
            status = await executor.fail_attempt(task, turn, error)
        return {"executionId": turn.execution_id, "status": status}

    async def heartbeat_task(ctx: CallContext, input: object) -> object:
        with told():
            call = read_heartbeat_task(input)
            task, turn = turn_of(call.token)
            expires_at = await executor.extend_attempt(
                task, turn, fraction=call.fraction, message=call.message
            )
        return encoded_object({"expiresAt": date_text(expires_at)}, dates=("expiresAt",))

    if not callbacks:
        return {}
    return {
        COMPLETE_TASK: rpc.handler(complete_task),
        FAIL_TASK: rpc.handler(fail_task),
        HEARTBEAT_TASK: rpc.handler(heartbeat_task),
    }


def _secrets_of(task: Task[Any, Any]) -> CallbackSecrets:
    courier = task.plan.courier if isinstance(task.plan, CallbackPlan) else None
    assert isinstance(courier, CallbackCourier)  # noqa: S101 - no other is ever made
    return courier.secrets
