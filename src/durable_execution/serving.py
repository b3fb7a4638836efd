"""An executor as an ASGI application: its life, its health, and what is mounted beside them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from durable_execution.errors import InvalidOptionError
from durable_execution.executor import DurableExecutor

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Router
    from starlette.types import Receive, Scope, Send

AsgiApp: TypeAlias = Callable[[Any, Any, Any], Awaitable[None]]

HEALTH_PATH: Final = "/healthz"


def create_executor_app(
    executor: DurableExecutor,
    mounts: Mapping[str, AsgiApp],
    *,
    resources: Sequence[AbstractAsyncContextManager[object]] = (),
) -> Starlette:
    """Make the application of an executor server.

        app = create_executor_app(executor, {"/rpc": RPCHandler(tasks_router)})

    Its lifespan starts the executor and drains it. `GET /healthz` answers 200 while the executor
    runs and holds its lease, and 503 otherwise, so that a supervisor replaces a process that can
    no longer work. It also says how the executor learns of others' changes
    (`DurableExecutor.hearing`): "deaf" is a warning, not a failure. An application of your own
    needs none of this: enter `async with executor:` in its lifespan and mount the handler.

    Args:
        executor: Not started yet; also found as `app.state.executor`.
        mounts: ASGI applications by the path below which they answer, such as `/rpc`.
        resources: What tasks need, such as an `RPCLink`: entered in this order before the executor
            starts, left after it has drained.

    Raises:
        InvalidOptionError: A path does not begin with a slash, ends with one, or is taken.
        ModuleNotFoundError: Starlette, which is part of the `server` extra, is not installed.
    """
    for path in mounts:
        _check_path(path)
    try:
        from starlette.applications import Starlette
        from starlette.routing import Mount, Route
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "create_executor_app needs Starlette: pip install 'durable-execution[server]'",
            name=error.name,
        ) from error

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for resource in resources:
                await stack.enter_async_context(resource)
            await stack.enter_async_context(executor)
            yield

    async def health(_: Request) -> Response:
        return _health_of(executor)

    app = Starlette()
    app.router = _router_class()(
        [
            Route(HEALTH_PATH, health, methods=["GET"]),
            *(Mount(path, app=mounted) for path, mounted in mounts.items()),
        ],
        lifespan=lifespan,
        # A redirect is a success without a value to an oRPC client (WIRE.md 6.3); a 404 an error.
        redirect_slashes=False,
    )
    app.state.executor = executor
    return app


def _router_class() -> type[Router]:
    from starlette.routing import Mount, Router

    class MountsFirst(Router):
        """Finds what is mounted without matching patterns, which takes as long as a short call."""

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http":
                root: str = scope.get("root_path", "")
                path: str = scope["path"].removeprefix(root)
                for route in self.routes:
                    # What is mounted at the root comes after everything else, as it always does.
                    if not isinstance(route, Mount) or not route.path:
                        continue
                    if path.startswith(route.path) and path[len(route.path) :].startswith("/"):
                        inside = {**scope, "root_path": root + route.path}
                        await route.app(inside, receive, send)
                        return
            await super().__call__(scope, receive, send)

    return MountsFirst


def _health_of(executor: DurableExecutor) -> Response:
    """Answer without detail: whoever may ask for the health may not know the tasks."""
    from starlette.responses import Response

    if executor.is_healthy:
        status, body = 200, {"status": "ok", "hearing": executor.hearing}
        if executor.hearing == "deaf":
            body["reason"] = "the connection that tells of changes is cut; polling until it is back"
    else:
        reason = "the executor is not running, or it has lost its lease"
        status, body = 503, {"status": "unavailable", "reason": reason}
    return Response(
        json.dumps(body),
        status,
        headers={"cache-control": "no-store"},
        media_type="application/json",
    )


def _check_path(path: str) -> None:
    if not path.startswith("/") or path.endswith("/"):
        raise InvalidOptionError(
            f"mounts: expected paths such as '/rpc', with a slash before and none after, "
            f"got {path!r}"
        )
    if path == HEALTH_PATH:
        raise InvalidOptionError(f"mounts: {HEALTH_PATH} is the health check's")
