"""Write the page about speed from what was last measured.

`python docs/generate_performance.py` writes `docs/performance.md` from the results of `make bench`,
`make bench-profile` and `make bench-peers` in `bench/results`; no number there is typed by hand.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

PAGE: Final = Path(__file__).with_name("performance.md")
RESULTS: Final = Path(__file__).parents[1] / "bench" / "results"
Line = dict[str, Any]

_STORAGES: Final = ("memory", "sqlite", "sqlite-normal", "postgres", "mariadb")
_TITLES: Final = {
    1: "20,000 tasks, 2,000 callers that wait for the results, one process",
    2: "20,000 tasks enqueued, then drained by fresh executors",
    3: "Idle latency: enqueue to result, one task at a time",
    4: "Trees, sequences and loops",
    5: "Over HTTP, server and load generator as separate processes",
    6: "Growth: a million rows, and payloads",
    7: "Nothing to do",
    8: "Plain functions in threads",
    9: "Soak: minutes at half of the maximum",
}
_INTRODUCTION: Final = """\
# Speed

<!-- Written by docs/generate_performance.py from bench/results; do not edit. -->

Every figure stands beside a *floor* that was measured in the same minute on the same server: the
least code that makes a task durable there, or what the table names. Ratios hold from machine to
machine, absolute numbers do not. Every commit is on disk before it counts, except for
`sqlite-normal`. [bench/README.md](../bench/README.md) says what happens in each workload.
"""
_WORKS: Final = {
    "tasks": "A task of workload 1",
    "enqueueTask": "`enqueueTask`, 32 callers of a server",
    "getTaskExecution": "`getTaskExecution`, 32 callers of a server",
    "functions in threads": "A plain function of workload 8",
}
_NEXT: Final = """\
### What is left, and what would make it less

- **The engine** takes most of it, and no function stands out: some ninety calls of Python for a
  task, and two futures that wake its caller. Fewer calls make it less, one by one.
- **SQLite** spends the time of its thread in four B-trees for each insert, and in rows that grow
  when they complete. Fewer indexes mean slower lists.
- **MySQL and MariaDB** spend it in the server, on nine indexes and four generated columns: 20 µs
  for an insert, 12 with the primary key and one more. One index for what is ready, joinable,
  asleep or failed, which a row is one of at a time, would spare 3 µs.
- **Drained by two processes** from one PostgreSQL or SQLite on two cores: the processes do not meet
  over rows (28 claims for 20,000 tasks), they and the server want the same cores.
- **1,000 parents at once on PostgreSQL** fill the room of their executor, so that most children are
  claimed after all; and a parent reads its children with all their columns before its finalize
  task. A narrow read would be the next step.
- **Over HTTP** an echo procedure takes 42 µs of CPU where the bare server takes 20, an
  `enqueueTask` 67: some 270 calls of Python, none of which stands out. PostgreSQL adds 20, of which
  the driver takes half. A server with more than one core to itself runs several processes; who has
  many tasks to enqueue calls `enqueueTasks`.
- **Plain functions in threads** stand beside a pool that writes nothing down, at 45 µs a task. A
  coroutine takes 15 to 25 µs in all here, and the way to a thread and back 10; the rest is threads
  and event loop handing over the interpreter's lock. Next: no task of asyncio for a plain function.
- **A million ready rows in PostgreSQL**: what a dead executor ran, or one that has just shut down,
  is looked for among all rows, twice 170 ms for a million, because an index of what runs would make
  every finish dearer ([why](decisions/0008-postgresql-by-asyncpg.md)). An executor that knows that
  it holds nothing could spare others that. The first claim steps over all rows of other releases
  that are due, 150 ms for a million.
- **The soak** keeps each task for a minute, so that as many rows are deleted as are inserted.
  Pruning and autovacuum find their pace late on two busy cores: rows and dead rows grow at first,
  while latency, memory and bytes a row do not. Tables by time, dropped whole, would need neither.
"""


def render(lines: Sequence[Line], profile: Sequence[Line], peers: Sequence[Line]) -> str:
    """Return the page."""
    return "\n".join(_sections(lines, profile, peers)).rstrip() + "\n"


def _sections(
    lines: Sequence[Line], profile: Sequence[Line], peers: Sequence[Line]
) -> Iterator[str]:
    yield _INTRODUCTION
    if lines:
        yield from _conditions(lines)
    for number, title in _TITLES.items():
        found = [line for line in lines if line["workload"] == number]
        if found:
            yield f"## {number}. {title}\n\n    make bench WORKLOADS={number}\n"
            yield "| storage | metric | ours | floor | ratio | goal |\n|---|---|---:|---:|---:|---|"
            yield from map(_row, sorted(found, key=lambda line: _STORAGES.index(line["storage"])))
            yield ""
    if profile:
        yield from _profile(profile)
    if peers:
        yield from _peers(peers)


def _conditions(lines: Sequence[Line]) -> Iterator[str]:
    machine, versions = lines[0]["machine"], {}
    for line in lines:
        versions.update(line["versions"])
    asked = [line for line in lines if line["goal"] is not None]
    loads = [line["machine"]["load_at_start"] for line in lines]
    rounds = {line["settings"]["rounds"] for line in lines}
    yield (
        f"Measured on {_span(line['date'] for line in lines)}, {machine['cores']} cores of "
        f"{machine['cpu']} shared by server and client, {machine['memory_gb']} GB, "
        f"{machine['system']}; medians of {_span(rounds)} rounds. The load of the machine when the "
        f"runs began was {_span(loads)}: above 0.5 it was not at rest, and the figures are worse "
        f"and less steady than they would be.\n"
    )
    commits = sorted({line["versions"]["commit"] for line in lines})
    named = ", ".join(f"{name} {version}" for name, version in versions.items() if name != "commit")
    yield f"Commit {', '.join(commits)}; {named}.\n"
    yield f"{sum(bool(line['ok']) for line in asked)} of {len(asked)} goals are met.\n"


def _span(values: Any) -> str:
    ordered = sorted(set(values))
    return f"{ordered[0]}" if len(ordered) == 1 else f"{ordered[0]} to {ordered[-1]}"


def _row(line: Line) -> str:
    goal = "" if line["goal"] is None else f"{line['goal']} {'✓' if line['ok'] else '✗'}"
    ours, floor = (f"{_shown(line[name])} {line['unit']}" for name in ("ours", "floor"))
    cells = (line["storage"], line["metric"], ours, floor, f"{line['ratio']:.2f}", goal)
    return f"| {' | '.join(cells)} |"


def _shown(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _profile(lines: Sequence[Line]) -> Iterator[str]:
    yield (
        "## Where the time goes\n\n    make bench-profile\n\n"
        "Looked at some hundred times a second. A look counts for the innermost function of this "
        "library, a driver, the HTTP server or the benchmark's callers; what C code does counts "
        "for who called it. The time of a database's server is not in it.\n"
    )
    for work, what in _WORKS.items():
        of_work = [line for line in lines if line["work"] == work]
        if of_work:
            yield f"### {what}\n"
            yield from _shares(of_work)
    yield _NEXT


def _shares(lines: Sequence[Line]) -> Iterator[str]:
    yield f"| part | {' | '.join(line['storage'] for line in lines)} |"
    yield f"|---|{'---:|' * len(lines)}"
    for room in dict.fromkeys(room for line in lines for room in line["rooms"]):
        shares = (100 * line["rooms"].get(room, 0.0) for line in lines)
        yield f"| {room} | {' | '.join(f'{share:.0f} %' for share in shares)} |"
    yield "\nThe most expensive functions:\n"
    for line in lines:
        named = (f"`{name}` {100 * share:.0f} %" for name, share in line["functions"].items())
        yield f"- {line['storage']}: {', '.join(named)}"
    yield ""


def _peers(lines: Sequence[Line]) -> Iterator[str]:
    first = lines[0]
    yield (
        "## Beside others\n\n    make bench-peers\n\n"
        "The same work, in the same run, each with its best reasonable settings: tasks that add "
        "one are enqueued, the fastest way there is, then drained by one worker process, then "
        f"waited for one at a time. Medians of {first['rounds']} rounds, {first['date']}, load of "
        f"the machine at the start {first['load_at_start']}. PostgreSQL and SQLite commit to the "
        "disk; Redis keeps everything in memory and loses it with the power.\n"
    )
    yield "| system | tasks | enqueued/s | drained/s | idle latency p50 | results | after a crash |"
    yield "|---|---:|---:|---:|---:|---|---|"
    for line in sorted(lines, key=lambda each: -float(each["drained"])):
        latency = "" if line["latency_ms"] is None else f"{_shown(line['latency_ms'])} ms"
        yield (
            f"| {line['system']} | {line['tasks']:,} | {_shown(line['enqueued'])} "
            f"| {_shown(line['drained'])} | {latency} | {line['results']} | {line['durability']} |"
        )


def read(name: str) -> list[Line]:
    """Return the lines of a file of results."""
    path = RESULTS / name
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return [json.loads(each) for each in text.splitlines()]


if __name__ == "__main__":
    PAGE.write_text(
        render(read("latest.jsonl"), read("profile.jsonl"), read("peers.jsonl")), encoding="utf-8"
    )
