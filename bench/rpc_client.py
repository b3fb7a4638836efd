"""A client under measurement, in a process of its own: `python -m bench.rpc_client link PORT …`."""

from __future__ import annotations

import asyncio
import json
import resource
import statistics
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from functools import partial

import uvloop

Call = Callable[[], Awaitable[object]]


async def measure(call: Call, concurrency: int, seconds: float) -> dict[str, float]:
    latencies: list[float] = []

    async def caller(end: float) -> None:
        while (began := time.perf_counter()) < end:
            await call()
            latencies.append(time.perf_counter() - began)

    async def callers(duration: float) -> float:
        began = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for _ in range(concurrency):
                group.create_task(caller(began + duration))
        return time.perf_counter() - began

    await callers(min(0.3, seconds / 4))  # warm
    latencies.clear()
    before = cpu_seconds()
    took = await callers(seconds)
    return figures(latencies, took, cpu_seconds() - before)


def figures(latencies: list[float], took: float, cpu: float) -> dict[str, float]:
    return {
        "per_second": len(latencies) / took,
        "p50_ms": statistics.median(latencies) * 1000,
        "cpu_us": cpu / len(latencies) * 1e6,
    }


def cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


async def run_link(url: str, concurrency: int, seconds: float) -> dict[str, float]:
    from durable_execution.orpc import RPCLink, create_orpc_client

    async with RPCLink(url) as link:
        client = create_orpc_client(link)
        return await measure(lambda: client.echo({"n": 1}), concurrency, seconds)


async def run_sync(url: str, concurrency: int, seconds: float) -> dict[str, float]:
    from durable_execution.orpc import RPCLink, SyncLink, create_orpc_client

    with SyncLink(RPCLink(url)) as link:
        client = create_orpc_client(link)
        call = partial(client.echo, {"n": 1})
        return await in_threads([call] * concurrency, seconds)


async def in_threads(calls: Sequence[Callable[[], object]], seconds: float) -> dict[str, float]:
    """Threads that block, each in a call of its own; what waits for them here costs nothing."""
    return await asyncio.to_thread(measure_threads, calls, seconds)


def measure_threads(calls: Sequence[Callable[[], object]], seconds: float) -> dict[str, float]:
    latencies: list[float] = []

    def caller(call: Callable[[], object], end: float) -> None:
        while (began := time.perf_counter()) < end:
            call()
            latencies.append(time.perf_counter() - began)

    def callers(duration: float) -> float:
        began = time.perf_counter()
        threads = [threading.Thread(target=caller, args=(call, began + duration)) for call in calls]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return time.perf_counter() - began

    callers(min(0.3, seconds / 4))  # warm
    latencies.clear()
    before = cpu_seconds()
    took = callers(seconds)
    return figures(latencies, took, cpu_seconds() - before)


async def run_http_client(url: str, concurrency: int, seconds: float) -> dict[str, float]:
    """The least that blocks: a connection of the standard library for each thread."""
    from http.client import HTTPConnection

    def call_over(connection: HTTPConnection) -> bytes:
        headers = {"content-type": "application/json"}
        connection.request("POST", "/echo", b'{"json":{"n":1}}', headers)
        return connection.getresponse().read()

    with ExitStack() as open_ones:
        calls = []
        for _ in range(concurrency):
            connection = HTTPConnection(url.removeprefix("http://"), timeout=30)
            open_ones.callback(connection.close)
            calls.append(partial(call_over, connection))
        return await in_threads(calls, seconds)


async def run_aiohttp(url: str, concurrency: int, seconds: float) -> dict[str, float]:
    import aiohttp

    async with aiohttp.ClientSession() as session:

        async def call() -> bytes:
            headers = {"content-type": "application/json"}
            body = b'{"json":{"n":1}}'
            async with session.post(f"{url}/echo", data=body, headers=headers) as answer:
                return await answer.read()

        return await measure(call, concurrency, seconds)


RUNS = {
    "link": run_link,
    "sync": run_sync,
    "aiohttp": run_aiohttp,
    "http.client": run_http_client,
}

if __name__ == "__main__":
    subject, port, concurrency, seconds = sys.argv[1:]
    run = RUNS[subject](f"http://127.0.0.1:{port}", int(concurrency), float(seconds))
    print(json.dumps(uvloop.run(run)))
