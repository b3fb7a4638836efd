"""The desk of an executor server: the procedures of its tasks router, called with a token."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, Final, NoReturn, cast

from durable_execution.cli.desks.desk import Branch, Desk, Facts, Filters, Listed, Order, Progress
from durable_execution.cli.exits import (
    FAILED,
    MISUSED,
    NOT_FOUND,
    REFUSED,
    UNREACHABLE,
    CommandError,
)
from durable_execution.orpc import ORPCError, RPCLink, create_orpc_client

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


@asynccontextmanager
async def server_desk(url: str, token: str | None) -> AsyncIterator[Desk]:
    """Open connections to the server; nothing is asked yet.

    Raises:
        CommandError: The URL is none.
    """
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    try:
        link = RPCLink(url, headers=headers)
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
        if filters.id_prefix is not None:
            raise self._not_offered("to search by the beginning of an id")
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
            "order": filters.order,
            "cursor": cursor,
            "limit": limit,
        }
        asked = {name: value for name, value in given.items() if value is not None}
        page = cast("Mapping[str, Any]", await self._ask("listTaskExecutions", asked))
        return Listed(tuple(page["executions"]), page.get("nextCursor"))

    async def execution(self, task_id: str | None, execution_id: str) -> Facts:  # noqa: D102
        return await self._act("getTaskExecution", task_id, execution_id)

    async def tree(self, task_id: str | None, execution_id: str, *, limit: int) -> Branch:
        """Show what is below as lists do, without inputs and outputs: those are asked for alone."""
        root = Branch(await self.execution(task_id, execution_id))
        filters = Filters(root_id=execution_id, order="oldest_first")
        branches, cursor, left = {execution_id: root}, None, limit
        while left > 0:
            page = await self.page(filters, limit=min(left, _MAX_PAGE), cursor=cursor)
            for facts in page.executions:
                parent = cast("Mapping[str, object]", facts.get("parent") or {})
                above = branches.get(str(parent.get("executionId")))
                if above is not None:
                    branch = branches[str(facts["executionId"])] = Branch(facts)
                    above.children.append(branch)
            left, cursor = left - len(page.executions), page.next_cursor
            if cursor is None:
                return root
        root.left_out += 1
        return root

    async def watch(  # noqa: D102
        self, task_id: str | None, execution_id: str
    ) -> AsyncIterator[Facts | Progress]:
        call = {"taskId": self._task(task_id), "executionId": execution_id}
        with self._told("watchTaskExecution"):
            async for event in await self._client.watchTaskExecution(call):
                if event["type"] == "progress":
                    progress = event["progress"]
                    yield Progress(progress["fraction"], progress.get("message"))
                else:
                    yield event["execution"]

    async def cancel(self, task_id: str | None, execution_id: str) -> Facts:  # noqa: D102
        return await self._act("cancelTaskExecution", task_id, execution_id)

    async def retry(self, task_id: str | None, execution_id: str) -> NoReturn:  # noqa: D102
        raise self._not_offered("to retry")

    async def wake(  # noqa: D102
        self, task_id: str, unique_id: str, *, output: object, error: str | None
    ) -> Facts:
        options: dict[str, object] = {"status": "completed", "output": output}
        if error is not None:
            options = {"status": "failed", "error": error}
        call = {"taskId": task_id, "sleepingTaskUniqueId": unique_id, "options": options}
        return cast("Facts", await self._ask("wakeupSleepingTaskExecution", call))

    async def stats(self, *, lately: float) -> ExecutionStats:  # noqa: D102
        raise self._not_offered("numbers of all its work")

    async def prune(self, *, older_than: float, limit: int) -> int:  # noqa: D102
        raise self._not_offered("to delete")

    async def _act(self, procedure: str, task_id: str | None, execution_id: str) -> Facts:
        call = {"taskId": self._task(task_id), "executionId": execution_id}
        return cast("Facts", await self._ask(procedure, call))

    async def _ask(self, procedure: str, call: Mapping[str, object]) -> object:
        with self._told(procedure):
            return await getattr(self._client, procedure)(call)

    def _task(self, task_id: str | None) -> str:
        if task_id is None:
            raise CommandError("a server has to be told the task: give it with --task", MISUSED)
        return task_id

    def _not_offered(self, what: str) -> CommandError:
        return CommandError(
            f"the server does not offer {what}: ask its database, with --database", FAILED
        )

    @contextmanager
    def _told(self, procedure: str) -> Iterator[None]:
        try:
            yield
        except ORPCError as error:
            code = _CODES.get(error.code, FAILED)
            message = error.message
            # A router that has the procedure names the task or the execution.
            if code == NOT_FOUND and not message.startswith(("Task", "Sleeping")):
                message = f"{self._url} has no procedure {procedure}: are its tasks mounted there?"
            raise CommandError(f"{message} ({error.code})", code) from error
        except (OSError, TimeoutError) as error:
            reason = str(error) or type(error).__name__
            raise CommandError(f"{self._url} cannot be reached: {reason}", UNREACHABLE) from error
