from __future__ import annotations

import pytest

from tests.chaos.storm import CAPACITY, Killer, Storm
from tests.processes.arena import LEASE, SHORT_LEASE, Arena, report

pytestmark = [pytest.mark.chaos, SHORT_LEASE]


async def test_everything_ends_once_though_one_of_three_is_killed_every_second(
    arena: Arena, storm: Storm
) -> None:
    killer = Killer(arena, storm, [await arena.start(capacity=CAPACITY) for _ in range(3)])

    await storm.rage(arena, killer, pause=1.0)

    recoveries = killer.recoveries()
    assert killer.kills >= 3
    assert recoveries, "no kill cut anything off"
    report(
        f"{killer.kills} kills; cut off work began elsewhere after "
        f"{recoveries[0]:.2f} to {recoveries[-1]:.2f} s, p50 {recoveries[len(recoveries) // 2]:.2f}"
        f" s, with a lease of {LEASE:g} s"
    )
