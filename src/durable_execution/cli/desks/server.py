"""The desk of an executor server: the procedures of its routers, called with a token."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, Final, cast

from durable_execution._core.limits import MAX_DURATION_MS, to_ms
from durable_execution.cli.desks.branches import tree_of
from durable_execution.cli.desks.desk import Branch, Desk, Facts, Filters, Listed, Order, Progress
from durable_execution.cli.exits import (
    FAILED,
    MISUSED,
    NOT_FOUND,
    REFUSED,
    UNREACHABLE,
    CommandError,
)
from durable_execution.errors import DurableExecutionNotFoundError, InvalidInputError
from durable_execution.orpc import ORPCError, Retries, RPCLink, create_orpc_client
from durable_execution.remote.calls.names import (
    GET_EXECUTOR_STATS,
    GET_TASK_EXECUTION_TREE,
    OPERATIONS,
    RETRY_TASK_EXECUTION,
)
from durable_execution.remote.calls.operating import MAX_TREE, write_operated
from durable_execution.remote.operator_client import pruned
from durable_execution.remote.router_calls import is_missing_procedure
from durable_execution.remote.stats import stats_from_wire

if TYPE_CHECKING:
    from collections.abc import Iterator

    from durable_execution._core.found import ExecutionStats

_CODES: Final = {
    "NOT_FOUND": NOT_FOUND,
    "UNAUTHORIZED": REFUSED,
    "FORBIDDEN": REFUSED,
    "BAD_REQUEST": MISUSED,
}
_MAX_PAGE: Final = 1000
_RETRIES: Final = Retries(repeatable=lambda path, _: path[-1] in OPERATIONS)
"""What operators do may be done again, so an answer that got lost is asked for again."""


@asynccontextmanager
async def server_desk(url: str, token: str | None) -> AsyncIterator[Desk]:
    """Open connections to the server; nothing is asked yet.

    Raises:
        CommandError: The URL is none.
    """
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    try:
        link = RPCLink(url, headers=headers, retries=_RETRIES)
    except (TypeError, ValueError) as error:
        raise CommandError(f"--server: {error}", MISUSED) from error
    async with link:
        yield ServerDesk(create_orpc_client(link), url)


class ServerDesk:
    """Commands over a client of the tasks router. The contract is `Desk`'s."""

    def __init__(self, client: Any, url: str) -> None:
        self._client = client
        self._url = url

    async def enqueue(self, order: Order) -> str:  # noqa: D102
        if order.task is not None:
            raise CommandError("a server has its tasks: leave --tasks out", MISUSED)
        options: dict[str, object] = {
            "idempotencyKey": order.key,
            "tags": dict(order.tags) or None,
            "timeoutMs": order.timeout_ms,
            "sleepMsBeforeRun": order.sleep_ms,
        }
        if order.max_retries is not None:
            options["retryOptions"] = {"maxAttempts": order.max_retries}
        call: dict[str, object] = {"taskId": order.task_id, "input": order.input}
        given = {name: value for name, value in options.items() if value is not None}
        if given:
            call["options"] = given
        return str(await self._ask("enqueueTask", call))

    async def page(self, filters: Filters, *, limit: int, cursor: str | None) -> Listed:  # noqa: D102
        given: dict[str, object] = {
            "taskIds": list(filters.task_ids) or None,
            "statuses": list(filters.statuses) or None,
            "createdFrom": filters.created[0],
            "createdBefore": filters.created[1],
            "finishedFrom": filters.finished[0],
            "finishedBefore": filters.finished[1],
            "parentExecutionId": filters.parent_id,
            "rootExecutionId": filters.root_id,
            "isRoot": filters.is_root,
            "tags": dict(filters.tags) or None,
            "idPrefix": filters.id_prefix,
            "order": filters.order,
            "cursor": cursor,
            "limit": limit,
        }
        asked = {name: value for name, value in given.items() if value is not None}
        page = cast("Mapping[str, Any]", await self._ask("listTaskExecutions", asked))
        prefix = filters.id_prefix or ""
        if not all(each["executionId"].startswith(prefix) for each in page["executions"]):
            # An older one does not look at what it does not know.
            raise self._not_offered("to search by the beginning of an id")
        return Listed(tuple(page["executions"]), page.get("nextCursor"))

    async def execution(self, task_id: str | None, execution_id: str) -> Facts:  # noqa: D102
        return await self._act("getTaskExecution", task_id, execution_id)

    async def tree(self, task_id: str | None, execution_id: str, *, limit: int) -> Branch:
        """Show the tree as operators see it; to others as lists do, without inputs and outputs."""
        call = {**write_operated(task_id, execution_id), "limit": min(limit, MAX_TREE)}
        with self._told(GET_TASK_EXECUTION_TREE):
            try:
                answer = await self._client[GET_TASK_EXECUTION_TREE](call)
            except ORPCError as error:
                if not (is_missing_procedure(error) or error.code == "FORBIDDEN"):
                    raise
                answer = None
        if answer is None:
            return await self._listed_tree(task_id, execution_id, limit)
        return tree_of(answer["executions"])

    async def _listed_tree(self, task_id: str | None, execution_id: str, limit: int) -> Branch:
        root = await self.execution(task_id, execution_id)
        filters = Filters(root_id=execution_id, order="oldest_first")
        executions, cursor = [root], None
        while limit > 0:
            page = await self.page(filters, limit=min(limit, _MAX_PAGE), cursor=cursor)
            executions += page.executions
            limit, cursor = limit - len(page.executions), page.next_cursor
            if cursor is None:
                return tree_of(executions)
        return tree_of([{**root, "leftOut": 1}, *executions[1:]])

    async def watch(  # noqa: D102
        self, task_id: str | None, execution_id: str
    ) -> AsyncIterator[Facts | Progress]:
        task_id = task_id or await self._task_of(execution_id)
        call = {"taskId": task_id, "executionId": execution_id}
        with self._told("watchTaskExecution"):
            async for event in await self._client.watchTaskExecution(call):
                if event["type"] == "progress":
                    progress = event["progress"]
                    yield Progress(progress["fraction"], progress.get("message"))
                else:
                    yield event["execution"]

    async def cancel(self, task_id: str | None, execution_id: str) -> Facts:  # noqa: D102
        return await self._act("cancelTaskExecution", task_id, execution_id)

    async def retry(self, task_id: str | None, execution_id: str) -> Facts:  # noqa: D102
        call = write_operated(task_id, execution_id)
        return cast("Facts", await self._ask(RETRY_TASK_EXECUTION, call))

    async def wake(  # noqa: D102
        self, task_id: str, unique_id: str, *, output: object, error: str | None
    ) -> Facts:
        options: dict[str, object] = {"status": "completed", "output": output}
        if error is not None:
            options = {"status": "failed", "error": error}
        call = {"taskId": task_id, "sleepingTaskUniqueId": unique_id, "options": options}
        return cast("Facts", await self._ask("wakeupSleepingTaskExecution", call))

    async def stats(self, *, lately: float) -> ExecutionStats:  # noqa: D102
        call = {"latelyMs": to_ms("since", lately, 1, MAX_DURATION_MS)}
        return stats_from_wire(await self._ask(GET_EXECUTOR_STATS, call))

    async def prune(self, *, older_than: float, limit: int) -> int:  # noqa: D102
        age = to_ms("older_than", older_than, 0, MAX_DURATION_MS)
        return await pruned(self._ask, age, limit)

    async def _act(self, procedure: str, task_id: str | None, execution_id: str) -> Facts:
        task_id = task_id or await self._task_of(execution_id)
        call = {"taskId": task_id, "executionId": execution_id}
        return cast("Facts", await self._ask(procedure, call))

    async def _task_of(self, execution_id: str) -> str:
        """Find the task of an execution, which a server's calls have to name, in its list."""
        with self._told("listTaskExecutions"):
            try:
                page = await self._client.listTaskExecutions({"idPrefix": execution_id, "limit": 1})
            except ORPCError as error:
                if not (is_missing_procedure(error) or error.code == "FORBIDDEN"):
                    raise
                page = None
        found = {each["executionId"]: each["taskId"] for each in page["executions"]} if page else {}
        if execution_id in found:
            return str(found[execution_id])
        # An older server lists without a look at what it does not know.
        if page is None or not all(each.startswith(execution_id) for each in found):
            raise CommandError("the server has to be told the task: give it with --task", MISUSED)
        raise DurableExecutionNotFoundError(
            f"Task execution not found [executionId={execution_id}]"
        )

    async def _ask(self, procedure: str, call: Mapping[str, object]) -> object:
        with self._told(procedure):
            return await self._client[procedure](call)

    def _not_offered(self, what: str) -> CommandError:
        return CommandError(
            f"the server does not offer {what}: ask its database, with --database", FAILED
        )

    @contextmanager
    def _told(self, procedure: str) -> Iterator[None]:
        try:
            yield
        except ORPCError as error:
            raise self._refusal_of(error, procedure) from error
        except (OSError, TimeoutError) as error:
            reason = str(error) or type(error).__name__
            raise CommandError(f"{self._url} cannot be reached: {reason}", UNREACHABLE) from error

    def _refusal_of(self, error: ORPCError, procedure: str) -> Exception:
        """Say what a server says in the words of a database, where that could say it."""
        code = _CODES.get(error.code, FAILED)
        if is_missing_procedure(error) and procedure in OPERATIONS:
            return self._not_offered(f"{procedure}, as one with create_operators_router does")
        # A router that has the procedure names the task or the execution.
        if code == NOT_FOUND and not error.message.startswith(("Task", "Sleeping")):
            message = f"{self._url} has no procedure {procedure}: are its tasks mounted there?"
            return CommandError(f"{message} ({error.code})", code)
        if code == NOT_FOUND:
            return DurableExecutionNotFoundError(error.message)
        if code == MISUSED:
            return InvalidInputError(error.message)
        return CommandError(f"{error.message} ({error.code})", code)
