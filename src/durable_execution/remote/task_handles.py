"""The tasks of an executor server, as a client sees them: a handle for each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar, overload

from durable_execution._core.task import TaskDeclaration
from durable_execution.errors import InvalidOptionError
from durable_execution.orpc import ORPCClient
from durable_execution.remote.task_handle import TaskClientHandle

InputT = TypeVar("InputT")
OutputT = TypeVar("OutputT")


def create_task_client_handles(
    client: ORPCClient, tasks: Mapping[str, TaskDeclaration[Any, Any]]
) -> TaskClientHandles:
    """Make handles on the tasks of an executor server.

        send_email = declare_task("sendEmail", input=Email, output=Sent)
        handles = create_task_client_handles(client, {"sendEmail": send_email})
        execution_id = await handles[send_email].enqueue(Email(to="ada@example.com"))

    Args:
        client: The place where the server has its tasks router, such as `client` or `client.tasks`.
        tasks: The server's own mapping, or one of declarations that needs none of its code. The
            keys must be those that the server uses.

    Raises:
        InvalidOptionError: `client` is no client, or a task is no declaration.
    """
    if not isinstance(client, ORPCClient):
        raise InvalidOptionError(
            f"client must come from create_orpc_client, got {type(client).__name__}"
        )
    for key, task in tasks.items():
        if not isinstance(task, TaskDeclaration):
            raise InvalidOptionError(
                f"tasks[{key!r}] must be a task or come from declare_task, "
                f"got {type(task).__name__}"
            )
    return TaskClientHandles(client, tasks)


class TaskClientHandles:
    """Handles by the server's keys: `handles.sendEmail`, `handles["sendEmail"]`.

    `handles[send_email]`, by the task or its declaration, is the same handle with its types.
    """

    def __init__(self, client: ORPCClient, tasks: Mapping[str, TaskDeclaration[Any, Any]]) -> None:
        self._handles = {
            key: TaskClientHandle(client, key, declaration) for key, declaration in tasks.items()
        }
        # A task with two keys is called by the first.
        self._keys = {id(task): key for key, task in reversed(list(tasks.items()))}
        self._tasks = tuple(tasks.values())  # kept alive, so that their identities stay theirs

    @overload
    def __getitem__(
        self, key: TaskDeclaration[InputT, OutputT]
    ) -> TaskClientHandle[InputT, OutputT]: ...
    @overload
    def __getitem__(self, key: str) -> TaskClientHandle[Any, Any]: ...
    def __getitem__(self, key: str | TaskDeclaration[Any, Any]) -> TaskClientHandle[Any, Any]:
        handle = self._handles.get(key if isinstance(key, str) else self._keys.get(id(key), ""))
        if handle is None:
            raise KeyError(self._unknown(key))
        return handle

    def __getattr__(self, key: str) -> TaskClientHandle[Any, Any]:
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
        return f"TaskClientHandles({', '.join(self._handles)})"

    def _unknown(self, key: object) -> str:
        return f"no task {key!r} among the handles; there are: {', '.join(self._handles) or 'none'}"
