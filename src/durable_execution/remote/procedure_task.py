"""A task whose code stays in the web app: each attempt calls one of the app's procedures."""

from __future__ import annotations

from typing import Any, Final, TypeVar, overload

from durable_execution._codec import EncodeError
from durable_execution._core.context import TaskContext
from durable_execution._core.definitions import DefinitionOptions, Definitions
from durable_execution._core.making import declare_task
from durable_execution._core.task import Task
from durable_execution.errors import InvalidInputError, InvalidOptionError
from durable_execution.orpc import ORPCClient, ORPCError, RPCClientError
from durable_execution.orpc._client import HeaderMapping, ProcedureCall
from durable_execution.orpc._contract import AsyncCall
from durable_execution.remote.error_map import task_error_of

InputT = TypeVar("InputT")
OutputT = TypeVar("OutputT")

EXECUTION_ID_HEADER: Final = "x-durable-execution-id"
ATTEMPT_HEADER: Final = "x-durable-attempt"

_OPTIONS: Final = DefinitionOptions.__optional_keys__
_ANYTHING: Final[type[Any]] = Any


@overload
def convert_procedure_client_to_task(
    executor: Definitions,
    options: DefinitionOptions,
    procedure: ORPCClient,
    *,
    input: type[InputT],
    output: type[OutputT],
    headers: HeaderMapping | None = None,
) -> Task[InputT, OutputT]: ...
@overload
def convert_procedure_client_to_task(
    executor: Definitions,
    options: DefinitionOptions,
    procedure: ORPCClient,
    *,
    input: type[InputT],
    headers: HeaderMapping | None = None,
) -> Task[InputT, Any]: ...
@overload
def convert_procedure_client_to_task(
    executor: Definitions,
    options: DefinitionOptions,
    procedure: ORPCClient,
    *,
    output: type[OutputT],
    headers: HeaderMapping | None = None,
) -> Task[Any, OutputT]: ...
@overload
def convert_procedure_client_to_task(
    executor: Definitions,
    options: DefinitionOptions,
    procedure: ORPCClient,
    *,
    headers: HeaderMapping | None = None,
) -> Task[Any, Any]: ...
@overload
def convert_procedure_client_to_task(
    executor: Definitions,
    options: DefinitionOptions,
    procedure: AsyncCall[InputT, OutputT],
    *,
    headers: HeaderMapping | None = None,
) -> Task[InputT, OutputT]: ...
def convert_procedure_client_to_task(
    executor: Definitions,
    options: DefinitionOptions,
    procedure: ORPCClient | AsyncCall[Any, Any],
    *,
    input: type[Any] = _ANYTHING,
    output: type[Any] = _ANYTHING,
    headers: HeaderMapping | None = None,
) -> Task[Any, Any]:
    """Make a task that calls a procedure of an app, here or in TypeScript.

        app = create_orpc_client(RPCLink("https://your-app.com/api/rpc"))
        process_order = convert_procedure_client_to_task(
            executor,
            {"id": "processOrder", "timeout": 60, "retry": RetryOptions(max_retries=3)},
            app.processOrder,
            input=Order,
            output=Receipt,
        )

    A procedure of a contract's client brings its types along.

    An answer 404 fails the execution as not found. 408, 429, 500, 502, 503 and 504 are retried as
    far as the task's retries allow, and so is a call without a readable answer: no connection, a
    broken one, something that is not oRPC. Any other answer fails the execution at once.

    A call may take as long as the attempt; the link's own timeout does not count. At the end of
    the attempt the connection is closed, and a handler in the app is cancelled.

    The app may see one execution several times: after a retry, or when an answer was lost. Every
    call carries `x-durable-execution-id`, the same for all attempts of an execution and therefore
    the key to tell repeated work by, and `x-durable-attempt`, counted from 0.

    Args:
        executor: The executor, or a group of tasks.
        options: Those of the `task` decorator. `id` is required.
        procedure: A place in a client, such as `app.processOrder`.
        input: The type of the input; values that do not fit are refused when enqueued. Left out
            where a contract says it.
        output: The type of the output; an answer that does not fit fails the attempt. Left out
            where a contract says it.
        headers: Sent with every call, besides those of the link.

    Raises:
        InvalidOptionError: An option is unknown, missing or out of bounds, or the id is taken.
    """
    task_id = checked_task_id(options)
    if isinstance(procedure, ProcedureCall):
        input, output = _declared_types(task_id, procedure, input, output)
    elif not isinstance(procedure, ORPCClient):
        raise InvalidOptionError(
            f"procedure of task {task_id} must be a place in an oRPC client, such as "
            f"app.processOrder, got {type(procedure).__name__}"
        )
    own_headers = dict(headers or {})

    async def call_procedure(ctx: TaskContext, input: object) -> object:
        sent = {
            **own_headers,
            EXECUTION_ID_HEADER: ctx.execution_id,
            ATTEMPT_HEADER: str(ctx.attempt),
        }
        try:
            # No timeout here: the attempt's own deadline cancels the call.
            answer: object = await procedure(input, headers=sent, timeout=None)
        except (ORPCError, RPCClientError) as error:
            raise task_error_of(error) from error
        except EncodeError as error:
            raise InvalidInputError(f"Invalid input of task {task_id}: {error}") from error
        return answer

    declaration = declare_task(task_id, input=input, output=output)
    return executor.implement(declaration, **options)(call_procedure)


def _declared_types(
    task_id: str, procedure: ProcedureCall, input: object, output: object
) -> tuple[Any, Any]:
    if input is not _ANYTHING or output is not _ANYTHING:
        raise InvalidOptionError(
            f"input and output of task {task_id} come from the contract of its procedure"
        )
    declared = procedure.declared
    return (
        type(None) if declared.input is None else declared.input,
        type(None) if declared.output is None else declared.output,
    )


def checked_task_id(options: DefinitionOptions) -> str:
    """Return the id among the options of a task that an app works on.

    Raises:
        InvalidOptionError: There is none, or one of the options is unknown.
    """
    unknown = sorted(options.keys() - _OPTIONS)
    if unknown:
        raise InvalidOptionError(
            f"options of a task: unknown {', '.join(unknown)}; use {', '.join(sorted(_OPTIONS))}"
        )
    if "id" not in options:
        raise InvalidOptionError("options of a task that an app works on must have an id")
    return options["id"]
