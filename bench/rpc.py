"""Workload 5: calls over HTTP, beside a bare ASGI echo and the bare HTTP library.

    python -m bench.rpc [--seconds 2] [--rounds 5] [--concurrency 1 32 128] [--only server|client]

Server and load generator are processes of their own. See README.md here for how to read the table.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvloop
from rich.console import Console
from rich.table import Table

from bench.results import Line, Results
from bench.rpc_wire import load, request_bytes
from bench.surroundings import surroundings

NUMBER = 5
STORAGE = "memory"
SERVER_GOAL = 0.4
CLIENT_GOAL = 0.5
WHOLE = (2.0, 5)
"""Seconds and rounds of a run whose results are kept."""
BODY = b'{"json":{"taskId":"addOne","input":1}}'


@dataclass
class Measure:
    """One subject under load for a moment."""

    per_second: float
    p50_ms: float
    cpu_us: float
    """CPU time for each request, of the process that is measured."""


@dataclass
class Pair:
    """What is compared: our side and the floor, asked for the same."""

    workload: str
    ours: str
    floor: str
    goal: float
    is_client: bool = False


PAIRS = [
    Pair("an echo procedure", "rpc /rpc/echo", "echo /rpc/echo", SERVER_GOAL),
    *(
        Pair(name, f"executor /rpc/{name}", f"echo /rpc/{name}", SERVER_GOAL)
        for name in ("enqueueTask", "getTaskExecution")
    ),
    Pair("RPCLink", "link", "aiohttp", CLIENT_GOAL, is_client=True),
    Pair("SyncLink", "sync", "aiohttp", CLIENT_GOAL, is_client=True),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=WHOLE[0])
    parser.add_argument("--rounds", type=int, default=WHOLE[1])
    parser.add_argument("--concurrency", type=int, nargs="+", default=[1, 32, 128])
    parser.add_argument("--only", choices=["server", "client"])
    arguments = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 130)
    shared = surroundings([STORAGE], rounds=arguments.rounds, scale=arguments.seconds / WHOLE[0])
    pairs = [
        pair for pair in PAIRS if arguments.only in (None, "client" if pair.is_client else "server")
    ]
    table = empty_table()
    lines: list[Line] = []
    for pair in pairs:
        for concurrency in arguments.concurrency:
            console.print(f"{pair.workload}, {concurrency} callers", style="dim")
            rounds = [
                measured(pair, concurrency, arguments.seconds, is_even=number % 2 == 0)
                for number in range(arguments.rounds)
            ]
            line, row = outcome(pair, concurrency, rounds)
            lines.append({**line, **shared})
            table.add_row(*row)
    is_whole = pairs == PAIRS and (arguments.seconds, arguments.rounds) >= WHOLE
    Results(is_whole=is_whole).replace(NUMBER, STORAGE, lines)
    console.print(table)


def empty_table() -> Table:
    table = Table(title="5. Calls over HTTP, in memory", title_justify="left")
    table.add_column("")
    headings = (
        "callers",
        "ours/s",
        "floor/s",
        "ratio",
        "of rounds",
        "goal",
        "p50 ms",
        "CPU µs, both",
    )
    for heading in headings:
        table.add_column(heading, justify="right")
    return table


def measured(
    pair: Pair, concurrency: int, seconds: float, *, is_even: bool
) -> tuple[Measure, Measure]:
    """Ours and the floor, in turns: a slow minute of the machine slows both of them."""
    if is_even:
        ours = measure(pair.ours, concurrency, seconds)
        return ours, measure(pair.floor, concurrency, seconds)
    floor = measure(pair.floor, concurrency, seconds)
    return measure(pair.ours, concurrency, seconds), floor


def measure(subject: str, concurrency: int, seconds: float) -> Measure:
    """Measure a server under the raw load, or a client process against the raw server."""
    if "/" not in subject:
        return measure_client(subject, concurrency, seconds)
    app, _, path = subject.partition(" ")
    with serving(app) as server:
        return uvloop.run(measure_server(server, path, concurrency, seconds))


async def measure_server(server: Server, path: str, concurrency: int, seconds: float) -> Measure:
    body = BODY
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


def outcome(
    pair: Pair, concurrency: int, rounds: list[tuple[Measure, Measure]]
) -> tuple[Line, list[str]]:
    """What is kept of the rounds, and what is shown of them."""
    ours = statistics.median(mine.per_second for mine, _ in rounds)
    floor = statistics.median(other.per_second for _, other in rounds)
    ratios = [mine.per_second / other.per_second for mine, other in rounds]
    ratio = statistics.median(ratios)
    is_met = ratio >= pair.goal
    line = {
        "workload": NUMBER,
        "storage": STORAGE,
        "metric": f"{pair.workload}, {concurrency} callers",
        "unit": "calls/s",
        "ours": ours,
        "floor": floor,
        "ratio": ratio,
        "lowest": min(ratios),
        "highest": max(ratios),
        "goal": f"≥ {pair.goal:g}",
        "ok": is_met,
    }
    cpu = [statistics.median(each[side].cpu_us for each in rounds) for side in (0, 1)]
    row = [
        pair.workload,
        str(concurrency),
        f"{ours:,.0f}",
        f"{floor:,.0f}",
        f"{ratio:.2f}",
        f"{min(ratios):.2f} to {max(ratios):.2f}",
        f"[{'green' if is_met else 'red'}]≥ {pair.goal:g} {'✓' if is_met else '✗'}[/]",
        f"{statistics.median(mine.p50_ms for mine, _ in rounds):.2f}",
        f"{cpu[0]:.0f}, {cpu[1]:.0f}",
    ]
    return line, row


if __name__ == "__main__":
    main()
