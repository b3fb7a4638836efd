"""Parts of a router that are loaded by the first call that leads into them."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from durable_execution.orpc._server.procedure import Procedure
    from durable_execution.orpc._server.router import Router

Loaded: TypeAlias = "Procedure | Router | Lazy"
Loader: TypeAlias = "Callable[[], Loaded | Awaitable[Loaded]]"


class LazyRouterError(Exception):
    """A lazy part of a router could not be loaded. The next call that leads there tries again."""


class Lazy:
    """What `lazy` gives: a place in a router whose content is loaded when it is first needed."""

    __slots__ = ("_loader", "_loading", "_name", "_result")

    def __init__(self, loader: Loader, name: str) -> None:
        self._loader = loader
        self._name = name
        self._result: Loaded | None = None
        # One for each event loop: a task cannot be awaited from another one.
        self._loading: dict[asyncio.AbstractEventLoop, asyncio.Task[Loaded]] = {}

    def __repr__(self) -> str:
        return f"<Lazy {self._name}>"

    async def load(self) -> Loaded:
        """The content. Calls that arrive together load it once; a failure is not kept.

        Raises:
            Exception: What the loader raised.
        """
        if self._result is not None:
            return self._result
        loop = asyncio.get_running_loop()
        task = self._loading.get(loop)
        if task is None:
            task = self._loading[loop] = loop.create_task(self._run())
            # When all callers have left, nobody else looks at what went wrong.
            task.add_done_callback(lambda task: task.cancelled() or task.exception())
        # Shielded: a caller that leaves must not take the router away from the others.
        return await asyncio.shield(task)

    def then(self, change: Callable[[Loaded], Loaded]) -> Lazy:
        """A lazy part whose content is changed once, after it was loaded."""

        async def load_and_change() -> Loaded:
            return change(await self.load())

        return Lazy(load_and_change, self._name)

    async def _run(self) -> Loaded:
        try:
            if inspect.iscoroutinefunction(self._loader):
                loaded: Loaded = await self._loader()
            else:
                # An import reads files, so it does not run on the event loop.
                made = await asyncio.to_thread(self._loader)
                loaded = await made if inspect.isawaitable(made) else made
        finally:
            del self._loading[asyncio.get_running_loop()]
        self._result = loaded
        return loaded


def lazy(source: str | Loader) -> Lazy:
    """A part of a router that is loaded by the first call that leads into it, and then kept.

        router = {
            "planets": lazy("myapp.planets:router"),
            "reports": lazy(lambda: import_module("myapp.reports").router),
        }

    Args:
        source: `module:name` of a router or a procedure, or a function that gives one. An
            `async def` runs on the event loop; anything else runs in a thread.

    Calls that arrive while it is being loaded wait for it. When loading fails, they are answered
    with an internal error, the log says why, and the next call tries again.

    Raises:
        TypeError: The source is neither.
        ValueError: The text is not `module:name`.
    """
    if isinstance(source, str):
        return Lazy(_importer(source), source)
    if not callable(source):
        raise TypeError(f"lazy: expected 'module:name' or a function, got {type(source).__name__}")
    return Lazy(source, getattr(source, "__qualname__", repr(source)))


def _importer(source: str) -> Loader:
    module, colon, names = source.partition(":")
    if not (module and colon and names):
        raise ValueError(f"lazy: expected 'module:name', got {source!r}")

    def load() -> Loaded:
        found = import_module(module)
        for name in names.split("."):
            found = getattr(found, name)
        return found  # type: ignore[return-value] # checked with the rest of the router

    return load
