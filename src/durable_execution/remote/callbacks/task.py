"""A task whose work an app does, in its own time: an attempt is handed over and called back for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar, overload

from durable_execution._core.definitions import DefinitionOptions, Definitions
from durable_execution._core.limits import MAX_DURATION_MS, to_ms
from durable_execution._core.making import declare_task, make_callback_task
from durable_execution._core.task import CallbackPlan, Duration, Task
from durable_execution.errors import InvalidOptionError
from durable_execution.orpc._client.base_url import base_url
from durable_execution.orpc._client.headers import HeaderMapping, wire_headers
from durable_execution.remote.callbacks.courier import CallbackCourier
from durable_execution.remote.callbacks.secrets import CallbackSecrets, Secret
from durable_execution.remote.procedure_task import checked_task_id

if TYPE_CHECKING:
    from durable_execution.orpc import Sender

InputT = TypeVar("InputT")
OutputT = TypeVar("OutputT")

SHORTEST_LEASE_MS: Final = 100
LONGEST_REQUEST_MS: Final = 300_000
DEFAULT_LEASE: Final = 60.0
DEFAULT_REQUEST_TIMEOUT: Final = 10.0

_ANYTHING: Final[type[Any]] = Any


@overload
def create_callback_task(
    executor: Definitions,
    options: DefinitionOptions,
    url: str,
    *,
    secret: Secret,
    lease: Duration = DEFAULT_LEASE,
    input: type[InputT],
    output: type[OutputT],
    headers: HeaderMapping | None = None,
    request_timeout: Duration = DEFAULT_REQUEST_TIMEOUT,
    sender: Sender | None = None,
) -> Task[InputT, OutputT]: ...
@overload
def create_callback_task(
    executor: Definitions,
    options: DefinitionOptions,
    url: str,
    *,
    secret: Secret,
    lease: Duration = DEFAULT_LEASE,
    input: Any = ...,
    output: Any = ...,
    headers: HeaderMapping | None = None,
    request_timeout: Duration = DEFAULT_REQUEST_TIMEOUT,
    sender: Sender | None = None,
) -> Task[Any, Any]: ...
def create_callback_task(
    executor: Definitions,
    options: DefinitionOptions,
    url: str,
    *,
    secret: Secret,
    lease: Duration = DEFAULT_LEASE,
    input: Any = _ANYTHING,
    output: Any = _ANYTHING,
    headers: HeaderMapping | None = None,
    request_timeout: Duration = DEFAULT_REQUEST_TIMEOUT,
    sender: Sender | None = None,
) -> Task[Any, Any]:
    """Make a task that an app works on for longer than a request may take.

        render_video = create_callback_task(
            executor,
            {"id": "renderVideo", "timeout": 3600, "retry": RetryOptions(max_retries=2)},
            "https://your-app.com/api/tasks/render-video",
            secret=os.environ["CALLBACK_SECRET"],
            lease=60,
        )

    Each attempt is a signed POST. The app answers 202, and later calls `completeTask`, `failTask`
    or `heartbeatTask` of the tasks router with the token of the request. Until then no executor
    holds the execution, and none that ends loses it. 200 with an output completes it at once;
    errors are those of `convert_procedure_client_to_task`. An answer that is lost counts as 202.

    An app that has neither answered nor sent a heartbeat within the lease is taken for dead: the
    attempt has failed, and another follows if retries are left. `timeout` bounds all of an
    attempt, however often the app sends heartbeats.

    The app may see one execution several times. All its requests carry the execution's id, as
    `idempotency-key`, too.

    Args:
        executor: The executor, or a group of tasks.
        options: Those of the `task` decorator. `id` is required.
        url: Where the app takes the requests. Redirects are not followed.
        secret: `whsec_` and 24 to 64 random bytes in base64, shared with the app. Of a list the
            first signs and all verify, so that secrets can be changed: add the new one to the
            app's list, then put it first here, then take the old one away.
        lease: Seconds or timedelta, from 0.1.
        input: The type of the input; values that do not fit are refused when enqueued.
        output: The type of the output; an answer that does not fit is refused.
        headers: Sent with every request, besides.
        request_timeout: Seconds or timedelta in which the app must answer the POST, at most 300.
        sender: Carries the requests, such as `AiohttpSender(ssl=context)`; without one each has a
            connection of its own.

    Raises:
        InvalidOptionError: An option is unknown, missing or out of bounds, or the id is taken.
    """
    task_id = checked_task_id(options)
    try:
        base_url(url)
        checked_headers = wire_headers(headers or {})
    except (TypeError, ValueError) as error:
        raise InvalidOptionError(f"callback task {task_id}: {error}") from error
    longest = to_ms("request_timeout", request_timeout, 1, LONGEST_REQUEST_MS)
    courier = CallbackCourier(
        url,
        CallbackSecrets(secret),
        headers=checked_headers,
        request_timeout=longest / 1000,
        sender=sender,
    )
    plan = CallbackPlan(courier, to_ms("lease", lease, SHORTEST_LEASE_MS, MAX_DURATION_MS))
    declaration = declare_task(task_id, input=input, output=output)
    return executor.add(make_callback_task(declaration, plan, **options))
