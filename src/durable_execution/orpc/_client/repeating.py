"""One call as one exchange or several: sent again after failures, and with new credentials."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from durable_execution._waiting import Limit, now, sleep
from durable_execution.orpc._client.blocking import answer_of
from durable_execution.orpc._client.error import RPCConnectionError
from durable_execution.orpc._client.retries import Retries
from durable_execution.orpc._protocol import Request, Response, close_body

Renewal = Callable[[], Awaitable[None] | None]
"""Gets new credentials, which the function behind `headers` then returns."""

_UNAUTHORIZED: Final = 401


class Repeating:
    """The attempts of one call.

    Args:
        make: Makes the request of an attempt, with the headers of that moment.
        send: Sends it.
        retries: When to try again.
        may_repeat: Whether this call may run twice.
        renew: Called once when the server answers 401; None leaves that answer to the caller.
        deadline: When the call has to end: what would be later is not tried.
    """

    def __init__(
        self,
        make: Callable[[], Awaitable[Request]],
        send: Callable[[Request], Awaitable[Response]],
        *,
        retries: Retries,
        may_repeat: Callable[[], bool],
        renew: Renewal | None,
        deadline: Limit,
    ) -> None:
        self._make = make
        self._send = send
        self._retries = retries
        self._may_repeat = may_repeat
        self._renew = renew
        self._deadline = deadline
        self._attempt = 0

    async def answer(self) -> Response:
        """The answer that is to be given to the caller.

        Raises:
            RPCConnectionError: There was none, the last time.
        """
        while True:
            request = await self._make()
            is_repeatable = isinstance(request.body, bytes)
            try:
                response = await self._send(request)
            except RPCConnectionError as error:
                pause = self._pause_after(error)
                if pause is None or not is_repeatable:
                    raise
            else:
                if response.status == _UNAUTHORIZED and self._renew and is_repeatable:
                    await close_body(response.body)
                    await self._renewed()
                    continue
                pause = self._pause_after(response)
                if pause is None or not is_repeatable:
                    return response
                await close_body(response.body)
            self._attempt += 1
            await sleep(pause)

    def _pause_after(self, outcome: RPCConnectionError | Response) -> float | None:
        if isinstance(outcome, Response):
            pause = self._retries.pause_after_answer(outcome, attempt=self._attempt)
        else:
            pause = self._retries.pause_after_failure(
                outcome, attempt=self._attempt, may_repeat=self._may_repeat
            )
        end = self._deadline.when()
        if pause is None or end is None:
            return pause
        # The failure says more than the timeout that waiting for its end would become.
        return pause if now() + pause < end else None

    async def _renewed(self) -> None:
        renew, self._renew = self._renew, None
        if renew is not None:
            await answer_of(renew)
