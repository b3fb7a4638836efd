"""Hands attempts over to an app: one signed POST each, and what its answer means."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from durable_execution._codec import UNDEFINED, DecodeError, JsonSyntaxError, loads
from durable_execution._core.handover import Accepted, Answered, Handover, HandoverAnswer
from durable_execution._observing import current_trace, headers_of
from durable_execution.errors import DurableExecutionError
from durable_execution.orpc import ORPCError, Request, Response, RPCClientError, RPCConnectionError
from durable_execution.orpc._client.headers import header_pairs
from durable_execution.orpc._protocol import VERSION_1, close_body
from durable_execution.remote.callbacks.request import write_request
from durable_execution.remote.callbacks.secrets import CallbackSecrets
from durable_execution.remote.callbacks.signatures import signed_headers
from durable_execution.remote.callbacks.tokens import TokenClaim, write_token
from durable_execution.remote.error_map import task_error_of
from durable_execution.remote.procedure_task import ATTEMPT_HEADER, EXECUTION_ID_HEADER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from durable_execution.orpc import Sender

logger = logging.getLogger(__name__)

IDEMPOTENCY_KEY_HEADER: Final = "idempotency-key"
MAX_ANSWER_SIZE: Final = 10 * 1024 * 1024
"""Bytes of an app's answer that are read; the bound of outputs is the executor's."""


class CallbackCourier:
    """Posts attempts to one address of an app. Redirects are not followed.

    An answer that was lost after the request had been sent counts as "accepted": the app may be at
    work, and if it is not, the lease will tell.

    Args:
        url: Where to post to, checked by the caller.
        secrets: What requests and tokens are signed with.
        headers: Sent besides, in lower case, checked by the caller.
        request_timeout: Seconds in which the app must answer.
        sender: Carries the requests; without one each has a connection of its own.
    """

    def __init__(
        self,
        url: str,
        secrets: CallbackSecrets,
        *,
        headers: Mapping[str, str],
        request_timeout: float,
        sender: Sender | None,
    ) -> None:
        parts = urlsplit(url)
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._path = parts.path or "/"
        self._query = parts.query
        self._headers = dict(headers)
        self._request_timeout = request_timeout
        self._sender = sender
        self.secrets = secrets

    async def hand_over(self, handover: Handover) -> HandoverAnswer:
        """Post an attempt.

        Raises:
            DurableExecutionError: The app cannot be reached, refuses, or answers what is no answer.
        """
        request = self._request(handover)
        try:
            async with self._sending() as sender, asyncio.timeout(self._request_timeout):
                response = await sender.send(request, max_response_size=MAX_ANSWER_SIZE)
        except TimeoutError:
            return _answer_lost(handover)
        except RPCConnectionError as error:
            if error.was_sent:
                return _answer_lost(handover)
            raise task_error_of(error) from error
        except RPCClientError as error:
            raise task_error_of(error) from error
        return await _meaning(response)

    def __repr__(self) -> str:
        return f"CallbackCourier({self._origin + self._path!r})"

    def _request(self, handover: Handover) -> Request:
        claim = TokenClaim(handover.task_id, handover.execution_id, handover.fence)
        body = write_request(handover, write_token(self.secrets, claim))
        message_id = f"{handover.execution_id}.{handover.fence}"
        headers = {
            **self._headers,
            "content-type": "application/json",
            IDEMPOTENCY_KEY_HEADER: handover.execution_id,
            EXECUTION_ID_HEADER: handover.execution_id,
            ATTEMPT_HEADER: str(handover.attempt),
            **signed_headers(self.secrets, message_id, body, now=time.time()),
        }
        headers |= headers_of(current_trace.get())
        return Request(
            method="POST",
            path=self._path,
            query=self._query,
            headers=header_pairs(headers),
            body=body,
            origin=self._origin,
        )

    @asynccontextmanager
    async def _sending(self) -> AsyncIterator[Sender]:
        if self._sender is not None:
            yield self._sender
            return
        from durable_execution.orpc import AiohttpSender

        # A connection that does not come in time was never used: that is not to look like an
        # answer that was lost. And none is kept: one that the app closes while idle would.
        sender = AiohttpSender(connect_timeout=self._request_timeout / 2)
        try:
            yield sender
        finally:
            await sender.aclose()


def _answer_lost(handover: Handover) -> Accepted:
    logger.info(
        "an app's answer was lost; its lease will tell",
        extra={"task_id": handover.task_id, "execution_id": handover.execution_id},
    )
    return Accepted()


async def _meaning(response: Response) -> HandoverAnswer:
    if not isinstance(response.body, bytes):
        await close_body(response.body)
    if response.status == 202:
        return Accepted()
    if response.status == 200:
        return Answered(_output(response.body))
    if response.status < 400:
        raise DurableExecutionError(
            f"App answered {response.status}: expected 202, or 200 with an output"
        )
    raise task_error_of(_refusal(response))


def _output(body: object) -> object:
    try:
        if isinstance(body, bytes) and body:
            return loads(body)
    except (JsonSyntaxError, DecodeError) as error:
        raise DurableExecutionError(
            f"App answered 200 with what is no output: {error}; answer 202 to go on"
        ) from error
    raise DurableExecutionError("App answered 200 without an output; answer 202 to go on")


def _refusal(response: Response) -> ORPCError:
    """Read a refusal as a call of a procedure would: any status, and a message if there is one."""
    value: object = UNDEFINED
    if isinstance(response.body, bytes):
        try:
            value = loads(response.body)
        except (JsonSyntaxError, DecodeError):
            value = UNDEFINED
    error = VERSION_1.error_from_json(value)
    if error is not None and error.status == response.status:
        return error
    return VERSION_1.foreign_error(response.status, {}, UNDEFINED)
