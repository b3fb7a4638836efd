"""Runs seeds from the command line: `python -m tests.simulation --first 0 --seeds 1000`."""

from __future__ import annotations

import argparse
import sys
import time

from tests.simulation.simulation import SimulationError, simulate


def main() -> int:
    """Run the seeds asked for; return how many broke a promise."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--seeds", type=int, default=1000, help="how many seeds")
    parser.add_argument("--events", type=int, default=60, help="events to show of a failed run")
    parser.add_argument("--keep-going", action="store_true", help="do not stop at a failure")
    arguments = parser.parse_args()
    began = time.monotonic()
    failed = events = executions = 0
    for seed in range(arguments.first, arguments.first + arguments.seeds):
        try:
            report = simulate(seed, kept=arguments.events)
        except SimulationError as error:
            failed += 1
            sys.stderr.write(f"{error}\n")
            if not arguments.keep_going:
                break
        else:
            events += report.events
            executions += report.executions
    took = time.monotonic() - began
    done = seed - arguments.first + 1
    sys.stdout.write(
        f"{done} seeds in {took:.1f} s ({done / took:.0f} a second): "
        f"{executions} executions, {events} events, {failed} failed\n"
    )
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
