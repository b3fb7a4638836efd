"""The lock itself: an ASGI middleware that lets in whoever an authenticator knows."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final, Protocol, TypeAlias, runtime_checkable

from durable_execution.access import refusals
from durable_execution.access.authenticator import Authenticator
from durable_execution.access.bounds import Bounds
from durable_execution.access.caller import Access, Caller, CallerGate
from durable_execution.access.exchange import Exchange
from durable_execution.access.holdings import ExceededError, Holding, Holdings, client_at
from durable_execution.access.refusals import Receive, Refusal, Scope, Send
from durable_execution.access.sparing_log import SparingLog
from durable_execution.errors import InvalidOptionError
from durable_execution.orpc import GATE, ORPCError, Request

AsgiApp: TypeAlias = Callable[[Any, Any, Any], Awaitable[None]]

_DEFAULT_CHALLENGE: Final = "Bearer"
_POLICY_VIOLATION: Final = 1008

_logger = logging.getLogger(__name__)


@runtime_checkable
class _Building(Protocol):
    """An application of several doors that says which one a request is for."""

    def door_at(self, scope: Scope) -> tuple[AsgiApp, Scope]: ...


class Guard:
    """An ASGI application, locked.

        app = Guard(app, auth=BearerTokens({...}))

    `create_executor_app(..., auth=)` has one around everything it serves but `/healthz`; around
    another application, put it outermost. A request of somebody who is not known is answered 401
    before any of it but its head is read. A caller that is known is

    - in the context of every procedure, as `ctx.context["caller"]`, and held there to the
      procedures and tasks of its `Access`;
    - in `request.state.caller` of Starlette and FastAPI;
    - in the log of what fails.

    An application that does not say that it checks the `Access` of single calls, by an attribute
    `checks_access` that is true, lets in callers with `FULL_ACCESS` only; one that
    `serves_metrics` those that may scrape, too. One that says that it `serves_browsers`, which
    send no tokens, is reached by everybody, within the bounds of an address: it finds `auth` in
    the scope's state, and is to ask people who they are.

    Args:
        app: What is locked. If it has a method `refuse`, as `RPCHandler` has, that answers who is
            not let in; else the answer is `application/problem+json`.
        auth: Who is let in; None is everybody, within the bounds.
        bounds: What each client may hold, and all together.
        open_paths: Exact paths that are open to everybody, and are not counted.
        open_doors: Applications inside that are open to everybody, within the bounds, because they
            have a lock of their own.

    Attributes:
        auth: The same as given; by it `durable-execution serve` sees that there is a lock.
        state: That of the application, if it has one: where `serve` finds the executor.

    Raises:
        InvalidOptionError: `auth` has no method `authenticate`, or a path has no slash in front.
    """

    def __init__(
        self,
        app: AsgiApp,
        *,
        auth: Authenticator | None,
        bounds: Bounds | None = None,
        open_paths: Iterable[str] = (),
        open_doors: Iterable[AsgiApp] = (),
    ) -> None:
        if auth is not None and (isinstance(auth, type) or not isinstance(auth, Authenticator)):
            raise InvalidOptionError(
                f"auth: expected an object with a method authenticate(request), got {auth!r}"
            )
        self._app = app
        self.auth: Final = auth
        self.state: Final[object] = getattr(app, "state", None)
        self._bounds = bounds or Bounds()
        self._holdings = Holdings(self._bounds)
        self._open_paths = frozenset(open_paths)
        self._open_doors = tuple(open_doors)
        for path in self._open_paths:
            if not path.startswith("/"):
                raise InvalidOptionError(
                    f"open_paths: expected paths such as '/healthz', got {path!r}"
                )
        # Asked once: of a protocol it takes as long as a short call.
        building: object = app
        self._find_door = building.door_at if isinstance(building, _Building) else None
        self._challenge: str = getattr(auth, "challenge", _DEFAULT_CHALLENGE)
        self._log = SparingLog(_logger)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection of the ASGI server."""
        match scope["type"]:
            case "http" if path_below_mount(scope) not in self._open_paths:
                await self._answer_http(scope, receive, send)
            case "websocket" if self.auth is not None:
                await self._answer_websocket(scope, receive, send)
            case _:
                await self._app(scope, receive, send)

    async def _answer_http(self, scope: Scope, receive: Receive, send: Send) -> None:
        door, scope = self._door_at(scope)
        refusal: Refusal | None
        try:
            holding = self._holdings.begin()
        except ExceededError as exceeded:
            refusal = self._too_much(exceeded, scope)
            await refusals.answer(refusal, door, scope, receive, send)
            return
        try:
            refusal = await self._exchange(door, scope, holding, receive, send)
        finally:
            holding.release()
        if refusal is not None:
            await refusals.answer(refusal, door, scope, receive, send)

    async def _exchange(
        self, door: AsgiApp, scope: Scope, holding: Holding, receive: Receive, send: Send
    ) -> Refusal | None:
        """Let the door answer; give what is to be answered where it did not."""
        exchange: Exchange | None = None
        try:
            async with asyncio.timeout(self._bounds.answer_seconds) as deadline:
                admitted = await self._admitted(door, scope, holding)
                if isinstance(admitted, Refusal):
                    return admitted
                exchange = Exchange(holding, self._bounds, deadline, receive, send)
                await door(admitted, exchange.receive, exchange.send)
        except Exception as error:
            has_started = exchange is not None and exchange.has_started
            if isinstance(error, TimeoutError) and deadline.expired():
                # An answer that has begun ends where it is: its client sees a broken connection.
                return None if has_started else self._late(exchange, scope)
            if has_started:
                raise
            return self._masked(error, "An application failed; its caller sees an id only")
        return None if exchange.has_started else exchange.refusal

    def _late(self, exchange: Exchange | None, scope: Scope) -> Refusal:
        if exchange is not None and exchange.refusal is not None:
            return exchange.refusal
        self._log.warning("a call took too long", path=scope["path"])
        return refusals.too_slow(self._bounds)

    async def _admitted(self, door: AsgiApp, scope: Scope, holding: Holding) -> Scope | Refusal:
        """Give the scope that the door is to see, or say why it is to see nothing."""
        caller: Caller | None = None
        asks_itself = self.auth is not None and getattr(door, "serves_browsers", False) is True
        if asks_itself:
            state = {**(scope.get("state") or {}), "auth": self.auth}
            scope = {**scope, "state": state}
        elif self.auth is not None and not any(door is each for each in self._open_doors):
            found = await self._caller(self.auth, scope)
            if isinstance(found, Refusal):
                return found
            caller = found
        try:
            holding.is_of(client_at(scope.get("client")) if caller is None else caller.name)
        except ExceededError as exceeded:
            return self._too_much(exceeded, scope)
        if caller is None:
            return scope
        if not _admits(door, caller.access):
            self._log.info("a caller was refused", caller=caller.name, path=scope["path"])
            return refusals.out_of_reach()
        return _known(scope, caller)

    async def _caller(self, auth: Authenticator, scope: Scope) -> Caller | Refusal:
        request = _head_of(scope)
        try:
            caller: object = await auth.authenticate(request)
        except ORPCError as error:
            return Refusal(error)
        except Exception as error:
            return self._masked(error, "Nobody is let in: authentication failed")
        if isinstance(caller, Caller):
            return caller
        if caller is not None:
            given = TypeError(f"authenticate: expected a Caller or None, got {caller!r}")
            return self._masked(given, "Nobody is let in: authentication failed")
        self._log.info(
            "somebody unknown was refused", client=scope.get("client"), path=scope["path"]
        )
        return refusals.unauthorized(request, self._challenge)

    async def _answer_websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Connections of this kind are for callers who may reach everything."""
        assert self.auth is not None  # noqa: S101 - asked before
        caller = await self._caller(self.auth, scope)
        if isinstance(caller, Caller) and caller.access.is_full:
            await self._app(_known(scope, caller), receive, send)
            return
        await receive()
        await send({"type": "websocket.close", "code": _POLICY_VIOLATION})

    def _door_at(self, scope: Scope) -> tuple[AsgiApp, Scope]:
        return (self._app, scope) if self._find_door is None else self._find_door(scope)

    def _too_much(self, exceeded: ExceededError, scope: Scope) -> Refusal:
        self._log.warning("a bound is reached", bound=exceeded.what, client=scope.get("client"))
        return refusals.too_much(exceeded, self._bounds)

    def _masked(self, error: Exception, message: str) -> Refusal:
        refusal = refusals.masked()
        _logger.error(message, exc_info=error, extra={"error_id": refusal.error.error_id})
        return refusal


def _admits(door: AsgiApp, access: Access) -> bool:
    if access.is_full or getattr(door, "checks_access", False):
        return True
    return access.allows_metrics and getattr(door, "serves_metrics", False) is True


def path_below_mount(scope: Scope) -> str:
    """The path below the place where an application is mounted."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


def auth_of(app: object) -> object:
    """Find what says that an application is locked: `app.state.auth`, or that it is a `Guard`."""
    if isinstance(app, Guard):
        return app.auth
    found: object = getattr(getattr(app, "state", None), "auth", None)
    return found


def _known(scope: Scope, caller: Caller) -> Scope:
    """The scope of somebody who is known; what a client may have put there is replaced."""
    state = {**(scope.get("state") or {}), "caller": caller}
    return {**scope, "state": state, GATE: CallerGate(caller)}


def _head_of(scope: Scope) -> Request:
    headers = tuple(
        (name.decode("latin-1").lower(), value.decode("latin-1"))
        for name, value in scope.get("headers", ())
    )
    return Request(
        method=scope.get("method", "GET"),
        path=(scope.get("raw_path") or scope["path"].encode()).decode("latin-1"),
        query=scope.get("query_string", b"").decode("latin-1"),
        headers=headers,
        transport=scope,
    )
