from __future__ import annotations

import pytest

from durable_execution import InvalidOptionError
from durable_execution.access import FULL_ACCESS, Access, Caller, caller_of
from durable_execution.access.caller import CallerGate
from durable_execution.orpc import ORPCError

LIMITED = Access(
    tasks={"sendEmail", "report.*"}, procedures={"enqueueTask", "*.list", "admin.*.read"}
)


@pytest.mark.parametrize("key", ["sendEmail", "report.", "report.daily", "report.\n"])
def test_tasks_that_are_listed_or_described_are_allowed(key: str) -> None:
    assert LIMITED.allows_task(key)


@pytest.mark.parametrize(
    "key", ["", "sendEmail2", "sendemail", "xsendEmail", "sendEmail\n", "report", "reportX", "*"]
)
def test_no_other_task_is_allowed(key: str) -> None:
    assert not LIMITED.allows_task(key)


@pytest.mark.parametrize(
    ("name", "is_allowed"),
    [
        ("enqueueTask", True),
        ("tasks.enqueueTask", False),
        ("planets.list", True),
        ("list", False),
        ("admin.users.read", True),
        ("admin.users.write", False),
        ("admin.read", False),
    ],
)
def test_names_of_procedures_are_whole_paths(name: str, *, is_allowed: bool) -> None:
    assert LIMITED.allows_procedure(name) is is_allowed


def test_one_name_is_not_taken_for_its_letters() -> None:
    access = Access(tasks="mail", procedures="*")
    assert access.allows_task("mail")
    assert not access.allows_task("m")
    assert not access.is_full


def test_access_is_full_only_where_nothing_is_out_of_reach() -> None:
    assert FULL_ACCESS.is_full
    assert not Access(tasks="*", procedures="enqueueTask").is_full
    assert not Access(tasks=(), procedures="*").is_full


def test_operations_are_named_in_full_or_all_is_allowed() -> None:
    named = Access(tasks="mail", procedures={"retryTaskExecution", "ops.*"})
    assert named.allows_operation("retryTaskExecution")
    assert not named.allows_operation("ops.retryTaskExecution")
    for patterns in ("*", {"*TaskExecution*"}, {"retryTaskExecutio*"}, ()):
        access = Access(tasks="mail", procedures=patterns)
        assert not access.allows_operation("retryTaskExecution")
    assert FULL_ACCESS.allows_operation("retryTaskExecution")
    with pytest.raises(ORPCError, match="may not call pruneTaskExecutions, which is for operators"):
        Caller(name="web-app", access=named).check_operation("pruneTaskExecutions")


def test_all_tasks_are_not_a_few() -> None:
    Caller(name="operator", access=Access(tasks="*", procedures=())).check_all_tasks()
    with pytest.raises(ORPCError, match="FORBIDDEN: This caller may not use all tasks"):
        Caller(name="web-app", access=Access(tasks={"a*", "b"}, procedures="*")).check_all_tasks()


def test_metrics_are_scraped_by_who_may_do_so_or_everything() -> None:
    scraping = Access(tasks=(), procedures=(), metrics=True)
    assert scraping.allows_metrics
    assert not scraping.is_full
    assert FULL_ACCESS.allows_metrics
    assert not Access(tasks="*", procedures="x").allows_metrics
    assert scraping != Access(tasks=(), procedures=())
    assert repr(scraping) == "Access(tasks={}, procedures={}, metrics=True)"


def test_nothing_listed_is_nothing_allowed() -> None:
    access = Access(tasks=(), procedures=[])
    assert not access.allows_task("")
    assert not access.allows_procedure("enqueueTask")


@pytest.mark.parametrize("patterns", ["", ["a", ""], [1]])
def test_pattern_that_is_no_name_is_refused(patterns: object) -> None:
    with pytest.raises(InvalidOptionError, match="tasks: expected non-empty names"):
        Access(tasks=patterns, procedures="*")  # type: ignore[arg-type]


def test_equal_access_is_equal() -> None:
    one = Access(tasks=["b", "a"], procedures="*")
    other = Access(tasks={"a", "b"}, procedures={"*"})
    assert one == other
    assert hash(one) == hash(other)
    assert one != FULL_ACCESS
    assert repr(one) == "Access(tasks={'a', 'b'}, procedures={'*'})"


def test_what_is_out_of_reach_is_forbidden() -> None:
    caller = Caller(name="web-app", access=LIMITED)
    caller.check_task("sendEmail")
    caller.check_procedure("enqueueTask")
    with pytest.raises(ORPCError, match="FORBIDDEN: This caller may not use task refund"):
        caller.check_task("refund")
    with pytest.raises(ORPCError, match="FORBIDDEN: This caller may not call cancelTaskExecution"):
        CallerGate(caller).check(("cancelTaskExecution",))


def test_caller_is_found_in_the_context_that_its_gate_gives() -> None:
    caller = Caller(name="web-app", access=LIMITED)
    assert caller_of(CallerGate(caller).context) is caller
    assert caller_of({}) is None
    assert caller_of({"caller": "an application's own idea of one"}) is None


@pytest.mark.parametrize("name", ["", "x" * 201, "a\nb", 7])
def test_name_that_cannot_stand_in_a_log_is_refused(name: object) -> None:
    with pytest.raises(InvalidOptionError, match="name of a caller"):
        Caller(name=name, access=FULL_ACCESS)  # type: ignore[arg-type]


def test_claims_are_not_shown() -> None:
    caller = Caller(name="ada", access=FULL_ACCESS, claims={"email": "ada@example.com"})
    assert "example.com" not in repr(caller)
