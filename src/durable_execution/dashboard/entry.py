"""Logging in and out: a token that the server knows becomes the session of a browser."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from durable_execution.access import Authenticator, Caller, client_at
from durable_execution.dashboard.desk import Desk, visit_of
from durable_execution.dashboard.forms import read_form
from durable_execution.dashboard.logins import LoginAttempts
from durable_execution.dashboard.sessions import COOKIE, Session, new_session
from durable_execution.dashboard.visits import caller_with, lock_of
from durable_execution.orpc import ORPCError

if TYPE_CHECKING:
    from starlette.requests import Request

LOGIN: Final = "/login"
LOGOUT: Final = "/logout"
_LONGEST_TOKEN: Final = 8_192


class Entry:
    """The pages around a session."""

    def __init__(self, desk: Desk, auth: Authenticator | None, session_seconds: int) -> None:
        self._desk = desk
        self._auth = auth
        self._session_seconds = session_seconds
        self._attempts = LoginAttempts()

    def routes(self) -> list[Route]:
        """The routes to them."""
        return [
            Route(LOGIN, self._ask, methods=["GET"]),
            Route(LOGIN, self._log_in, methods=["POST"]),
            Route(LOGOUT, self._log_out, methods=["POST"]),
        ]

    def cookie(self, scope: Any, session: Session) -> tuple[bytes, bytes]:
        """Return the header that gives a browser its session."""
        path = scope.get("root_path", "") or "/"
        seconds = max(0, session.expires_at - int(time.time()))
        secure = "; Secure" if scope.get("scheme") == "https" else ""
        value = self._desk.seal.sealed(session)
        written = (
            f"{COOKIE}={value}; Path={path}; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}"
        )
        return b"set-cookie", written.encode("latin-1")

    async def _ask(self, request: Request) -> Response:
        visit = visit_of(request)
        if not visit.needs_login:
            return RedirectResponse(visit.url("/"), 303)
        return self._form(request, _wanted(request.query_params.get("next", "")))

    async def _log_in(self, request: Request) -> Response:
        visit = visit_of(request)
        form = await read_form(request, visit, self._desk.seal)
        wanted = _wanted(form.one("next"))
        client, now = client_at(request.scope.get("client")), time.monotonic()
        wait = self._attempts.wait_before(client, now=now)
        if wait > 0:
            seconds = math.ceil(wait)
            trouble = f"Too many attempts. Try again in {seconds} s."
            answer = self._form(request, wanted, trouble, 429)
            answer.headers["retry-after"] = str(seconds)
            return answer
        auth = lock_of(request.scope, self._auth)
        # Counted before it is known how it ends: a hundred at once are not one.
        self._attempts.failed(client, now=now)
        try:
            caller = await _caller(auth, request.scope, form.one("token").strip())
        except ORPCError as error:
            return self._form(request, wanted, error.message, error.status)
        if caller is None:
            return self._form(request, wanted, "This token is not valid.", 403)
        if not caller.access.is_full:
            trouble = "This token is limited to certain tasks or procedures."
            return self._form(request, wanted, trouble, 403)
        self._attempts.succeeded(client)
        session = new_session(expires_at=self._end_for(caller), caller=caller.name)
        response = RedirectResponse(visit.url(wanted), 303)
        response.raw_headers.append(self.cookie(request.scope, session))
        return response

    async def _log_out(self, request: Request) -> Response:
        visit = visit_of(request)
        await read_form(request, visit, self._desk.seal)
        response = RedirectResponse(visit.url(LOGIN), 303)
        nobody = new_session(expires_at=int(time.time()) + self._session_seconds)
        response.raw_headers.append(self.cookie(request.scope, nobody))
        return response

    def _end_for(self, caller: Caller) -> int:
        """When the session of a caller ends: with what proves who it is, if that says when."""
        end = int(time.time()) + self._session_seconds
        expiry = caller.claims.get("exp")
        if isinstance(expiry, int | float) and not isinstance(expiry, bool):
            return min(end, int(expiry))
        return end

    def _form(
        self, request: Request, wanted: str, trouble: str | None = None, status: int = 200
    ) -> Response:
        facts = {"wanted": wanted, "trouble": trouble}
        return self._desk.show(request, "login.html", facts, status)


async def _caller(auth: Authenticator | None, scope: Any, token: str) -> Caller | None:
    if auth is None or not token or len(token) > _LONGEST_TOKEN or not token.isascii():
        return None
    if any(each.isspace() or not each.isprintable() for each in token):
        return None
    return await caller_with(auth, scope, token)


def _wanted(path: str) -> str:
    """Return the page to go to after the login, which must be one of ours."""
    parts = urlsplit(path)
    is_ours = path.startswith("/") and not path.startswith(("//", "/\\"))
    is_plain = path.isascii() and path.isprintable() and "\\" not in path
    if not (is_ours and is_plain) or parts.scheme or parts.netloc or parts.path == LOGIN:
        return "/"
    return path
