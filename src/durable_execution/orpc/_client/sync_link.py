"""A link for code without an event loop: any link, called from any thread."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from types import TracebackType
from typing import Any, NoReturn, Self, TypeVar

from durable_execution._codec import UNDEFINED, Undefined
from durable_execution.orpc._client.blocking import BlockingCalls, Runner
from durable_execution.orpc._client.client import Link
from durable_execution.orpc._client.codec import Method
from durable_execution.orpc._client.headers import HeaderMapping
from durable_execution.orpc._client.http_sender import HttpSender
from durable_execution.orpc._client.link import RPCLink
from durable_execution.orpc._client.portal import Portal
from durable_execution.orpc._client.sender import BlockingSender
from durable_execution.orpc._client.sync_values import for_sync, from_sync
from durable_execution.orpc._client.timeout import Timeout

T = TypeVar("T")


class SyncLink:
    """Carries calls for code without an event loop: scripts, Django, worker threads.

        with SyncLink(RPCLink("https://example.com/rpc", headers=token)) as link:
            client = create_orpc_client(link)
            print(client.planets.find({"id": 1}))

    Everything is as with the link inside: connections are kept, timeouts and retries hold, and
    whatever is told of `RPCLink` applies. One serves any number of threads at once, before and
    after a fork. Functions of the application (`headers`, `on_unauthorized`) run in the thread
    that calls, so they may block and find what belongs to it.

    The calls of an `RPCLink` run in that thread, too, over connections that block. What cannot runs
    on an event loop in a thread of its own, which begins when it is needed: links of another kind,
    those with a `sender` or `batch` of their own, and inputs that are made while they are sent.

    Inside `async def` it would block the event loop: use the link itself there.

    Args:
        link: Owned by this one: closed with it, and to be used through it alone.
        sender: The transport for an `RPCLink` that has none; left out, `HttpSender()`. Owned.

    Raises:
        TypeError: The link has no `call`, the sender no `send` and `close`.
        ValueError: The link cannot use a sender.
    """

    def __init__(self, link: Link, *, sender: BlockingSender | None = None) -> None:
        if not callable(getattr(link, "call", None)):
            raise TypeError(f"link: expected one such as RPCLink(url), got {link!r}")
        if sender is not None and not isinstance(sender, BlockingSender):
            raise TypeError(
                f"sender: expected send and close as in HttpSender(), got {sender!r}; one that is "
                "awaited belongs to the link: RPCLink(url, sender=...)"
            )
        self._link = link
        self._portal = Portal(repr(self), getattr(link, "aclose", None))
        self._calls: BlockingCalls | None = None
        # Not a class made of it: that may do anything in its `call`.
        if type(link) is RPCLink and link.takes_any_sender:
            self._calls = BlockingCalls(repr(self), self._portal, sender or HttpSender())
        elif sender is not None:
            raise ValueError("sender: of use to an RPCLink without sender and batch only")
        self._runner: Runner = self._calls or self._portal

    @property
    def link(self) -> Link:
        """The link inside, for what runs in `run`."""
        return self._link

    def call(
        self,
        path: Sequence[str],
        input: object = UNDEFINED,
        *,
        headers: HeaderMapping | None = None,
        timeout: Timeout | Undefined = UNDEFINED,
        last_event_id: str | None = None,
        method: Method | None = None,
    ) -> object:
        """Call the procedure at `path` and return its decoded output.

        Raises:
            RuntimeError: The link is closed.
            Exception: What the link inside raises.
        """
        given = from_sync(input)

        async def call() -> object:
            return await self._link.call(
                path,
                given,
                headers=headers,
                timeout=timeout,
                last_event_id=last_event_id,
                method=method,
            )

        return self.complete(call)

    def complete(self, function: Callable[[], Coroutine[Any, Any, T]]) -> Any:
        """Run a coroutine that waits for calls over the link inside, and for nothing else.

        It runs in the thread that calls where the link allows that; an event stream arrives as
        an iterator.

        Raises:
            RuntimeError: The link is closed.
            BaseException: What the coroutine raises.
        """
        return for_sync(self._runner.run(function), self._runner)

    def run(self, function: Callable[[], Coroutine[Any, Any, T]]) -> Any:
        """Run any coroutine, on the loop of this link; an event stream arrives as an iterator.

        Raises:
            RuntimeError: The link is closed, or this is called by something that runs inside it.
            BaseException: What the coroutine raises.
        """
        return for_sync(self._portal.run(function), self._portal)

    def close(self) -> None:
        """Close the link inside. Closing twice is allowed; calls afterwards are refused."""
        if self._calls is not None:
            self._calls.close()
        self._portal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<SyncLink {self._link!r}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "SyncLink cannot be pickled: it holds connections; make one in each process"
        )
