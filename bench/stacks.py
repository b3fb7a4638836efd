"""Where the time of one task goes: `make bench-profile`.

    python -m bench.stacks [--storages sqlite,postgres] [--scale 5]

Workload 1 runs under py-spy, which looks at the stacks of the process some hundred times a second.
So do plain functions in threads (workload 8) and a server that is asked for one thing over and over
(workload 5), on the storages that a server is measured with. Each look counts for the innermost
function of ours, of a driver, of the HTTP server, or of the event loop; what C code does counts for
who called it. The server of a database is another process, and is not looked at.

The process is not paused for a look. A pause comes about with the next system call, and a function
that makes one would seem to take several times what it does.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
from rich.console import Console
from rich.table import Table

from bench.place import Place
from bench.results import LATEST
from bench.rpc_wire import load, request_bytes
from bench.storages import STORAGES, Storages
from bench.workloads import http

PROFILE: Final = LATEST.with_name("profile.jsonl")
LOOKS_PER_SECOND: Final = 200
FUNCTIONS: Final = 8
"""How many of the most expensive functions are named."""
THREADS_SCALE: Final = 4.0
"""Times 10,000 functions."""
CALLERS: Final = 32
SECONDS: Final = 6.0
"""How long a server is looked at."""
ROOMS: Final = {
    "/durable_execution/_core/": "state machine",
    "/durable_execution/_codec/": "payloads",
    "/durable_execution/_engine/": "engine",
    "/durable_execution/storage/": "storage",
    "/durable_execution/orpc/": "oRPC",
    "/durable_execution/": "doors",
    "/uvicorn/": "HTTP server",
    "/bench/": "callers",
    "/asyncpg/": "driver",
    "/asyncmy/": "driver",
    "/sqlite3/": "driver",
}
LOOP: Final = "event loop and the rest"
WAITING: Final = frozenset({"wait", "_worker", "get", "pause", "acquire"})
"""Functions that do nothing but wait, in threads that have nothing to do."""


class Profile(NamedTuple):
    """Shares of all looks."""

    looks: int
    rooms: dict[str, float]
    functions: dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.stacks")
    parser.add_argument("--storages", default=",".join(STORAGES))
    parser.add_argument("--scale", type=float, default=8.0, help="times 20,000 tasks")
    arguments = parser.parse_args()
    tool = shutil.which("py-spy", path=f"{Path(sys.executable).parent}:/usr/bin:/usr/local/bin")
    if tool is None:
        sys.exit("py-spy is needed: pip install py-spy")
    found: dict[tuple[str, str], Profile] = {}
    with Storages() as storages:
        for storage in arguments.storages.split(","):
            for work, look in WORKS.items():
                if work != TASKS and storage not in http.STORAGES:
                    continue
                with storages.place(storage, scale=arguments.scale, minutes=1) as place:
                    found[work, storage] = look(tool, place)
    lines = []
    for work in WORKS:
        of_work = {storage: each for (what, storage), each in found.items() if what == work}
        lines += [{"work": work, "storage": at, **each._asdict()} for at, each in of_work.items()]
        if of_work:
            Console().print(table_of(work, of_work))
    PROFILE.parent.mkdir(exist_ok=True)
    PROFILE.write_text("".join(f"{json.dumps(line)}\n" for line in lines))


def of_tasks(tool: str, place: Place) -> Profile:
    """Run workload 1 once, and return where it was seen."""
    return of_workload(1, tool, place)


def of_threads(tool: str, place: Place) -> Profile:
    """Run workload 8 once, and return where it was seen."""
    return of_workload(8, tool, msgspec.structs.replace(place, scale=THREADS_SCALE))


def of_workload(number: int, tool: str, place: Place) -> Profile:
    with tempfile.TemporaryDirectory(prefix="durable-bench-") as folder:
        stacks = Path(folder) / "stacks"
        command = [*looking(tool, stacks), "--"]
        command += [sys.executable, "-m", "bench.measure", str(number), "ours"]
        command.append(msgspec.json.encode(place).decode())
        subprocess.run(command, check=True, capture_output=True)
        return profile_of(stacks.read_text())


def of_enqueues(tool: str, place: Place) -> Profile:
    """Have a server enqueue for some seconds, and return where it was seen."""
    with http.serving("executor", place) as server:
        return of_server(server, request_bytes("/rpc/enqueueTask", http.BODY), tool)


def of_looks(tool: str, place: Place) -> Profile:
    """Ask a server for an execution for some seconds, and return where it was seen."""
    with http.serving("executor", place) as server:
        asked = http.asking_for(asyncio.run(http.enqueued(server.port)))
        return of_server(server, request_bytes("/rpc/getTaskExecution", asked), tool)


def of_server(server: http.Server, request: bytes, tool: str) -> Profile:
    with tempfile.TemporaryDirectory(prefix="durable-bench-") as folder:
        stacks = Path(folder) / "stacks"
        command = [*looking(tool, stacks), "--pid", str(server.pid), "--duration", f"{SECONDS:.0f}"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as looks:
            asyncio.run(load(server.port, request, CALLERS, SECONDS + 1))
            _, said = looks.communicate()
        if looks.returncode:
            sys.exit(f"py-spy cannot look at a process that runs already: {said.decode()}")
        return profile_of(stacks.read_text())


def looking(tool: str, stacks: Path) -> list[str]:
    """Return the command that looks and writes what it has seen."""
    command = [tool, "record", "--nonblocking", "--format", "raw", "--full-filenames"]
    return [*command, "--rate", str(LOOKS_PER_SECOND), "--output", str(stacks)]


TASKS: Final = "tasks"
WORKS: Final = {
    TASKS: of_tasks,
    "enqueueTask": of_enqueues,
    "getTaskExecution": of_looks,
    "functions in threads": of_threads,
}


def profile_of(stacks: str) -> Profile:
    """Count looks by room and by function, leaving out what came before the first task."""
    rooms: Counter[str] = Counter()
    functions: Counter[str] = Counter()
    for frames, looks in _looks(stacks):
        room, function = _place_of(frames)
        rooms[room] += looks
        functions[function] += looks
    every = rooms.total()
    return Profile(
        looks=every,
        rooms={name: looks / every for name, looks in rooms.most_common()},
        functions={name: looks / every for name, looks in functions.most_common(FUNCTIONS)},
    )


def _looks(stacks: str) -> Iterator[tuple[list[str], int]]:
    for line in stacks.splitlines():
        stack, _, looks = line.rpartition(" ")
        frames = stack.split(";")
        is_starting = any("importlib" in frame for frame in frames)
        function = frames[-1].partition(" (")[0].rpartition(".")[2]
        if not is_starting and function not in WAITING:
            yield frames, int(looks)


def _place_of(frames: list[str]) -> tuple[str, str]:
    """Return the room and the function of the innermost frame that has a room."""
    for frame in reversed(frames):
        name, _, place = frame.partition(" (")
        for part, room in ROOMS.items():
            if part in place:
                module = Path(place.partition(":")[0]).stem
                return room, f"{module}.{name}"
    return LOOP, LOOP


def table_of(work: str, found: dict[str, Profile]) -> Table:
    table = Table(title=f"Where the time goes, in percent: {work}")
    table.add_column("")
    for storage in found:
        table.add_column(storage, justify="right")
    rooms = dict.fromkeys([*ROOMS.values(), LOOP])
    for room in rooms:
        shares = (each.rooms.get(room, 0.0) for each in found.values())
        table.add_row(room, *(f"{100 * share:.0f}" for share in shares))
    return table


if __name__ == "__main__":
    main()
