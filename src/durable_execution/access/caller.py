"""Who calls, and what they may reach."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from durable_execution.access.names import ANY, Names, Patterns
from durable_execution.errors import InvalidOptionError
from durable_execution.orpc import ORPCError

_CONTEXT_NAME: Final = "caller"
_LONGEST_NAME: Final = 200


class Access:
    """What a caller may reach: these tasks, by these procedures. Immutable.

        Access(tasks={"sendEmail", "report*"}, procedures={"enqueueTask", "getTaskExecution"})

    A `*` stands for any text, so `"*"` is all of them. Both must allow a call. Neither has a
    default, so that nobody is let in by what was not said.

    Operations, the procedures of `create_operators_router`, are not what a `*` stands for: who may
    hand over work is no operator by that. They are named in full, or all is allowed: `FULL_ACCESS`.
    Those that concern all work, such as `pruneTaskExecutions`, need all tasks besides.

    Args:
        tasks: Keys, as clients name the tasks.
        procedures: Names as they stand in the path below the handler, joined by dots where a
            router is nested: `enqueueTask`, `tasks.enqueueTask`, `admin.*`.
        metrics: Whether `/metrics` may be scraped, by callers of limited access; with neither tasks
            nor procedures that is all they may do.

    Raises:
        InvalidOptionError: A pattern is no text, or empty.
    """

    __slots__ = ("_metrics", "_procedures", "_tasks")

    def __init__(self, *, tasks: Patterns, procedures: Patterns, metrics: bool = False) -> None:
        self._tasks: Final = Names("tasks", tasks)
        self._procedures: Final = Names("procedures", procedures)
        self._metrics: Final = metrics

    @property
    def is_full(self) -> bool:
        """Whether nothing is out of reach."""
        return self._tasks.is_all and self._procedures.is_all

    def allows_task(self, key: str) -> bool:
        """Whether the task of this key may be reached by the procedures that are allowed."""
        return key in self._tasks

    def allows_procedure(self, name: str) -> bool:
        """Whether the procedure of this name may be called, for the tasks that are allowed."""
        return name in self._procedures

    @property
    def allows_all_tasks(self) -> bool:
        """Whether no task is out of reach, not even one that nobody knows yet."""
        return self._tasks.is_all

    @property
    def allows_metrics(self) -> bool:
        """Whether what is counted may be scraped."""
        return self._metrics or self.is_full

    def allows_operation(self, name: str) -> bool:
        """Whether the procedure of this name may be called, which is one for operators."""
        return self.is_full or self._procedures.lists(name)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Access):
            return NotImplemented
        return repr(self) == repr(other)

    def __hash__(self) -> int:
        return hash(repr(self))

    def __repr__(self) -> str:
        metrics = ", metrics=True" if self._metrics else ""
        return f"Access(tasks={self._tasks!r}, procedures={self._procedures!r}{metrics})"


FULL_ACCESS: Final = Access(tasks=ANY, procedures=ANY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Whoever sent a request, as an `Authenticator` found out.

    Attributes:
        name: For logs, and for counting what one client holds; no secret.
        access: What it may reach.
        claims: Whatever else is known, such as the claims of a JWT. Not shown in logs.

    Raises:
        InvalidOptionError: The name is empty, longer than 200 characters or not printable.
    """

    name: str
    access: Access
    claims: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        name: object = self.name
        if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_NAME:
            raise InvalidOptionError(
                f"name of a caller: expected 1 to {_LONGEST_NAME} characters, got {name!r}"
            )
        if not name.isprintable():
            raise InvalidOptionError(f"name of a caller: expected printable text, got {name!r}")

    def check_procedure(self, name: str) -> None:
        """Refuse a procedure that is out of reach.

        Raises:
            ORPCError: FORBIDDEN.
        """
        if not self.access.allows_procedure(name):
            raise ORPCError("FORBIDDEN", f"This caller may not call {name}")

    def check_operation(self, name: str) -> None:
        """Refuse a procedure for operators that is out of reach.

        Raises:
            ORPCError: FORBIDDEN.
        """
        if not self.access.allows_operation(name):
            raise ORPCError("FORBIDDEN", f"This caller may not call {name}, which is for operators")

    def check_all_tasks(self) -> None:
        """Refuse what concerns all work to who may not use all tasks.

        Raises:
            ORPCError: FORBIDDEN.
        """
        if not self.access.allows_all_tasks:
            raise ORPCError("FORBIDDEN", "This caller may not use all tasks")

    def check_task(self, key: str) -> None:
        """Refuse a task that is out of reach, whether there is one of this key or not.

        Raises:
            ORPCError: FORBIDDEN.
        """
        if not self.access.allows_task(key):
            raise ORPCError("FORBIDDEN", f"This caller may not use task {key}")


def caller_of(context: Mapping[str, Any]) -> Caller | None:
    """The caller in the context of a call; None where nothing that knows it stands in front."""
    found = context.get(_CONTEXT_NAME)
    return found if isinstance(found, Caller) else None


class CallerGate:
    """A caller before the procedures of a handler; see `durable_execution.orpc.Gate`."""

    __slots__ = ("_caller", "context", "facts")

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self.context: Mapping[str, Any] = {_CONTEXT_NAME: caller}
        self.facts: Mapping[str, object] = {"caller": caller.name}

    def check(self, path: tuple[str, ...]) -> None:
        """See `Gate.check`."""
        self._caller.check_procedure(".".join(path))
