from __future__ import annotations

import asyncio
import threading

import pytest

from durable_execution._engine.signals import OneShot


async def test_a_signal_that_is_set_keeps_nobody_waiting() -> None:
    signal = OneShot()
    assert not signal.is_set()
    signal.set()
    signal.set()
    assert signal.is_set()
    await signal.wait()
    assert signal.wait_in_thread(0)


async def test_coroutines_and_threads_hear_of_it() -> None:
    signal = OneShot()
    waiting = [asyncio.create_task(signal.wait()) for _ in range(3)]
    threads = [asyncio.create_task(asyncio.to_thread(signal.wait_in_thread, 30)) for _ in range(2)]
    await asyncio.sleep(0)  # they begin to wait
    threading.Thread(target=signal.set).start()
    await asyncio.gather(*waiting)
    assert await asyncio.gather(*threads) == [True, True]


def test_a_thread_waits_no_longer_than_its_timeout() -> None:
    assert OneShot().wait_in_thread(0.001) is False


async def test_a_signal_forgets_who_waited_in_vain() -> None:
    signal = OneShot()
    for _ in range(3):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(signal.wait(), 0.001)
    assert signal._futures == []
    signal.set()
