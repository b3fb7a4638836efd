from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from io import StringIO

import pytest

from durable_execution import DurableExecutor, ExecutorOptions, TaskContext, open_storage
from durable_execution._observing import continuing
from durable_execution.cli.logs import configure_logging
from durable_execution.telemetry import (
    AttemptFilter,
    JSONFormatter,
    LineFormatter,
    LoggingObserver,
)

SENT = f"00-{7:032x}-{9:016x}-01"
logger = logging.getLogger("app.mail")


class Lines:
    def __init__(self, formatter: logging.Formatter) -> None:
        self._stream = StringIO()
        self.handler = logging.StreamHandler(self._stream)
        self.handler.addFilter(AttemptFilter())
        self.handler.setFormatter(formatter)

    def read(self) -> list[str]:
        return self._stream.getvalue().splitlines()


@pytest.fixture(params=[JSONFormatter, LineFormatter])
def lines(request: pytest.FixtureRequest) -> Iterator[Lines]:
    lines = Lines(request.param())
    logger.addHandler(lines.handler)
    logger.setLevel("INFO")
    yield lines
    logger.removeHandler(lines.handler)


async def run_both(executor: DurableExecutor) -> tuple[str, str]:
    @executor.task(id="sendMail")
    async def send_mail(ctx: TaskContext) -> None:
        logger.info("sending", extra={"to": "ada"})

    @executor.task(id="inThread")
    def in_thread(ctx: TaskContext) -> None:
        logger.info("sending", extra={"to": "bob"})

    with continuing({"traceparent": SENT}):
        first = await executor.enqueue_task(send_mail)
    second = await executor.enqueue_task(in_thread)
    await first.result()
    await second.result()
    return first.execution_id, second.execution_id


async def test_logs_of_tasks_say_which_attempt_and_trace_they_are_of(lines: Lines) -> None:
    async with DurableExecutor(open_storage("memory://")) as executor:
        ids = await run_both(executor)
        logger.info("outside")
    found = sorted(lines.read()[:2]), lines.read()[2]
    of_ada, of_bob = sorted(found[0], key=lambda line: "bob" in line)
    if of_ada.startswith("{"):
        ada, bob, outside = map(json.loads, (of_ada, of_bob, found[1]))
        assert ada["task_id"] == "sendMail"
        assert (ada["execution_id"], ada["attempt"], ada["to"]) == (ids[0], 0, "ada")
        assert ada["trace_id"] == f"{7:032x}"
        assert (bob["task_id"], bob["execution_id"]) == ("inThread", ids[1])
        assert "trace_id" not in bob
        assert not {"task_id", "execution_id", "attempt", "trace_id"} & outside.keys()
        assert (outside["message"], outside["level"], outside["logger"]) == (
            "outside",
            "info",
            "app.mail",
        )
    else:
        assert f"execution_id='{ids[0]}' attempt=0 trace_id='{7:032x}'" in of_ada
        assert "to='bob' task_id='inThread'" in of_bob
        assert "task_id" not in found[1]


def test_what_a_record_says_itself_is_left(lines: Lines) -> None:
    with continuing({"traceparent": SENT}):
        logger.info("of another", extra={"trace_id": "mine"})
    assert "mine" in lines.read()[0]
    assert f"{7:032x}" not in lines.read()[0]


def test_json_is_one_line_whatever_is_logged() -> None:
    lines = Lines(JSONFormatter())
    logger.addHandler(lines.handler)
    try:
        try:
            raise LookupError("two\nlines")
        except LookupError:
            logger.exception("failed\nbadly %s", "é", extra={"odd": {1}, "half": "\ud800"})
    finally:
        logger.removeHandler(lines.handler)
    (line,) = lines.read()
    entry = json.loads(line)
    assert entry["message"] == "failed\nbadly é"
    assert entry["odd"] == "{1}"
    assert entry["error_type"] == "LookupError"
    assert entry["traceback"].endswith("LookupError: two\nlines")
    assert entry["time"].endswith("Z")


async def test_facts_are_lines_where_somebody_logs_them(lines: Lines) -> None:
    options = ExecutorOptions(observers=[LoggingObserver(logger)])
    async with DurableExecutor(open_storage("memory://"), options) as executor:

        @executor.task(id="quiet")
        async def quiet(ctx: TaskContext) -> None:
            return

        handle = await executor.enqueue_task(quiet)
        await handle.result()
    told = [line for line in lines.read() if handle.execution_id in line]
    events = ("attempt started", "attempt ended", "execution finished")
    assert sorted(event for line in told for event in events if event in line) == sorted(events)
    assert all("quiet" in line for line in told)
    (ended,) = [line for line in told if "attempt ended" in line]
    assert ("outcome='completed'" in ended) or ('"outcome": "completed"' in ended)


def test_level_of_facts_must_be_one() -> None:
    with pytest.raises(ValueError, match="level"):
        LoggingObserver(level="LOUD")


def test_command_line_logs_json_with_the_names_of_attempts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    level = root.level
    try:
        configure_logging("info", "json")
        with continuing({"traceparent": SENT}):
            root.warning("hello")
    finally:
        root.setLevel(level)
    entry = json.loads(capsys.readouterr().err)
    assert (entry["message"], entry["trace_id"]) == ("hello", f"{7:032x}")
