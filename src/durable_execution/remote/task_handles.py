"""The tasks of an executor server, as a client sees them: a handle for each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Generic, TypeVar, overload

from durable_execution._core.task import TaskDeclaration, check_keyed
from durable_execution.errors import InvalidOptionError
from durable_execution.orpc import ORPCClient, SyncLink, SyncORPCClient
from durable_execution.remote.client_kinds import made_of
from durable_execution.remote.router_calls import RouterCalls
from durable_execution.remote.sync_task_handle import SyncTaskClientHandle
from durable_execution.remote.task_calls import TaskCalls
from durable_execution.remote.task_handle import TaskClientHandle

InputT = TypeVar("InputT")
OutputT = TypeVar("OutputT")
HandleT = TypeVar("HandleT")


@overload
def create_task_client_handles(
    client: ORPCClient, tasks: Mapping[str, TaskDeclaration[Any, Any]]
) -> TaskClientHandles: ...
@overload
def create_task_client_handles(
    client: SyncORPCClient, tasks: Mapping[str, TaskDeclaration[Any, Any]]
) -> SyncTaskClientHandles: ...
def create_task_client_handles(
    client: ORPCClient | SyncORPCClient, tasks: Mapping[str, TaskDeclaration[Any, Any]]
) -> TaskClientHandles | SyncTaskClientHandles:
    """Make handles on the tasks of an executor server.

        send_email = declare_task("sendEmail", input=Email, output=Sent)
        handles = create_task_client_handles(client, {"sendEmail": send_email})
        execution_id = await handles[send_email].enqueue(Email(to="ada@example.com"))

    Args:
        client: The place where the server has its tasks router, such as `client` or `client.tasks`;
            the methods of the handles block when its calls do.
        tasks: The server's own mapping, or one of declarations that needs none of its code. The
            keys must be those that the server uses.

    Raises:
        InvalidOptionError: `client` is no client, or a task is no declaration.
    """
    check_keyed(tasks)
    for key, task in tasks.items():
        if not isinstance(task, TaskDeclaration):
            raise InvalidOptionError(
                f"tasks[{key!r}] must be a task or come from declare_task, "
                f"got {type(task).__name__}"
            )
    return made_of(
        client,
        awaited=lambda client: TaskClientHandles(client, tasks),
        blocking=lambda link, client: SyncTaskClientHandles(link, client, tasks),
    )


class _Handles(Generic[HandleT]):
    """What both kinds of handles are found by."""

    def __init__(
        self,
        handles: Mapping[str, HandleT],
        tasks: Mapping[str, TaskDeclaration[Any, Any]],
    ) -> None:
        self._handles = handles
        # A task with two keys is called by the first.
        self._keys = {id(task): key for key, task in reversed(list(tasks.items()))}
        self._tasks = tuple(tasks.values())  # kept alive, so that their identities stay theirs

    def _found(self, key: str | TaskDeclaration[Any, Any]) -> HandleT:
        handle = self._handles.get(key if isinstance(key, str) else self._keys.get(id(key), ""))
        if handle is None:
            raise KeyError(self._unknown(key))
        return handle

    def __getattr__(self, key: str) -> HandleT:
        if key.startswith("_") or key not in self._handles:
            raise AttributeError(self._unknown(key))
        return self._handles[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._handles)

    def __len__(self) -> int:
        return len(self._handles)

    def __dir__(self) -> list[str]:
        return sorted(self._handles)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self._handles)})"

    def _unknown(self, key: object) -> str:
        return f"no task {key!r} among the handles; there are: {', '.join(self._handles) or 'none'}"


class TaskClientHandles(_Handles[TaskClientHandle[Any, Any]]):
    """Handles by the server's keys: `handles.sendEmail`, `handles["sendEmail"]`.

    `handles[send_email]`, by the task or its declaration, is the same handle with its types.
    """

    def __init__(self, client: ORPCClient, tasks: Mapping[str, TaskDeclaration[Any, Any]]) -> None:
        router = RouterCalls(client)
        handles: dict[str, TaskClientHandle[Any, Any]] = {
            key: TaskClientHandle(TaskCalls(router, key, task)) for key, task in tasks.items()
        }
        super().__init__(handles, tasks)

    @overload
    def __getitem__(
        self, key: TaskDeclaration[InputT, OutputT]
    ) -> TaskClientHandle[InputT, OutputT]: ...
    @overload
    def __getitem__(self, key: str) -> TaskClientHandle[Any, Any]: ...
    def __getitem__(self, key: str | TaskDeclaration[Any, Any]) -> TaskClientHandle[Any, Any]:
        return self._found(key)


class SyncTaskClientHandles(_Handles[SyncTaskClientHandle[Any, Any]]):
    """What `TaskClientHandles` are, for code without an event loop."""

    def __init__(
        self, link: SyncLink, client: ORPCClient, tasks: Mapping[str, TaskDeclaration[Any, Any]]
    ) -> None:
        router = RouterCalls(client)
        handles: dict[str, SyncTaskClientHandle[Any, Any]] = {
            key: SyncTaskClientHandle(link, TaskClientHandle(TaskCalls(router, key, task)))
            for key, task in tasks.items()
        }
        super().__init__(handles, tasks)

    @overload
    def __getitem__(
        self, key: TaskDeclaration[InputT, OutputT]
    ) -> SyncTaskClientHandle[InputT, OutputT]: ...
    @overload
    def __getitem__(self, key: str) -> SyncTaskClientHandle[Any, Any]: ...
    def __getitem__(self, key: str | TaskDeclaration[Any, Any]) -> SyncTaskClientHandle[Any, Any]:
        return self._found(key)
