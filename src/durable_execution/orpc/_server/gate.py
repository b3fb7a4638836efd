"""What stands before a handler and knows its caller: the seam that locks are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol

GATE: Final = "orpc.gate"
"""Where in the scope of a connection an ASGI middleware leaves its `Gate`."""


class Gate(Protocol):
    """One caller, as an ASGI middleware around an `RPCHandler` let it in.

    The middleware sets `scope[GATE]`. It holds for all calls of a request, those of a batch too.
    """

    @property
    def context(self) -> Mapping[str, Any]:
        """Joins the context of every call, over what the handler's own `context` gives."""
        ...

    @property
    def facts(self) -> Mapping[str, object]:
        """What the log says of this caller, as `extra` of a record."""
        ...

    def check(self, path: tuple[str, ...]) -> None:
        """Look at a call before its input is decoded.

        Raises:
            ORPCError: Becomes the answer; the procedure is not called.
        """
        ...


def gate_in(transport: Mapping[str, Any]) -> Gate | None:
    """The gate that a request of this transport came through, if there is one."""
    gate: Gate | None = transport.get(GATE)
    return gate
