"""Making a dashboard, and checking what it is made of."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from durable_execution._core.limits import to_ms
from durable_execution.access import Authenticator
from durable_execution.dashboard.sessions import SHORTEST_SECRET
from durable_execution.errors import InvalidOptionError
from durable_execution.executor import DurableExecutor

if TYPE_CHECKING:
    from durable_execution.dashboard.door import Dashboard

DEFAULT_SESSION: Final = 12 * 3600
_SHORTEST_SESSION_MS: Final = 60_000
_LONGEST_SESSION_MS: Final = 30 * 86_400_000


def create_dashboard(
    executor: DurableExecutor,
    *,
    auth: Authenticator | None = None,
    secret: str | bytes | None = None,
    session: float | timedelta = DEFAULT_SESSION,
    hosts: Iterable[str] = (),
    read_only: bool = False,
) -> Dashboard:
    """Make the pages that show what an executor's storage holds, and let people act on it.

        app = create_executor_app(
            executor, {"/rpc": RPCHandler(router), "/ui": create_dashboard(executor)}, auth=auth
        )

    An ASGI application. Where there is an `auth`, here or on the server, people log in with a token
    that it knows; the caller must have `FULL_ACCESS`, because the pages show everything. Programs
    may send the token as a header instead. Without an `auth` everybody who reaches the server is
    let in, who must name it by an address or `localhost`, so that no other site can pretend to.

    Args:
        executor: Whose storage is shown: all executions in it, of whichever executor.
        auth: Who may log in; by default, who the server lets in.
        secret: Seals the cookies of sessions, at least 32 bytes that nobody can guess. By default
            it is made anew in each process, so that sessions end with it: give one where several
            processes serve the same address.
        session: How long a session lasts, in seconds or as a timedelta: a minute to 30 days. A
            session outlives a token that is taken away, though not the process or the secret.
        hosts: Names besides addresses and `localhost` that the server may be reached by where
            nobody has to log in.
        read_only: Whether nothing can be changed: no cancelling, retrying, waking or deleting.

    Raises:
        InvalidOptionError: An option is out of its bounds.
        ModuleNotFoundError: Starlette or Jinja2, parts of the `server` extra, are not installed.
    """
    if auth is not None and (isinstance(auth, type) or not isinstance(auth, Authenticator)):
        raise InvalidOptionError(
            f"auth: expected an object with a method authenticate(request), got {auth!r}"
        )
    seconds = to_ms("session", session, _SHORTEST_SESSION_MS, _LONGEST_SESSION_MS) // 1000
    key = secrets.token_bytes(SHORTEST_SECRET) if secret is None else _checked_secret(secret)
    names = [hosts] if isinstance(hosts, str) else list(hosts)
    try:
        from durable_execution.dashboard.door import Dashboard
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "create_dashboard needs Starlette and Jinja2: pip install 'durable-execution[server]'",
            name=error.name,
        ) from error
    return Dashboard(
        executor,
        auth=auth,
        secret=key,
        session_seconds=seconds,
        hosts=frozenset(name.lower() for name in names),
        is_read_only=read_only,
    )


def _checked_secret(secret: str | bytes) -> bytes:
    given = secret.encode() if isinstance(secret, str) else secret
    if len(given) < SHORTEST_SECRET:
        raise InvalidOptionError(
            f"secret: expected at least {SHORTEST_SECRET} bytes, got {len(given)}"
        )
    return given
