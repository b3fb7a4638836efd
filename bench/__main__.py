"""Run workloads, print the table, and write the results.

    python -m bench [--workloads 1,3] [--storages sqlite,postgres] [--rounds 5] [--scale 1]

See README.md here for how to read the table.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from bench.measure import measured
from bench.results import Results
from bench.storages import STORAGES, Storages
from bench.surroundings import surroundings
from bench.workload import Figure, Measures, Outcome, Workload, outcome_of
from bench.workloads import WORKLOADS

ROUNDS = 5


def main() -> None:
    arguments = parsed()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))  # so that servers are removed
    console = Console(width=None if os.isatty(1) else 150)
    every = surroundings(arguments.storages, rounds=arguments.rounds, scale=arguments.scale)
    results = Results(is_whole=arguments.scale == 1)
    with Storages() as storages:
        for number in arguments.workloads:
            workload = WORKLOADS[number]
            table = empty_table(workload)
            for storage in arguments.storages:
                if storage not in workload.storages:
                    continue
                rounds = measured_rounds(workload, storage, storages, arguments, console)
                lines = []
                for figure in workload.figures:
                    outcome = outcome_of(figure, rounds)
                    if outcome is not None:
                        table.add_row(*row(storage, figure, outcome))
                        lines.append({**line(number, storage, figure, outcome), **every})
                results.replace(number, storage, lines)
            if table.row_count:
                console.print(table)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.partition(".")[0])
    parser.add_argument("--workloads", type=numbers, default=sorted(WORKLOADS), metavar="1,3")
    parser.add_argument("--storages", type=names, default=list(STORAGES), metavar="sqlite,postgres")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="measurements of each side")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full size")
    parser.add_argument("--minutes", type=float, default=10.0, help="length of the soak")
    return parser.parse_args()


def numbers(text: str) -> list[int]:
    found = [int(each) for each in text.split(",")]
    if unknown := set(found) - set(WORKLOADS):
        raise argparse.ArgumentTypeError(f"no workload {unknown}, expected some of {[*WORKLOADS]}")
    return found


def names(text: str) -> list[str]:
    found = text.split(",")
    if unknown := set(found) - set(STORAGES):
        raise argparse.ArgumentTypeError(f"no storage {unknown}, expected some of {STORAGES}")
    return found


def measured_rounds(
    workload: Workload,
    storage: str,
    storages: Storages,
    arguments: argparse.Namespace,
    console: Console,
) -> Sequence[dict[str, Measures]]:
    """Measure all sides in turns: a slow minute of the machine slows all of them."""
    rounds: list[dict[str, Measures]] = []
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("")
        every = workload.rounds or arguments.rounds
        for number in range(every):
            rounds.append({})
            sides = workload.sides if number % 2 == 0 else workload.sides[::-1]
            for side in sides:
                words = f"{workload.title}: {storage}, {side}, {number + 1} of {every}"
                progress.update(bar, description=words)
                with storages.place(
                    storage,
                    scale=arguments.scale,
                    minutes=arguments.minutes,
                    needs_extensions=workload.needs_extensions,
                ) as place:
                    rounds[-1][side] = measured(workload.number, side, place)
    return rounds


def empty_table(workload: Workload) -> Table:
    table = Table(title=f"{workload.number}. {workload.title}", title_justify="left", expand=True)
    for heading in ("storage", "metric"):
        table.add_column(heading, ratio=None if heading == "storage" else 1)
    for heading in ("ours", "floor", "ratio", "of rounds", "goal"):
        table.add_column(heading, justify="right")
    return table


def row(storage: str, figure: Figure, outcome: Outcome) -> list[str]:
    goal, words = figure.goals.get(storage), ""
    if goal is not None:
        is_met = goal.is_met(outcome.ratio)
        words = f"[{'green' if is_met else 'red'}]{goal} {'✓' if is_met else '✗'}[/]"
    return [
        storage,
        figure.metric,
        f"{shown(outcome.ours)} {figure.unit}",
        f"{shown(outcome.floor)} {figure.unit}",
        f"{outcome.ratio:.2f}",
        f"{outcome.lowest:.2f} to {outcome.highest:.2f}",
        words,
    ]


def line(number: int, storage: str, figure: Figure, outcome: Outcome) -> dict[str, object]:
    """Return what is kept of a figure."""
    goal = figure.goals.get(storage)
    return {
        "workload": number,
        "storage": storage,
        "metric": figure.metric,
        "unit": figure.unit,
        "ours": outcome.ours,
        "floor": outcome.floor,
        "ratio": outcome.ratio,
        "lowest": outcome.lowest,
        "highest": outcome.highest,
        "goal": None if goal is None else str(goal),
        "ok": None if goal is None else goal.is_met(outcome.ratio),
    }


def shown(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    main()
