"""What must be true of the rows and the effects together, whatever happened to the processes."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from tests.processes.arena import Arena
from tests.processes.tasks import tasks

ATTEMPTS = {"third_time_lucky": 2, "unlucky": 1}
"""The number of the last attempt, where it is not the first."""
CLOCKS_AGREE_MS = 25
"""Executors know the database's time to within a trip to it, which takes its time under load."""
WITHOUT_CODE = {"in_order", "again_and_again"}


def check_trees(arena: Arena) -> None:
    """Every tree has joined: all children are there, once, and ended before their parent did."""
    children: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    rows = {row["execution_id"]: row for row in arena.rows()}
    for row in rows.values():
        assert row["finished_at"] is not None, row
        assert row["active_children_count"] == 0, row
        if row["parent_execution_id"] is not None:
            children[row["parent_execution_id"]].append(row)
    for parent_id, family in children.items():
        parent = rows[parent_id]
        places = Counter((child["is_finalize"], child["index_in_parent"]) for child in family)
        assert set(places.values()) == {1}, (parent, places)
        assert parent["children_count"] == sum(not child["is_finalize"] for child in family)
        last = max(child["finished_at"] for child in family)
        assert last <= parent["finished_at"] + CLOCKS_AGREE_MS, (parent, family)
        root_id = parent["root_execution_id"] or parent_id
        assert {child["root_execution_id"] for child in family} == {root_id}


def check_accounts(arena: Arena) -> None:
    """Each claim is accounted for: by an attempt that ended, or by a crash."""
    begun = Counter(effect.execution_id for effect in arena.effects())
    for row in arena.rows():
        if row["sleeping_unique_id"] is not None:
            assert (row["fence"], begun[row["execution_id"]]) == (0, 0), row
            continue
        last_attempt = ATTEMPTS.get(row["task_id"], 0)
        assert row["attempt"] == last_attempt, row
        claims = 1 + last_attempt + row["crash_count"]
        assert row["fence"] == claims + steps_of(row, tasks[row["task_id"]].kind), row
        if row["task_id"] not in WITHOUT_CODE:
            # A process may die between a claim and the first line of the task.
            assert 1 + last_attempt <= begun[row["execution_id"]] <= claims, row


def steps_of(row: dict[str, Any], kind: str) -> int:
    """Return how often the row was made to wait, which raises its fence too."""
    if kind in ("sequential_tasks", "looping_task"):
        return int(row["children_count"])
    return (row["waiting_for_children_at"] is not None) + (
        row["waiting_for_finalize_at"] is not None
    )
