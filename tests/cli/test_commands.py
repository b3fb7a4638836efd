"""Commands that see and act, asked of real databases in which a real executor works."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from durable_execution import (
    DurableExecutionError,
    DurableExecutor,
    ExecutorOptions,
    ParentTaskOutput,
    ParentTaskResult,
    TaskContext,
    child_task,
    open_storage,
)
from durable_execution.cli.application import application

Run = Callable[..., Result]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        server: Any = request.getfixturevalue("postgres")
        return str(server.new_url())
    return f"sqlite:///{tmp_path}/tasks.db?synchronous=NORMAL"


@pytest.fixture
def run(url: str) -> Run:
    assert invoke("db", "upgrade", url).exit_code == 0

    def run(*arguments: str) -> Result:
        return invoke(*arguments, DURABLE_EXECUTION_DATABASE=url)

    return run


def invoke(*arguments: str, **environment: str) -> Result:
    clean = {f"DURABLE_EXECUTION_{name}": "" for name in ("DATABASE", "SERVER", "TOKEN")}
    return CliRunner().invoke(application, list(arguments), env={**clean, **environment})


class Shop:
    """An executor at work in a thread, as another process would have it."""

    def __init__(self, url: str) -> None:
        self.is_funded = False
        self.executor = DurableExecutor(open_storage(url), ExecutorOptions(lease=10))
        self._define()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def _define(self) -> None:
        @self.executor.task
        async def charge(ctx: TaskContext, cents: int) -> str:
            if cents > 100 and not self.is_funded:
                raise DurableExecutionError(f"{cents} cents \x1b[31mrefused [bold]now[/bold]")
            ctx.progress(0.5, "half\x07way")
            return f"paid {cents}"

        async def total(ctx: TaskContext, batch: ParentTaskResult[None]) -> int:
            if len(batch.outputs_of(charge)) < len(batch.children):
                raise DurableExecutionError("not all are paid")
            return len(batch.children)

        @self.executor.parent_task(finalize=total)
        async def order(ctx: TaskContext, amounts: list[int]) -> ParentTaskOutput[None]:
            return ParentTaskOutput(None, [child_task(charge, cents) for cents in amounts])

        self.bell = self.executor.sleeping_task("bell", timeout=600, output=str)

    def __enter__(self) -> Shop:
        self._thread.start()
        self.do(self.executor.start())
        return self

    def __exit__(self, *_: object) -> None:
        self.do(self.executor.shutdown())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def do(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)


@pytest.fixture
def shop(run: Run, url: str) -> Iterator[Shop]:
    with Shop(url) as shop:
        yield shop


def lines(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code in (0, 1), result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_what_is_enqueued_is_followed_and_shown(run: Run, shop: Shop) -> None:
    done = run("enqueue", "charge", "5", "--tag", "tenant=acme", "--wait", "--json")
    first, *changes = lines(done)
    assert done.exit_code == 0
    assert changes[-1]["execution"]["output"] == "paid 5"
    assert {"type": "progress", "progress": {"fraction": 0.5, "message": "half\x07way"}} in changes
    shown = lines(run("show", first["executionId"], "--json"))
    assert shown[0]["execution"]["status"] == "completed"
    assert shown[0]["execution"]["input"] == 5
    assert shown[0]["children"] == []
    (listed,) = lines(run("list", "--tag", "tenant=acme", "--json"))
    assert listed["executionId"] == first["executionId"]
    assert lines(run("list", "--tag", "tenant=other", "--json")) == []
    assert run("watch", first["executionId"]).exit_code == 0


def test_a_key_enqueues_once(run: Run) -> None:
    first = run("enqueue", "charge", "5", "--key", "k").stdout
    assert run("enqueue", "charge", "5", "--key", "k").stdout == first
    other = run("enqueue", "charge", "6", "--key", "k")
    assert other.exit_code == 1
    assert "key" in other.stderr


def test_a_failed_tree_is_shown_and_only_its_failed_parts_are_retried(run: Run, shop: Shop) -> None:
    failed = run("enqueue", "order", "[5, 500]", "--wait")
    assert failed.exit_code == 1
    execution_id = failed.stdout.splitlines()[0]
    shown = run("show", execution_id).stdout
    assert "order finalize_failed" in shown
    assert "charge completed" in shown
    assert "\\x1b[31mrefused [bold]now[/bold]" in shown
    assert "\x1b" not in shown
    found = lines(run("list", "--failed", "--json"))
    assert {each["taskId"] for each in found} == {"order", "charge", "order_finalize"}
    child = next(each["executionId"] for each in found if each["taskId"] == "charge")
    refused = run("retry", child)
    assert refused.exit_code == 2
    assert f"retry the root of its tree, {execution_id}" in refused.stderr
    shop.is_funded = True
    retried = run("retry", execution_id, "--json")
    assert retried.exit_code == 0
    assert lines(retried)[0]["status"] not in ("finalize_failed", "completed")
    assert run("watch", execution_id).exit_code == 0
    tree = lines(run("show", execution_id, "--json"))[0]
    assert tree["execution"]["output"] == 2
    # The finalize execution that failed is still there to see.
    assert [child["execution"]["status"] for child in tree["children"]] == [
        *("completed", "completed", "failed", "completed")
    ]
    again = run("retry", execution_id)
    assert (again.exit_code, again.stdout) == (
        1,
        f"{execution_id} completed: nothing to retry\n",
    )


def test_errors_show_their_traceback(run: Run, shop: Shop) -> None:
    execution_id = run("enqueue", "charge", "500", "--wait").stdout.splitlines()[0]
    error = lines(run("show", execution_id, "--json"))[0]["execution"]["error"]
    assert "raise DurableExecutionError" in error["traceback"]
    assert "raise DurableExecutionError" in run("show", execution_id, "--whole").stdout


def test_what_failed_before_a_retry_is_shown(run: Run, shop: Shop) -> None:
    execution_id = run("enqueue", "charge", "500", "--wait").stdout.splitlines()[0]
    shop.is_funded = True
    run("retry", execution_id)
    run("watch", execution_id)
    shown = run("show", execution_id, "--whole").stdout
    assert "charge completed" in shown
    assert "attempt 1 failed" in shown
    assert "raise DurableExecutionError" in shown
    assert "\x1b" not in shown
    assert "raise DurableExecutionError" not in run("show", execution_id).stdout
    facts = lines(run("show", execution_id, "--json"))[0]["execution"]
    assert facts["pastAttemptsCount"] == 1
    (past,) = facts["pastAttempts"]
    assert (past["retryAttempts"], past["outcome"]) == (0, "failed")
    assert "refused" in past["error"]["message"]
    assert "raise DurableExecutionError" in past["error"]["traceback"]


def test_what_waits_is_cancelled_once(run: Run) -> None:
    execution_id = run("enqueue", "charge", "5", "--delay", "1h").stdout.strip()
    assert [each["status"] for each in lines(run("list", "--status", "ready", "--json"))] == [
        "ready"
    ]
    first = run("cancel", execution_id, "nobody")
    assert first.exit_code == 4
    assert first.stdout == f"{execution_id} cancelled\n"
    assert "nobody" in first.stderr
    assert run("cancel", execution_id).exit_code == 0


def test_a_sleeper_is_woken_or_failed(run: Run, shop: Shop) -> None:
    for unique_id in ("one", "two"):
        shop.do(shop.executor.enqueue_task(shop.bell, unique_id))
    woken = run("wake", "bell", "one", '"morning"', "--json")
    assert (woken.exit_code, lines(woken)[0]["output"]) == (0, "morning")
    assert run("wake", "bell", "two", "--error", "alarm").exit_code == 0
    assert run("wake", "bell", "two", '"late"').exit_code == 1
    assert run("wake", "bell", "three").exit_code == 4
    assert run("wake", "charge", "one").exit_code == 4


def test_lists_are_cut_and_go_on(run: Run) -> None:
    ids = [run("enqueue", "charge", str(number)).stdout.strip() for number in range(5)]
    first = run("list", "--limit", "3", "--json")
    cursor = first.stderr.split("--cursor ")[1].strip()
    rest = run("list", "--limit", "3", "--json", "--cursor", cursor)
    assert [each["executionId"] for each in lines(first) + lines(rest)] == ids[::-1]
    assert rest.stderr == ""
    (one,) = lines(run("list", "--id", ids[2], "--json"))
    assert one["executionId"] == ids[2]
    assert len(lines(run("list", "--since", "1h", "--json"))) == 5
    assert lines(run("list", "--until", "1h", "--json")) == []
    table = run("list", "--oldest-first").stdout.splitlines()
    assert table[0].split()[:3] == ["ID", "TASK", "STATUS"]
    assert [line.split()[0] for line in table[1:]] == ids


def test_stats_tell_what_nobody_runs(run: Run, shop: Shop) -> None:
    run("enqueue", "ghost", "--delay", "1h")
    run("enqueue", "charge", "500", "--wait")
    (told,) = lines(run("stats", "--json"))
    assert told["ready"] == 1
    assert told["unknownTaskIds"] == ["ghost"]
    assert told["tasks"]["charge"]["failed"] == {"failed": 1}
    (executor,) = told["executors"]
    assert executor["isAlive"]
    assert executor["taskIds"] == ["bell", "charge", "order", "order_finalize"]
    assert run("stats", "--check").exit_code == 1
    assert "no living executor runs it" in run("stats").stdout


def test_what_finished_long_ago_is_deleted(run: Run, shop: Shop) -> None:
    run("enqueue", "order", "[1, 2]", "--wait")
    assert "deleted 0 executions" in run("prune", "--older-than", "1h", "--yes").stdout
    assert run("prune", "--older-than", "1h").exit_code == 1
    assert lines(run("prune", "--older-than", "0s", "--yes", "--json")) == [{"deleted": 4}]
    assert lines(run("list", "--json")) == []


def test_the_doctor_finds_nothing_wrong_while_somebody_works(run: Run, shop: Shop) -> None:
    verdicts = {each["subject"]: each["verdict"] for each in lines(run("doctor", "--json"))}
    assert verdicts["schema"] == verdicts["indexes"] == verdicts["executors"] == "good"
    assert "bad" not in verdicts.values()
    run("enqueue", "ghost")
    sick = run("doctor")
    assert sick.exit_code == 1
    assert "work that nobody knows: ghost" in sick.stdout


def test_the_doctor_says_what_to_do(run: Run, url: str, tmp_path: Path) -> None:
    assert "start one" in run("doctor").stdout
    empty = tmp_path / "empty.db"
    empty.touch()
    result = invoke("doctor", "--database", f"sqlite:///{empty}")
    assert result.exit_code == 1
    assert "run durable-execution db upgrade" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("list",), 2, "where to ask?"),
        (("list", "--database", "sqlite:///x", "--server", "http://x"), 2, "not both"),
        (("list", "--database", "nonsense"), 2, "no scheme"),
        (("list", "--database", "memory://"), 2, "seen by their process alone"),
        (("list", "--database", "sqlite:////nowhere/x.db"), 3, "no such file"),
        (("list", "--server", "nonsense"), 2, "--server"),
        (("list", "--server", "http://127.0.0.1:9/rpc"), 3, "cannot be reached"),
        (("watch", "x", "--server", "http://127.0.0.1:9/rpc"), 3, "9: Connection refused"),
        (("stats", "--server", "http://127.0.0.1:9/rpc"), 3, "cannot be reached"),
        (("doctor",), 2, "give --database"),
    ],
)
def test_a_place_that_cannot_be_asked_is_told(
    arguments: tuple[str, ...], code: int, words: str
) -> None:
    result = invoke(*arguments)
    assert (result.exit_code, words in result.stderr) == (code, True), result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("enqueue", "charge", "bad"), "INPUT must be JSON"),
        (("enqueue", "bad-id"), "task id must be"),
        (("enqueue", "charge", "--timeout", "soon"), "--timeout must be a duration"),
        (("enqueue", "charge", "--tag", "x"), "--tag must be NAME=VALUE"),
        (("list", "--since", "yesterday"), "--since must be an instant"),
        (("list", "--cursor", "x"), "cursor is not one"),
        (("list", "--id", "a b"), "id_prefix must be"),
        (("prune", "--older-than", "old", "--yes"), "--older-than must be a duration"),
        (("wake", "bell", "x", "1", "--error", "e"), "not both"),
        (("stats", "--lately", "0s"), "since must be"),
    ],
)
def test_wrong_arguments_are_told_in_one_line(
    tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    url = f"sqlite:///{tmp_path}/t.db"
    invoke("db", "upgrade", url)
    result = invoke(*arguments, DURABLE_EXECUTION_DATABASE=url)
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")
    assert words in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("name", [each.name for each in application.registered_commands])
def test_every_command_explains_itself(name: str) -> None:
    result = invoke(name, "--help")
    assert result.exit_code == 0
    assert "Exit codes" in result.stdout


def test_paragraphs_of_help_break_where_the_terminal_does() -> None:
    text = invoke("worker", "--help", COLUMNS="60", TERMINAL_WIDTH="60").stdout
    lines = [line.strip() for line in text.splitlines()]
    begin = next(at for at, line in enumerate(lines) if line.startswith("Each process"))
    prose = lines[begin : lines.index("", begin)]
    assert all(len(line) > 40 for line in prose[:-1])
    assert "durable-execution worker executor_server:executor" in lines


def test_the_password_of_a_database_is_not_shown_in_help() -> None:
    result = invoke("list", "--help", DURABLE_EXECUTION_DATABASE="postgresql://u:hunter2@h/d")
    assert "hunter2" not in result.stdout
