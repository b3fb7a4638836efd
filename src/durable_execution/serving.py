"""An executor as an ASGI application: its life, its health, and what is mounted beside them."""

from __future__ import annotations

import json
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from durable_execution.access import AsgiApp, Authenticator, Bounds, Guard, path_below_mount
from durable_execution.errors import InvalidOptionError
from durable_execution.executor import DurableExecutor
from durable_execution.telemetry import PrometheusMetrics
from durable_execution.telemetry.scrape import METRICS_PATH, MetricsEndpoint

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute, Router
    from starlette.types import Receive, Scope, Send

HEALTH_PATH: Final = "/healthz"


def create_executor_app(
    executor: DurableExecutor,
    mounts: Mapping[str, AsgiApp],
    *,
    auth: Authenticator | None = None,
    bounds: Bounds | None = None,
    open_mounts: Collection[str] = (),
    metrics: bool = False,
    resources: Sequence[AbstractAsyncContextManager[object]] = (),
) -> Starlette:
    """Make the application of an executor server.

        app = create_executor_app(executor, {"/rpc": RPCHandler(tasks_router)}, auth=auth)

    Its lifespan starts the executor and drains it. `GET /healthz` answers 200 while the executor
    runs and holds its lease, and 503 otherwise, so that a supervisor replaces a process that can
    no longer work. It also says how the executor learns of others' changes
    (`DurableExecutor.hearing`): "deaf" is a warning, not a failure. An application of your own
    needs none of this: enter `async with executor:` in its lifespan and mount the handler.

    Args:
        executor: Not started yet; also found as `app.state.executor`.
        mounts: ASGI applications by the path below which they answer, such as `/rpc`. Those that
            are asynchronous context managers as well are entered once the executor runs, and left
            before it drains.
        auth: Who is let in, such as `BearerTokens`, to everything but the health check; see
            `Guard`. Also found as `app.state.auth`. Without one everybody is.
        bounds: What each client may hold, and all together; by default there are bounds where
            there is an `auth`.
        open_mounts: Paths of those mounts that are open to everybody, within the bounds, because
            they have a lock of their own, such as `create_callbacks_router` and its tokens.
        metrics: Whether to serve what the executor's `PrometheusMetrics` has counted at `/metrics`,
            to callers with `FULL_ACCESS` or an `Access` with `metrics=True`.
        resources: What tasks need, such as an `RPCLink`: entered in this order before the executor
            starts, left after it has drained.

    Raises:
        InvalidOptionError: A path does not begin with a slash, ends with one, or is taken, nothing
            is mounted at an open one, `auth` authenticates nobody, or the executor has no
            `PrometheusMetrics` among its observers.
        ModuleNotFoundError: Starlette, which is part of the `server` extra, is not installed.
    """
    _check_mounts(mounts, open_mounts)
    scraped = _metrics_of(executor, mounts) if metrics else None
    try:
        app = _application_class()()
        from starlette.routing import Mount, Route
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "create_executor_app needs Starlette: pip install 'durable-execution[server]'",
            name=error.name,
        ) from error

    lives: list[AbstractAsyncContextManager[object]] = [
        *resources,
        executor,
        *_with_a_life(mounts.values()),
    ]

    async def health(_: Request) -> Response:
        return _health_of(executor)

    app.router = _router_class()(
        [
            Route(HEALTH_PATH, health, methods=["GET"]),
            *([] if scraped is None else [Route(METRICS_PATH, scraped, methods=["GET"])]),
            *(Mount(path, app=mounted) for path, mounted in mounts.items()),
        ],
        lifespan=lambda _: _entered(lives),
        # A redirect is a success without a value to an oRPC client (WIRE.md 6.3); a 404 an error.
        redirect_slashes=False,
        auth=auth,
        bounds=bounds,
        open_doors=[mounts[path] for path in open_mounts],
        has_metrics=metrics,
    )
    app.state.executor = executor
    app.state.auth = auth
    return app


def _application_class() -> type[Starlette]:
    from starlette.applications import Starlette

    class ExecutorApp(Starlette):
        """Passes requests on at once where nothing was put around the routes.

        What Starlette always puts there is put around the one route of its own kind instead: it
        takes as long as a short call.
        """

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            is_bare = not (self.user_middleware or self.exception_handlers or self.debug)
            if is_bare and scope["type"] == "http":
                scope["app"] = self
                # Where the router passes everything on to, without a coroutine between.
                entrance: AsgiApp = getattr(self.router, "entrance", self.router)
                await entrance(scope, receive, send)
                return
            await super().__call__(scope, receive, send)

    return ExecutorApp


class _WayToMetrics:
    """The way to the metrics, which a guard tells from all others."""

    serves_metrics: Final = True

    def __init__(self, rest: AsgiApp) -> None:
        self._rest = rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._rest(scope, receive, send)


class _Doors:
    """Finds what is mounted without matching patterns, which takes as long as a short call."""

    def __init__(self, routes: Sequence[BaseRoute], rest: AsgiApp, *, has_metrics: bool) -> None:
        self._routes = routes
        self._rest = rest
        self._known = {METRICS_PATH: _WayToMetrics(rest)} if has_metrics else {}
        self._seen: list[BaseRoute] = []
        self._mounted: list[tuple[str, str, AsgiApp]] = []

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        door, inside = self.door_at(scope)
        return door(inside, receive, send)

    def door_at(self, scope: Scope) -> tuple[AsgiApp, Scope]:
        if scope["type"] == "http":
            if self._seen != self._routes:
                self._look_again()
            path = path_below_mount(scope)
            for at, below, app in self._mounted:
                if path.startswith(below) or (path == at and _serves_browsers(app)):
                    root: str = scope.get("root_path", "")
                    return app, {**scope, "root_path": root + at}
            return self._known.get(path, self._rest), scope
        return self._rest, scope

    def _look_again(self) -> None:
        """Note where something is mounted, which may be more than there was before."""
        from starlette.routing import Mount

        self._seen = [*self._routes]
        # What is mounted at the root comes after everything else, as it always does.
        self._mounted = [
            (route.path, f"{route.path}/", route.app)
            for route in self._seen
            if isinstance(route, Mount) and route.path
        ]


def _router_class() -> Callable[..., Router]:
    from starlette.middleware.exceptions import ExceptionMiddleware
    from starlette.routing import Router

    class Entrance(Router):
        """Everything that is served, behind the guard if there is one."""

        def __init__(
            self,
            routes: Sequence[BaseRoute],
            *,
            auth: Authenticator | None,
            bounds: Bounds | None,
            open_doors: Sequence[AsgiApp],
            has_metrics: bool,
            **options: Any,
        ) -> None:
            super().__init__(routes, **options)
            # The list itself: what is mounted later is found, and guarded, as well.
            rest = ExceptionMiddleware(super().__call__)
            doors = _Doors(self.routes, rest, has_metrics=has_metrics)
            is_guarded = auth is not None or bounds is not None
            self.entrance: AsgiApp = (
                Guard(
                    doors,
                    auth=auth,
                    bounds=bounds,
                    open_paths={HEALTH_PATH},
                    open_doors=open_doors,
                )
                if is_guarded
                else doors
            )

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await self.entrance(scope, receive, send)

    return Entrance


@asynccontextmanager
async def _entered(lives: Iterable[AbstractAsyncContextManager[object]]) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        for each in lives:
            await stack.enter_async_context(each)
        yield


def _with_a_life(apps: Iterable[object]) -> Iterator[AbstractAsyncContextManager[object]]:
    return (app for app in apps if isinstance(app, AbstractAsyncContextManager))


def _serves_browsers(app: object) -> bool:
    """Whether people type its address, who leave out a slash at the end."""
    return getattr(app, "serves_browsers", False) is True


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


def _metrics_of(executor: DurableExecutor, mounts: Mapping[str, AsgiApp]) -> MetricsEndpoint:
    if METRICS_PATH in mounts:
        raise InvalidOptionError(f"mounts: {METRICS_PATH} is that of the metrics")
    for observer in executor.options.observers:
        if isinstance(observer, PrometheusMetrics):
            return MetricsEndpoint(executor, observer)
    raise InvalidOptionError(
        "metrics: give the executor something to count with: "
        "ExecutorOptions(observers=[PrometheusMetrics()])"
    )


def _check_mounts(mounts: Mapping[str, AsgiApp], open_mounts: Collection[str]) -> None:
    for path, mounted in mounts.items():
        _check_path(path)
        if not callable(mounted):
            raise InvalidOptionError(
                f"mounts[{path!r}]: expected an ASGI application, got {type(mounted).__name__}; "
                "RPCHandler(router) makes one of a router"
            )
    for path in open_mounts:
        if path not in mounts:
            raise InvalidOptionError(f"open_mounts: nothing is mounted at {path!r}")
        if any(app is mounts[path] for at, app in mounts.items() if at not in open_mounts):
            raise InvalidOptionError(f"open_mounts: what is at {path!r} is also mounted locked")


def _check_path(path: str) -> None:
    if not path.startswith("/") or path.endswith("/"):
        raise InvalidOptionError(
            f"mounts: expected paths such as '/rpc', with a slash before and none after, "
            f"got {path!r}"
        )
    if path == HEALTH_PATH:
        raise InvalidOptionError(f"mounts: {HEALTH_PATH} is the health check's")
