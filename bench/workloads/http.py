"""The executor server over HTTP, and the Python client; each a process apart from its other end."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from bench.place import Place
from bench.process import cpu_seconds
from bench.rpc_wire import converse, load, request_bytes
from bench.workload import Figure, Measures, Of, Workload, at_least, on

CALLERS = (1, 32, 128)
CLIENTS = {"link": "aiohttp", "sync": "http.client"}
"""What our clients are measured beside: the same kind of calls over a bare HTTP library."""
SECONDS = 2.0
WARM_UP = 0.3
STORAGES = ("memory", "sqlite", "postgres")
BODY = b'{"json":{"taskId":"addOne","input":1}}'
_ENQUEUE, _GET = "/rpc/enqueueTask", "/rpc/getTaskExecution"


class Server(NamedTuple):
    port: int
    pid: int


async def measure(side: str, place: Place) -> Measures:
    if side in CLIENTS or side in CLIENTS.values():
        return of_client(side, place) if place.storage == "memory" else {}
    app = "executor" if side == "ours" else "echo"
    seconds = max(0.2, SECONDS * place.scale)
    measures: dict[str, float] = {}
    if place.storage == "memory":  # what a call costs without a task
        with serving("rpc" if side == "ours" else "echo", place) as server:
            run = repeated(server.port, request_bytes("/rpc/echo", BODY))
            for callers in CALLERS:
                measures |= await timed("echo", run, callers, seconds, server)
    with serving(app, place) as server:
        looking = request_bytes(_GET, asking_for(await enqueued(server.port)))
        for callers in CALLERS:
            for name, run in (
                ("enqueue", repeated(server.port, request_bytes(_ENQUEUE, BODY))),
                ("get", repeated(server.port, looking)),
                ("wait", waited(server.port)),
            ):
                measures |= await timed(name, run, callers, seconds, server)
    return measures


Run = Callable[[int, float], Awaitable[float]]


async def timed(name: str, run: Run, callers: int, seconds: float, server: Server) -> Measures:
    """Run for so long; give what was done a second, and the CPU time of the server for each."""
    await run(callers, min(WARM_UP, seconds))
    begun, cpu = time.perf_counter(), cpu_seconds(server.pid)
    rate = await run(callers, seconds)
    cpu, took = cpu_seconds(server.pid) - cpu, time.perf_counter() - begun
    return {f"{name}_{callers}": rate, f"{name}_cpu_{callers}": cpu / (rate * took) * 1e6}


def repeated(port: int, request: bytes) -> Run:
    """Return what sends the same request over and over, and gives requests a second."""

    async def run(callers: int, seconds: float) -> float:
        found, took, _ = await load(port, request, callers, seconds)
        return len(found) / took

    return run


def waited(port: int) -> Run:
    """Return what enqueues and asks until the task has ended, and gives tasks a second."""
    enqueue = request_bytes(_ENQUEUE, BODY)

    async def once(ask: Callable[[bytes], Awaitable[bytes]]) -> None:
        looking = request_bytes(_GET, asking_for(id_in(await ask(enqueue))))
        while (answer := await ask(looking)) and b'"completed"' not in answer:
            if b'"taskId":"addOne"' in answer and b'"status"' not in answer:
                return  # the floor: it echoes, so one look is what it costs

    async def run(callers: int, seconds: float) -> float:
        return await converse(port, once, callers, seconds)

    return run


def of_client(side: str, place: Place) -> Measures:
    measures = {}
    with serving("fixed", place) as server:
        for callers in CALLERS:
            command = [sys.executable, "-m", "bench.rpc_client", side]
            command += [str(server.port), str(callers), str(max(0.2, SECONDS * place.scale))]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
            found = json.loads(done.stdout)
            measures[f"calls_{callers}"] = found["per_second"]
            measures[f"cpu_{callers}"] = found["cpu_us"]
    return measures


@contextmanager
def serving(app: str, place: Place) -> Iterator[Server]:
    """Run a server in a process of its own."""
    command = [sys.executable, "-m", "bench.rpc_server", app, place.url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        yield Server(int(process.stdout.readline()), process.pid)
        process.stdin.close()


async def enqueued(port: int) -> str:
    """Enqueue a task, give it the time to end, and return its id."""
    _, _, answer = await load(port, request_bytes(_ENQUEUE, BODY), 1, 0.0)
    await asyncio.sleep(0.5)
    return id_in(answer)


def id_in(answer: bytes) -> str:
    found = json.loads(answer)["json"]
    return found if isinstance(found, str) else "te_" + "0" * 24  # the floor only echoes


def asking_for(execution_id: str) -> bytes:
    body = {"json": {"taskId": "addOne", "executionId": execution_id}}
    return json.dumps(body, separators=(",", ":")).encode()


def _figures(words: str, name: str, unit: str = "/s", ours: str = "ours") -> list[Figure]:
    bound = at_least(0.5 if ours in CLIENTS else 0.4)
    return [
        Figure(
            metric=f"{words}, {callers} {'callers' if callers > 1 else 'caller'}",
            unit=unit,
            ours=Of(ours, f"{name}_{callers}"),
            floor=Of(CLIENTS.get(ours, "floor"), f"{name}_{callers}"),
            goals=on(_asked_of(name, callers), bound) if unit == "/s" else {},
        )
        for callers in CALLERS
    ]


def _asked_of(name: str, callers: int) -> Sequence[str]:
    """One caller waits for one commit on the disk, which an echo does not make."""
    return ("memory",) if callers == 1 and name in ("enqueue", "wait") else STORAGES


WORKLOAD = Workload(
    number=5,
    title="HTTP, beside a bare ASGI echo under the same server, aiohttp and http.client",
    sides=("ours", "floor", *CLIENTS, *CLIENTS.values()),
    storages=STORAGES,
    measure=measure,
    figures=(
        *_figures("echo procedure", "echo"),
        *_figures("CPU of an echo procedure", "echo_cpu", "µs"),
        *_figures("enqueueTask", "enqueue"),
        *_figures("CPU of enqueueTask", "enqueue_cpu", "µs"),
        *_figures("getTaskExecution", "get"),
        *_figures("CPU of getTaskExecution", "get_cpu", "µs"),
        *_figures("enqueue and wait", "wait"),
        *_figures("RPCLink", "calls", ours="link"),
        *_figures("CPU of RPCLink", "cpu", "µs", ours="link"),
        *_figures("SyncLink", "calls", ours="sync"),
        *_figures("CPU of SyncLink", "cpu", "µs", ours="sync"),
    ),
)
