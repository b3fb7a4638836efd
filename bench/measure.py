"""One measurement of one side, in this process and on this storage.

python -m bench.measure WORKLOAD SIDE PLACE
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys

import msgspec
from uvloop import new_event_loop

from bench.place import Place
from bench.workload import Measures
from bench.workloads import WORKLOADS


def measured(workload: int, side: str, place: Place) -> Measures:
    """Measure in a new process, so that no side inherits another's memory."""
    command = [sys.executable, "-m", "bench.measure", str(workload), side]
    done = subprocess.run(
        [*command, msgspec.json.encode(place).decode()], check=True, stdout=subprocess.PIPE
    )
    measures: Measures = json.loads(done.stdout.splitlines()[-1])
    return measures


def main() -> None:
    number, side, place = sys.argv[1:]
    workload = WORKLOADS[int(number)]
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        measures = runner.run(workload.measure(side, msgspec.json.decode(place, type=Place)))
    print(json.dumps(measures))


if __name__ == "__main__":
    main()
