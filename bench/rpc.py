"""Calls per second over HTTP, beside the bare server and the bare HTTP library.

    python -m bench.rpc [--seconds 2] [--rounds 5] [--concurrency 1 32 128] [--only server|client]

Server and load generator are processes of their own. See README.md here for how to read the table.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvloop
from rich.console import Console
from rich.table import Table

from bench.rpc_wire import load, request_bytes

RESULTS = Path(__file__).parent / "results" / "latest.jsonl"
SERVER_GOAL = 0.4
CLIENT_GOAL = 0.5
ECHO_BODY = b'{"json":{"taskId":"addOne","input":1}}'


@dataclass
class Measure:
    """One subject under load for a moment."""

    per_second: float
    p50_ms: float
    cpu_us: float  # of the process that is measured, for each request


@dataclass
class Pair:
    """What is compared: our side and the floor, the same request to both where it can be."""

    workload: str
    ours: str
    floor: str
    goal: float


SERVER_PAIRS = [
    Pair("echo procedure", "rpc /rpc/echo", "echo /rpc/echo", SERVER_GOAL),
    Pair("enqueueTask", "executor /rpc/enqueueTask", "echo /rpc/enqueueTask", SERVER_GOAL),
    Pair(
        "getTaskExecution",
        "executor /rpc/getTaskExecution",
        "echo /rpc/getTaskExecution",
        SERVER_GOAL,
    ),
]
CLIENT_PAIRS = [
    Pair("RPCLink", "link", "aiohttp", CLIENT_GOAL),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--concurrency", type=int, nargs="+", default=[1, 32, 128])
    parser.add_argument("--only", choices=["server", "client"])
    parser.add_argument("--workload", nargs="+", default=None)
    arguments = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 130)
    console.print(
        f"Python {platform.python_version()}, uvloop {uvloop.__version__}, {os.cpu_count()} CPUs, "
        f"load {os.getloadavg()[0]:.1f}"
    )
    pairs: list[Pair] = []
    if arguments.only != "client":
        pairs += SERVER_PAIRS
    if arguments.only != "server":
        pairs += CLIENT_PAIRS
    if arguments.workload:
        pairs = [pair for pair in pairs if pair.workload in arguments.workload]
    table = Table(title="Medians; ratios are medians of the ratios within a round")
    for title in (
        "",
        "callers",
        "ours/s",
        "floor/s",
        "ratio",
        "goal",
        "p50 ms",
        "CPU µs ours/floor",
    ):
        table.add_column(title, justify="right")
    for pair in pairs:
        for concurrency in arguments.concurrency:
            rounds = [
                (
                    measure(pair.ours, concurrency, arguments.seconds),
                    measure(pair.floor, concurrency, arguments.seconds),
                )
                for _ in range(arguments.rounds)  # A B A B: a slow minute slows both down
            ]
            table.add_row(*report(pair, concurrency, rounds))
    console.print(table)


def measure(subject: str, concurrency: int, seconds: float) -> Measure:
    """Measure a server under the raw load, or a client process against the raw server."""
    if "/" not in subject:
        return measure_client(subject, concurrency, seconds)
    app, _, path = subject.partition(" ")
    with serving(app) as server:
        return uvloop.run(measure_server(server, path, concurrency, seconds))


async def measure_server(server: Server, path: str, concurrency: int, seconds: float) -> Measure:
    body = ECHO_BODY
    if path.endswith("getTaskExecution"):
        _, _, answer = await load(server.port, request_bytes("/rpc/enqueueTask", body), 1, 0.0)
        execution_id = json.loads(answer)["json"]
        if not isinstance(execution_id, str):
            execution_id = "0" * 26  # the floor only echoes
        body = json.dumps(
            {"json": {"taskId": "addOne", "executionId": execution_id}}, separators=(",", ":")
        ).encode()
    request = request_bytes(path, body)
    await load(server.port, request, concurrency, min(0.3, seconds / 4))  # warm
    before = cpu_seconds(server.pid)
    latencies, took, _ = await load(server.port, request, concurrency, seconds)
    spent = cpu_seconds(server.pid) - before
    return Measure(
        len(latencies) / took,
        statistics.median(latencies) * 1000,
        spent / len(latencies) * 1e6,
    )


def measure_client(subject: str, concurrency: int, seconds: float) -> Measure:
    with serving("fixed") as server:
        command = [sys.executable, "-m", "bench.rpc_client", subject]
        command += [str(server.port), str(concurrency), str(seconds)]
        output = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
        return Measure(**json.loads(output))


@dataclass
class Server:
    port: int
    pid: int


@contextmanager
def serving(app: str) -> Iterator[Server]:
    command = [sys.executable, "-m", "bench.rpc_server", app]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        yield Server(int(process.stdout.readline()), process.pid)
        process.stdin.close()


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def report(pair: Pair, concurrency: int, rounds: list[tuple[Measure, Measure]]) -> list[str]:
    ours = statistics.median(each.per_second for each, _ in rounds)
    floor = statistics.median(each.per_second for _, each in rounds)
    ratio = statistics.median(mine.per_second / other.per_second for mine, other in rounds)
    cpu = [statistics.median(each[side].cpu_us for each in rounds) for side in (0, 1)]
    line = {
        "workload": f"rpc: {pair.workload}",
        "storage": "memory",
        "metric": f"requests/s, {concurrency} callers",
        "ours": round(ours),
        "floor": round(floor),
        "ratio": round(ratio, 3),
        "goal": pair.goal,
        "ok": ratio >= pair.goal,
        "at": round(time.time()),
        "machine": f"{platform.machine()}, {os.cpu_count()} CPUs",
        "versions": {"python": platform.python_version(), "uvloop": uvloop.__version__},
        "settings": {"rounds": len(rounds), "callers": concurrency},
    }
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("a") as file:
        file.write(json.dumps(line) + "\n")
    p50 = statistics.median(each.p50_ms for each, _ in rounds)
    return [
        pair.workload,
        str(concurrency),
        f"{ours:,.0f}",
        f"{floor:,.0f}",
        f"{ratio:.2f}",
        f"{pair.goal}",
        f"{p50:.2f}",
        f"{cpu[0]:.0f}/{cpu[1]:.0f}",
    ]


if __name__ == "__main__":
    main()
