from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from textwrap import dedent
from time import monotonic
from typing import Any

import pytest

from durable_execution._engine.threads import Call, NotBegunError, WorkerThreads


@pytest.fixture
def threads() -> Iterator[WorkerThreads]:
    threads = WorkerThreads(3)
    yield threads
    threads.close()


async def result_of(call: Call) -> Any:
    await call.ended()
    return call.result()


def raising(error: BaseException) -> Callable[[], None]:
    def function() -> None:
        raise error

    return function


async def test_a_call_returns_what_the_function_returns(threads: WorkerThreads) -> None:
    assert await result_of(threads.call(divmod, 7, 2)) == (3, 1)


@pytest.mark.parametrize("error", [ValueError(), KeyboardInterrupt(), SystemExit(1)], ids=repr)
async def test_a_call_raises_what_the_function_raises(
    threads: WorkerThreads, error: BaseException
) -> None:
    call = threads.call(raising(error))
    await call.ended()
    with pytest.raises(type(error)) as caught:
        call.result()
    assert caught.value is error
    assert await result_of(threads.call(int, "4")) == 4, "the thread has ended with it"


async def test_no_function_ends_the_coroutine_that_waits(threads: WorkerThreads) -> None:
    call = threads.call(raising(StopIteration(5)))
    await call.ended()
    with pytest.raises(RuntimeError, match="the task raised StopIteration"):
        call.result()


async def test_a_thread_is_used_again(threads: WorkerThreads) -> None:
    names = {await result_of(threads.call(name_of_thread)) for _ in range(10)}
    assert names == {"durable-execution_0"}


async def test_there_are_never_more_threads_than_allowed(threads: WorkerThreads) -> None:
    gate = threading.Event()

    def wait() -> str:
        gate.wait(30)
        return name_of_thread()

    calls = [threads.call(wait) for _ in range(10)]
    gate.set()
    names = {await result_of(call) for call in calls}
    assert names <= {f"durable-execution_{number}" for number in range(3)}


async def test_whoever_is_cancelled_may_wait_again(threads: WorkerThreads) -> None:
    gate = threading.Event()
    call = threads.call(gate.wait, 30)
    waiting = asyncio.ensure_future(call.ended())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not call.has_ended
    gate.set()
    assert await result_of(call) is True


async def test_what_has_not_begun_is_taken_back() -> None:
    threads, gate, called = WorkerThreads(1), threading.Event(), []
    busy = threads.call(gate.wait, 30)
    assert not threads.is_crowded
    waiting = threads.call(called.append, 1)
    assert threads.is_crowded
    assert waiting.withdraw()
    assert not threads.is_crowded
    assert not waiting.withdraw()
    with pytest.raises(NotBegunError):
        await result_of(waiting)
    gate.set()
    assert await result_of(busy) is True
    assert await result_of(threads.call(int)) == 0
    assert called == []
    assert not busy.withdraw()
    threads.close()


async def test_what_has_begun_is_not_taken_back(threads: WorkerThreads) -> None:
    begun, gate = threading.Event(), threading.Event()

    def wait() -> str:
        begun.set()
        gate.wait(30)
        return "ended"

    call = threads.call(wait)
    begun.wait(30)
    assert not call.withdraw()
    gate.set()
    assert await result_of(call) == "ended"


async def test_a_call_knows_how_long_it_waited_and_took() -> None:
    threads, gate = WorkerThreads(1), threading.Event()
    busy, waiting = threads.call(gate.wait, 30), threads.call(gate.wait, 30)
    asked_at = monotonic()
    assert waiting.waited(asked_at + 5) >= 5
    gate.set()
    await busy.ended()
    await waiting.ended()
    assert waiting.waited(asked_at + 5) < 5 + monotonic() - asked_at
    assert waiting.waited(0) == waiting.waited(1)
    assert busy.seconds >= 0
    threads.close()


async def test_many_ends_wake_the_loop_once(
    threads: WorkerThreads, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    wakes = 0
    tell = loop.call_soon_threadsafe

    def counted(*arguments: Any, **named: Any) -> asyncio.Handle:
        nonlocal wakes
        wakes += 1
        return tell(*arguments, **named)

    monkeypatch.setattr(loop, "call_soon_threadsafe", counted)
    calls = [threads.call(int) for _ in range(50)]
    last = threading.Event()
    calls.append(threads.call(last.set))
    last.wait(30)  # while the loop stands still
    assert [await result_of(call) for call in calls[:50]] == [0] * 50
    await calls[-1].ended()
    assert 1 <= wakes <= 4, "one for all, and one for each thread that was just about to end"


async def test_closing_lets_threads_end_and_waits_for_none(threads: WorkerThreads) -> None:
    gate = threading.Event()
    busy = threads.call(gate.wait, 30)
    idle = threads.call(threading.current_thread)
    thread = await result_of(idle)
    threads.close()
    threads.close()
    thread.join(30)
    assert not thread.is_alive()
    with pytest.raises(RuntimeError, match="have ended"):
        threads.call(int)
    gate.set()
    assert await result_of(busy) is True


async def test_a_thread_that_waits_keeps_nothing_alive(threads: WorkerThreads) -> None:
    class Large: ...

    def fail(large: Large) -> None:
        raise ValueError

    large = Large()
    gone = weakref.ref(large)
    gc.disable()
    try:
        with pytest.raises(ValueError, match=r"^$"):
            await result_of(threads.call(fail, large))
        del large
        await result_of(threads.call(int))  # the one before is surely over
        assert gone() is None
    finally:
        gc.enable()


def test_a_function_may_outlive_the_event_loop() -> None:
    threads, gate = WorkerThreads(1), threading.Event()

    async def leave_behind() -> threading.Thread:
        thread: threading.Thread = await result_of(threads.call(threading.current_thread))
        threads.call(gate.wait, 30)
        return thread

    thread = asyncio.run(leave_behind())
    threads.close()
    gate.set()
    thread.join(30)
    assert not thread.is_alive()


def test_a_process_ends_once_no_function_is_at_work() -> None:
    program = """
        import asyncio, threading
        from durable_execution._engine.threads import WorkerThreads

        begun = threading.Event()

        def work():
            begun.set()
            threading.Event().wait(0.1)
            print("worked")

        async def main():
            threads = WorkerThreads(2)
            await threads.call(int).ended()
            threads.call(work)
            begun.wait()

        asyncio.run(main())
        print("the loop has ended")
        """
    done = subprocess.run(
        [sys.executable, "-c", dedent(program)], timeout=60, check=True, capture_output=True
    )
    assert (done.stdout.decode().split("\n"), done.stderr) == (
        ["the loop has ended", "worked", ""],
        b"",
    )


def name_of_thread() -> str:
    return threading.current_thread().name
