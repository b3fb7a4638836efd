"""Who looks at the pages: the visit that a request is part of, and who may make one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from durable_execution.access import Authenticator, Caller
from durable_execution.dashboard.sessions import COOKIE, Seal, Session
from durable_execution.orpc import Request as Head

MOST_COOKIES: Final = 16_384
"""Characters of the header that are looked at."""
_LOCAL: Final = re.compile(r"(?:[\w-]+\.)*localhost|[\d.]+|\[[0-9a-fA-F:.]+\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One request of a browser.

    Attributes:
        root: The path that the dashboard is mounted at.
        session: The browser's; begun with this request if `is_new`.
        form_token: What its forms carry.
        caller: Who it is; None where nobody need be known, or nobody is.
        needs_login: Whether there is a lock, and nobody has been let in.
        has_lock: Whether there is a lock.
        is_read_only: Whether nothing may be changed.
    """

    root: str
    session: Session
    form_token: str
    is_new: bool
    caller: str | None
    needs_login: bool
    has_lock: bool
    is_read_only: bool

    def url(self, path: str) -> str:
        """The address of a page, from its path below the dashboard's own."""
        return self.root + path


def session_of(scope: Any, seal: Seal, *, now: float) -> Session | None:
    """Return the session that a request carries, if it carries one that holds."""
    cookies = header(scope, b"cookie")[:MOST_COOKIES]
    for pair in cookies.split(";"):
        name, _, value = pair.strip().partition("=")
        if name == COOKIE:
            session = seal.opened(value, now=now)
            if session is not None:
                return session
    return None


def known_caller(scope: Any) -> Caller | None:
    """Return the caller that a guard in front has let in."""
    state = scope.get("state") or {}
    caller = state.get("caller")
    return caller if isinstance(caller, Caller) else None


def lock_of(scope: Any, auth: Authenticator | None) -> Authenticator | None:
    """Return what knows who may come in: our own, or that of the guard which left it to us."""
    if auth is not None:
        return auth
    state = scope.get("state") or {}
    found = state.get("auth")
    return found if isinstance(found, Authenticator) else None


async def caller_with(auth: Authenticator, scope: Any, token: str | None = None) -> Caller | None:
    """Find out who sends a request, as if it carried this token, if one is given.

    Raises:
        ORPCError: What the authenticator answers instead.
    """
    headers = [
        (name.decode("latin-1").lower(), value.decode("latin-1"))
        for name, value in scope.get("headers", ())
    ]
    if token is not None:
        headers = [pair for pair in headers if pair[0] != "authorization"]
        headers.append(("authorization", f"Bearer {token}"))
    head = Head(
        method=scope["method"],
        path=scope["path"],
        query=scope.get("query_string", b"").decode("latin-1"),
        headers=tuple(headers),
        transport=scope,
    )
    return await auth.authenticate(head)


def is_named_safely(host: str) -> bool:
    """Whether a host is an address or `localhost`.

    A page of some other site can have its own name resolve to this machine, and would then be of
    one origin with us. It cannot do so with an address.
    """
    return _LOCAL.fullmatch(host) is not None


def host_name(scope: Any) -> str:
    """Return the name that a request was sent to, without the port."""
    host = header(scope, b"host").strip().lower()
    bare = re.fullmatch(r"(\[[0-9a-f:.]+\]|[^:]*)(?::\d+)?", host)
    return bare[1] if bare else host


def comes_from_elsewhere(scope: Any) -> bool:
    """Whether a page of another origin made the browser send a request."""
    site = header(scope, b"sec-fetch-site")
    if site:
        return site not in ("same-origin", "none")
    origin = header(scope, b"origin")
    return bool(origin) and urlsplit(origin).netloc.lower() != header(scope, b"host").lower()


def header(scope: Any, name: bytes) -> str:
    """Return the first header of a name, or nothing."""
    for each, value in scope.get("headers", ()):
        if each.lower() == name:
            text: str = value.decode("latin-1")
            return text
    return ""
