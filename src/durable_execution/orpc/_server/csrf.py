"""Calls that a web page made without its visitor's will (WIRE.md 9)."""

from __future__ import annotations

from collections.abc import Callable

from durable_execution.orpc._protocol import ORPCError, Request
from durable_execution.orpc._server.plugin import HandlerPlugin
from durable_execution.orpc._server.procedure import Procedure


class SimpleCsrfProtectionPlugin(HandlerPlugin):
    """Asks every call for a header that a page of another origin cannot send without a preflight.

    Callers send it with `RPCLink(url, csrf=True)`, in TypeScript with
    `SimpleCsrfProtectionLinkPlugin`. Without it they are answered 403 `CSRF_TOKEN_MISMATCH`.

    Args:
        header_name: The header, in any case.
        header_value: What it must say.
        exclude: A function of the procedure's path saying whether it may be called without, for
            those that other servers call.
    """

    def __init__(
        self,
        *,
        header_name: str = "x-csrf-token",
        header_value: str = "orpc",
        exclude: Callable[[tuple[str, ...]], bool] | None = None,
    ) -> None:
        self._header_name = header_name.lower()
        self._header_value = header_value
        self._exclude = exclude

    def check(self, request: Request, path: tuple[str, ...], procedure: Procedure) -> None:
        """See `HandlerPlugin.check`."""
        if request.header(self._header_name) == self._header_value:
            return
        if self._exclude is None or not self._exclude(path):
            raise ORPCError("CSRF_TOKEN_MISMATCH", "Invalid CSRF token", status=403)
