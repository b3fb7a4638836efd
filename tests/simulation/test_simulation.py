from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import msgspec
import pytest

from durable_execution._core.patch import Guard, Transition
from durable_execution.storage.protocol import Applied, Pulse
from tests.simulation.database import Database
from tests.simulation.simulation import SimulationError, simulate
from tests.simulation.virtual_time import World

SEEDS = 1000
CHUNK = 50


@pytest.mark.timeout(600)
def test_every_promise_is_kept() -> None:
    chunks = [range(first, first + CHUNK) for first in range(0, SEEDS, CHUNK)]
    # Processes of their own: a seed's run is one thread at work.
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as processes:
        for executions, started in processes.map(run_seeds, chunks):
            assert executions > CHUNK
            assert started > CHUNK


def run_seeds(seeds: range) -> tuple[int, int]:
    """Return how many executions and processes there were."""
    reports = [simulate(seed) for seed in seeds]
    return sum(each.executions for each in reports), sum(each.processes for each in reports)


def test_the_same_seed_is_the_same_run() -> None:
    assert [simulate(seed) for seed in range(5)] == [simulate(seed) for seed in range(5)]


def test_the_same_seed_is_the_same_run_in_another_process() -> None:
    source = (
        "from tests.simulation.simulation import simulate\n"
        "print(*(simulate(seed).digest for seed in range(5)))"
    )
    command = [sys.executable, "-c", source]
    environment = {"PYTHONHASHSEED": "77", "PYTHONPATH": ":".join(sys.path)}
    output = subprocess.run(command, env=environment, capture_output=True, check=True, text=True)
    assert output.stdout.split() == [simulate(seed).digest for seed in range(5)]


def test_seeds_differ() -> None:
    assert len({simulate(seed).digest for seed in range(20)}) == 20


class Forgetful(Database):
    """Answers every tenth insert without doing it."""

    inserts = 0

    def execute(self, verb: str, *args: Any, **kwargs: Any) -> Any:
        self.inserts += verb == "insert"
        if verb == "insert" and self.inserts % 10 == 5:
            return None
        return super().execute(verb, *args, **kwargs)


class Unguarded(Database):
    """Looks at the id of a guard alone."""

    def execute(self, verb: str, *args: Any, **kwargs: Any) -> Any:
        if verb != "apply":
            return super().execute(verb, *args, **kwargs)
        return super().execute(verb, [self._weakened(each) for each in args[0]])

    def _weakened(self, transition: Transition) -> Transition:
        row = self.shelf.get(transition.guard.execution_id)
        assert row is not None
        guard = Guard(row.execution_id, row.status, row.fence)
        return msgspec.structs.replace(transition, guard=guard)


class Uncounted(Database):
    """Never counts a child off."""

    def execute(self, verb: str, *args: Any, **kwargs: Any) -> Any:
        if verb == "apply":
            args = ([msgspec.structs.replace(each, counts_off=None) for each in args[0]],)
        return super().execute(verb, *args, **kwargs)


class Halved(Database):
    """Lets parents go on with the end of a step, and forgets the next one."""

    def execute(self, verb: str, *args: Any, **kwargs: Any) -> Any:
        if verb == "apply":
            args = ([self._halved(each) for each in args[0]],)
        return super().execute(verb, *args, **kwargs)

    def _halved(self, transition: Transition) -> Transition:
        if transition.joins is None:
            return transition
        joins = msgspec.structs.replace(transition.joins, children=())
        return msgspec.structs.replace(transition, joins=joins)


class Silent(Database):
    """Never says which parents became joinable, and finds none left over."""

    def execute(self, verb: str, *args: Any, **kwargs: Any) -> Any:
        result = super().execute(verb, *args, **kwargs)
        if verb == "joinable":
            return []
        return Applied(matched=result.matched) if isinstance(result, Applied) else result


class Blind(Database):
    """Never notices that an executor died."""

    def execute(self, verb: str, *args: Any, **kwargs: Any) -> Any:
        result = super().execute(verb, *args, **kwargs)
        if isinstance(result, Pulse):
            return msgspec.structs.replace(result, found_dead=False)
        return [] if verb == "orphans" else result


class Credulous(Database):
    """Lets executors start what has a key, whoever holds that."""

    def execute(self, verb: str, *args: Any, **kwargs: Any) -> Any:
        result = super().execute(verb, *args, **kwargs)
        if verb == "insert_claimed" and any(row.idempotency_key for row in args[0]):
            return True
        return result


class Heedless(Database):
    """Keeps nothing of the attempts before the last one."""

    def execute(self, verb: str, *args: Any, **kwargs: Any) -> Any:
        result = super().execute(verb, *args, **kwargs)
        self._storage._past.clear()
        return result


@pytest.mark.parametrize(
    "broken", [Forgetful, Unguarded, Uncounted, Halved, Silent, Blind, Credulous, Heedless]
)
def test_a_broken_database_is_found_out(broken: Callable[[World], Database]) -> None:
    with pytest.raises(SimulationError) as found:
        _simulate_many(100, broken)
    assert f"make simulate SEEDS=1 FIRST={found.value.seed}" in str(found.value)
    assert "the last events:" in str(found.value)


def _simulate_many(seeds: int, new_database: Callable[[World], Database]) -> None:
    for seed in range(seeds):
        simulate(seed, new_database=new_database)


def test_a_broken_promise_is_told_across_processes() -> None:
    error = SimulationError(7, "lost", ["0.1 something"])
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.seed, again.reason) == (str(error), 7, "lost")
