from __future__ import annotations

import msgspec

from durable_execution._core.offspring import Label, Place, Seed, child_record, root_record
from durable_execution._core.record import ExecutionRecord
from durable_execution._core.retry import NO_RETRIES, RetryPolicy
from tests._core.records import changed_fields

SEED = Seed(
    execution_id="te_1",
    task_id="task",
    input=b"input",
    timeout_ms=500,
    retry=RetryPolicy(max_retries=2),
    sleep_before_run_ms=30,
    are_children_sequential=True,
)
SLEEPER = msgspec.structs.replace(SEED, sleeping_unique_id="bed")


def test_a_root_is_ready_after_its_sleep_and_has_no_family() -> None:
    assert root_record(SEED, now=100) == ExecutionRecord(
        execution_id="te_1",
        task_id="task",
        retry=RetryPolicy(max_retries=2),
        sleep_before_run_ms=30,
        timeout_ms=500,
        are_children_sequential=True,
        status="ready",
        start_at=130,
        created_at=100,
        updated_at=100,
        input=b"input",
    )


def test_a_root_has_its_label_and_tags_by_name() -> None:
    label = Label(idempotency_key="order", tags=(("b", "1"), ("a", "2")))
    assert changed_fields(root_record(SEED, now=100), root_record(SEED, now=100, label=label)) == {
        "idempotency_key": "order",
        "tags": (("a", "2"), ("b", "1")),
    }


def test_a_child_has_nothing_of_the_label_of_its_parent() -> None:
    label = Label(idempotency_key="order", tags=(("a", "2"),))
    parent = root_record(SEED, now=100, label=label)
    child = child_record(SEED, parent, Place(index=0), now=100)
    assert (child.idempotency_key, child.tags) == (None, ())


def test_a_sleeper_is_born_running_without_owner_retries_or_delay() -> None:
    assert changed_fields(root_record(SEED, now=100), root_record(SLEEPER, now=100)) == {
        "sleeping_unique_id": "bed",
        "retry": NO_RETRIES,
        "sleep_before_run_ms": 0,
        "status": "running",
        "start_at": 100,
        "started_at": 100,
        "expires_at": 600,
    }


def test_a_child_of_a_root_has_its_parent_for_a_root() -> None:
    parent = root_record(SEED, now=100)
    child_seed = msgspec.structs.replace(SEED, execution_id="te_2", task_id="child")
    place = Place(index=4, is_only_child=True)
    child = child_record(child_seed, parent, place, now=200)
    assert changed_fields(root_record(child_seed, now=200), child) == {
        "root_task_id": "task",
        "root_execution_id": "te_1",
        "parent_task_id": "task",
        "parent_execution_id": "te_1",
        "index_in_parent": 4,
        "is_only_child": True,
    }


def test_a_grandchild_has_the_root_of_its_parent() -> None:
    root = root_record(msgspec.structs.replace(SEED, task_id="top"), now=100)
    child = child_record(
        msgspec.structs.replace(SEED, execution_id="te_2"), root, Place(index=0), now=100
    )
    grandchild = child_record(
        msgspec.structs.replace(SEED, execution_id="te_3"),
        child,
        Place(index=0, is_finalize=True),
        now=100,
    )
    assert (grandchild.root_task_id, grandchild.root_execution_id) == ("top", "te_1")
    assert (grandchild.parent_task_id, grandchild.parent_execution_id) == ("task", "te_2")
    assert grandchild.is_finalize


def test_a_sleeping_child_is_born_running_too() -> None:
    parent = root_record(SEED, now=100)
    child = child_record(SLEEPER, parent, Place(index=0), now=200)
    assert (child.status, child.started_at, child.expires_at) == ("running", 200, 700)
