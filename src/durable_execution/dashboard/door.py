"""The dashboard as an ASGI application: who comes in, and what every answer says besides."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote

from starlette.responses import HTMLResponse, RedirectResponse, Response

from durable_execution.access import Authenticator
from durable_execution.dashboard.desk import Desk
from durable_execution.dashboard.entry import LOGIN, Entry
from durable_execution.dashboard.live import LiveViews
from durable_execution.dashboard.pages import STATIC, Pages
from durable_execution.dashboard.rooms import Rooms
from durable_execution.dashboard.sampling import Sampler
from durable_execution.dashboard.sessions import Seal, Session, new_session
from durable_execution.dashboard.visits import (
    Visit,
    caller_with,
    comes_from_elsewhere,
    header,
    host_name,
    is_named_safely,
    known_caller,
    lock_of,
    session_of,
)
from durable_execution.executor import DurableExecutor
from durable_execution.orpc import ORPCError, new_error_id

_logger = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_HEADERS: Final = (
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        b"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_POLICY_VIOLATION: Final = 1008
_NOT_KEPT: Final = (b"cache-control", b"no-store")
# A cookie of `SameSite=Strict` is not sent along a link from elsewhere, but it is when the page
# that such a link leads to loads itself again.
_ONCE_MORE: Final = (
    '<!doctype html><html lang="en"><meta http-equiv="refresh" content="0">'
    "<title>One moment</title><p>One moment …"
)


class Dashboard:
    """An ASGI application; see `create_dashboard`."""

    serves_browsers: Final = True
    """A guard in front lets everybody come here, and leaves its `auth` in the scope's state."""

    def __init__(
        self,
        executor: DurableExecutor,
        *,
        auth: Authenticator | None,
        secret: bytes,
        session_seconds: int,
        hosts: frozenset[str],
        is_read_only: bool,
    ) -> None:
        self._auth = auth
        self._hosts = hosts
        self._session_seconds = session_seconds
        self._seal = Seal(secret)
        self._desk = Desk(
            executor=executor,
            pages=Pages(),
            live=LiveViews(),
            sampler=Sampler(executor),
            seal=self._seal,
            is_read_only=is_read_only,
        )
        self._entry = Entry(self._desk, auth, session_seconds)
        self._rooms = Rooms(self._desk, self._entry)

    @property
    def takes_samples(self) -> bool:
        """Whether samples for the charts are taken while nobody looks, too."""
        return self._desk.sampler.is_always_on

    @property
    def followers(self) -> int:
        """How many pages are kept up to date at this moment."""
        return self._desk.live.followers

    async def __aenter__(self) -> Self:
        """Take samples from now on; without this, only while somebody looks at the overview."""
        await self._desk.sampler.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._desk.sampler.stop()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await _refuse_connection(scope, receive, send)
            return
        root: str = scope.get("root_path", "")
        path: str = scope["path"].removeprefix(root)
        headers = list(_HEADERS)
        if path.startswith(STATIC):
            answer: Response | None = self._desk.pages.file(path.removeprefix(STATIC))
        elif path == "":
            answer = RedirectResponse(f"{root}/", 308)
        else:
            headers.append(_NOT_KEPT)
            found = await self._visit(scope, root)
            answer = found if isinstance(found, Response) else self._turned_away(scope, path, found)
            if isinstance(found, Visit):
                scope = {**scope, "state": {**(scope.get("state") or {}), "visit": found}}
                # A request from elsewhere may lack a cookie that there is: it must not be replaced.
                if found.is_new and not comes_from_elsewhere(scope):
                    headers.append(self._entry.cookie(scope, found.session))
        send = _with_headers(send, headers)
        await (self._rooms if answer is None else answer)(scope, receive, send)

    async def _visit(self, scope: Scope, root: str) -> Visit | Response:
        auth = lock_of(scope, self._auth)
        now = time.time()
        given = session_of(scope, self._seal, now=now)
        session = given or new_session(expires_at=int(now) + self._session_seconds)
        try:
            caller = await self._caller(scope, auth, given)
        except ORPCError as error:
            return self._refused(error.message, error.status)
        except Exception:
            error_id = new_error_id()
            _logger.exception(
                "Nobody is let in: authentication failed", extra={"error_id": error_id}
            )
            return self._refused(f"Authentication failed; the log says why at {error_id}", 500)
        has_lock = auth is not None or known_caller(scope) is not None
        host = host_name(scope)
        if not has_lock and not (is_named_safely(host) or host in self._hosts):
            return self._refused(
                f"This server has no lock, and {host!r} is neither an address nor a name that it "
                "was given: reach it by its address, or see hosts= of create_dashboard",
                421,
            )
        return Visit(
            root=root,
            session=session,
            form_token=self._seal.form_token(session),
            is_new=given is None,
            caller=caller,
            needs_login=has_lock and caller is None,
            has_lock=has_lock,
            is_read_only=self._desk.is_read_only,
        )

    async def _caller(
        self, scope: Scope, auth: Authenticator | None, session: Session | None
    ) -> str | None:
        """Tell who it is: let in by a guard, by a session, or by what the request carries."""
        known = known_caller(scope)
        if known is None and auth is not None and header(scope, b"authorization"):
            known = await caller_with(auth, scope)
        if known is not None and known.access.is_full:
            return known.name
        return None if session is None or auth is None else session.caller

    def _turned_away(self, scope: Scope, path: str, visit: Visit) -> Response | None:
        """Answer somebody who has to come again or log in first; None for everybody else."""
        is_from_elsewhere = header(scope, b"sec-fetch-site") == "cross-site"
        if scope["method"] == "GET" and visit.is_new and is_from_elsewhere:
            return HTMLResponse(_ONCE_MORE)
        if path == LOGIN or not visit.needs_login:
            return None
        if path == "/live" or header(scope, b"authorization"):
            return Response(status_code=401, headers={"www-authenticate": "Bearer"})
        query = scope.get("query_string", b"").decode("latin-1")
        wanted = quote(path + ("?" + query if query else ""), safe="")
        return RedirectResponse(visit.url(f"{LOGIN}?next={wanted}"), 303)

    def _refused(self, message: str, status: int) -> Response:
        return Response(message + "\n", status, media_type="text/plain; charset=utf-8")


async def _refuse_connection(scope: Scope, receive: Receive, send: Send) -> None:
    """Accept no connection but requests. A lifespan is that of the application around."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": _POLICY_VIOLATION})


def _with_headers(send: Send, headers: Iterable[tuple[bytes, bytes]]) -> Send:
    async def sending(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), *headers]}
        await send(message)

    return sending
