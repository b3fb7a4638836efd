"""What runs in the thread that calls, what cannot, and the functions of the application."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import pytest

from durable_execution.orpc import (
    AsgiSender,
    Batching,
    BlockingSender,
    CallContext,
    Request,
    Response,
    Retries,
    RouterLink,
    RPCConnectionError,
    RPCHandler,
    RPCLink,
    RPCTimeoutError,
    SyncLink,
    create_orpc_client,
    rpc,
)
from tests.orpc._client.fake_sender import FakeSender, json_response
from tests.orpc._client.peers import PATIENCE, Peer, answering, listening
from tests.served import served


@rpc.handler
async def token(ctx: CallContext) -> str | None:
    return ctx.headers.get("authorization")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with served(RPCHandler({"token": token})) as origin:
        yield origin


def loop_threads() -> int:
    return sum(thread.name.startswith("<SyncLink") for thread in threading.enumerate())


class Scripted:
    """A sender that blocks, and answers what it is told to."""

    def __init__(self, *answers: Response | Exception) -> None:
        self._answers = list(answers)
        self.timeouts: list[float | None] = []
        self.threads: set[int] = set()
        self.times_closed = 0

    def send(self, request: Request, *, max_response_size: int, timeout: float | None) -> Response:
        self.timeouts.append(timeout)
        self.threads.add(threading.get_ident())
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        self.times_closed += 1


ONE = json_response(b'{"json":1}')


def test_any_sender_that_blocks_carries_the_calls() -> None:
    sender = Scripted(ONE, RPCConnectionError("refused", was_sent=False), ONE, ONE)
    with SyncLink(RPCLink("http://x", timeout=50), sender=sender) as link:
        assert [link.call(["x"]), link.call(["x"]), link.call(["x"], timeout=None)] == [1, 1, 1]
        assert loop_threads() == 0
    first, second, again, unlimited = sender.timeouts
    assert first is not None
    assert second is not None
    assert again is not None
    assert 0 < again < second <= 50
    assert unlimited is None
    assert sender.threads == {threading.get_ident()}
    assert sender.times_closed == 1


def test_sender_whose_time_is_up_times_the_call_out() -> None:
    with SyncLink(RPCLink("http://x"), sender=Scripted(TimeoutError("too slow"))) as link:
        with pytest.raises(RPCTimeoutError, match="No answer within 30 seconds") as caught:
            link.call(["x"])
        assert caught.value.__notes__ == ["while calling x at http://x"]


@pytest.mark.parametrize(
    "link",
    [
        RPCLink("http://x", sender=FakeSender(ONE)),
        RPCLink("http://x", batch=Batching()),
        RouterLink({}),
    ],
    ids=["sender", "batch", "other"],
)
def test_link_that_has_its_own_way_takes_no_sender(link: Any) -> None:
    assert isinstance(Scripted(), BlockingSender)
    with pytest.raises(ValueError, match="an RPCLink without sender and batch"):
        SyncLink(link, sender=Scripted())


def test_sender_that_is_awaited_belongs_elsewhere() -> None:
    sender: Any = AsgiSender(RPCHandler({}))
    with pytest.raises(TypeError, match="belongs to the link"):
        SyncLink(RPCLink("http://x"), sender=sender)


def test_class_made_of_a_link_is_called_by_its_own_methods() -> None:
    class Counting(RPCLink):
        calls = 0

        async def call(self, *args: Any, **options: Any) -> object:
            await asyncio.sleep(0)  # what a thread without a loop could not wait for
            self.calls += 1
            return await super().call(*args, **options)

    with listening(answering) as peers:
        inner = Counting(peers.url)
        with SyncLink(inner) as link:
            assert link.call(["x"]) == 1
        assert inner.calls == 1


def test_plain_calls_need_no_loop(url: str) -> None:
    local = threading.local()
    local.token = "of this thread"
    with SyncLink(RPCLink(url, headers=lambda: {"authorization": local.token})) as link:
        assert create_orpc_client(link).token() == "of this thread"
        assert loop_threads() == 0


def test_asynchronous_functions_run_on_a_loop_and_see_the_context_of_the_caller(url: str) -> None:
    user: ContextVar[str] = ContextVar("user")

    async def headers() -> dict[str, str]:
        await asyncio.sleep(0)
        return {"authorization": user.get()}

    with SyncLink(RPCLink(url, headers=headers)) as link:
        user.set("ada")
        assert create_orpc_client(link).token() == "ada"


@pytest.mark.parametrize("is_async", [False, True])
def test_renewal_works(is_async: bool) -> None:
    tokens = ["old"]

    async def renew() -> None:
        await asyncio.sleep(0)
        tokens.append("new")

    sender = Scripted(json_response(b"{}", 401), ONE)
    link = RPCLink(
        "http://x",
        headers=lambda: {"authorization": tokens[-1]},
        on_unauthorized=renew if is_async else lambda: tokens.append("new"),
    )
    with SyncLink(link, sender=sender) as sync_link:
        assert sync_link.call(["x"]) == 1
    assert tokens == ["old", "new"]


def test_asynchronous_function_that_never_ends_is_within_the_timeout() -> None:
    was_cancelled = threading.Event()

    async def headers() -> dict[str, str]:
        try:
            await asyncio.Event().wait()
        finally:
            was_cancelled.set()
        return {}

    link = RPCLink("http://x", headers=headers)
    with SyncLink(link, sender=Scripted()) as sync_link:
        with pytest.raises(RPCTimeoutError, match=r"No answer within 0\.05 seconds"):
            sync_link.call(["x"], timeout=0.05)
        assert was_cancelled.wait(PATIENCE)


def test_timeout_of_the_application_is_its_own() -> None:
    async def headers() -> dict[str, str]:
        raise TimeoutError("of the token server")

    with (
        SyncLink(RPCLink("http://x", headers=headers), sender=Scripted()) as link,
        pytest.raises(TimeoutError, match="of the token server") as caught,
    ):
        link.call(["x"])
    assert not isinstance(caught.value, RPCTimeoutError)


def test_header_function_may_call_over_the_same_link(url: str) -> None:
    tokens: list[str] = []

    def headers() -> dict[str, str]:
        if not tokens:
            tokens.append("pending")
            tokens[:] = [f"{create_orpc_client(link).token()}, fresh"]
        return {"authorization": tokens[0]}

    with SyncLink(RPCLink(url, headers=headers)) as link:
        assert create_orpc_client(link).token() == "pending, fresh"


def test_function_of_the_application_may_run_a_loop_of_its_own(url: str) -> None:
    async def fetched() -> str:
        async with RPCLink(url, headers={"authorization": "inner"}) as inner:
            return str(await create_orpc_client(inner).token())

    link = RPCLink(url, headers=lambda: {"authorization": asyncio.run(fetched())})
    with SyncLink(link) as sync_link:
        assert create_orpc_client(sync_link).token() == "inner"


async def test_call_where_a_loop_runs_already_blocks_it_and_works(url: str) -> None:
    with SyncLink(RPCLink(url, headers={"authorization": "notebook"})) as link:
        assert create_orpc_client(link).token() == "notebook"


def test_any_coroutine_runs_on_the_loop_of_the_link(url: str) -> None:
    with SyncLink(RPCLink(url, headers={"authorization": "a"})) as link:
        client = create_orpc_client(link.link)  # type: ignore[call-overload]  # an RPCLink

        async def both() -> list[Any]:
            return list(await asyncio.gather(client.token(), client.token()))

        assert link.run(both) == ["a", "a"]
        with pytest.raises(RuntimeError, match="this thread has none"):
            link.complete(lambda: asyncio.sleep(0))


def test_interrupt_gives_up_the_connection() -> None:
    class InterruptError(BaseException):
        pass

    def interrupt(*_: object) -> None:
        raise InterruptError

    def talk(peer: Peer) -> None:
        peer.request()
        ident = threading.main_thread().ident
        assert ident is not None
        signal.pthread_kill(ident, signal.SIGUSR1)
        peer.until_left()

    if threading.current_thread() is not threading.main_thread():
        pytest.skip("signals are for the main thread")
    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        with listening(talk) as peers, SyncLink(RPCLink(peers.url, timeout=None)) as link:
            with pytest.raises(InterruptError):
                link.call(["x"])
            assert peers.all[0].has_left.wait(PATIENCE)
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_retries_are_not_in_vain(url: str) -> None:
    failures = [RPCConnectionError("broke", was_sent=True) for _ in range(2)]
    sender = Scripted(*failures, ONE)
    link = RPCLink(url, retries=Retries(repeatable=True, longest_pause=0.001))
    with SyncLink(link, sender=sender) as sync_link:
        assert sync_link.call(["x"]) == 1


def test_asynchronous_function_is_begun_though_the_time_is_up() -> None:
    began = threading.Event()

    def headers() -> Any:
        async def made() -> dict[str, str]:
            began.set()
            await asyncio.Event().wait()
            return {}

        threading.Event().wait(0.02)  # longer than the call may take
        return made()

    link = RPCLink("http://x", headers=headers)
    with SyncLink(link, sender=Scripted()) as sync_link:
        with pytest.raises(RPCTimeoutError):
            sync_link.call(["x"], timeout=0.001)
        assert began.is_set()  # and no warning of what was never awaited
