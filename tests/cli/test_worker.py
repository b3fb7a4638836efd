"""`durable-execution worker`, as a supervisor of real processes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

import pytest

from durable_execution import DurableExecutor, open_storage
from durable_execution.cli.worker_process import has_started
from tests.cli.shop import APPLICATION
from tests.cli.test_commands import invoke, lines

pytestmark = pytest.mark.processes

PATIENCE = 30.0


class Workers:
    """A `worker` process and those that it runs."""

    def __init__(self, folder: Path, process: subprocess.Popen[str]) -> None:
        self.url = f"sqlite:///{folder}/shop.db"
        self.process = process
        self._folder = folder

    def pids(self) -> set[int]:
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return set(map(int, path.read_text().split()))

    def alive(self) -> int:
        (told,) = lines(invoke("stats", "--json", "--database", self.url))
        return sum(each["isAlive"] for each in told["executors"])

    def enqueue(self, *arguments: str) -> str:
        return invoke("enqueue", *arguments, "--database", self.url).stdout.strip()

    def status(self, execution_id: str) -> str:
        (tree,) = lines(invoke("show", execution_id, "--json", "--database", self.url))
        return str(tree["execution"]["status"])

    def began(self) -> list[Path]:
        return list(self._folder.glob("began-*"))


def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"not within {PATIENCE} s: {what}"
        time.sleep(0.05)  # other processes: there is nothing to wait on


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "shop.py").write_text(APPLICATION)
    assert invoke("db", "upgrade", f"sqlite:///{tmp_path}/shop.db").exit_code == 0
    return tmp_path


@contextmanager
def workers(
    folder: Path,
    processes: int,
    environment: Mapping[str, str] = MappingProxyType({}),
    *,
    program: Sequence[str] = (),
) -> Iterator[Workers]:
    command = [sys.executable, "-m", "durable_execution.cli", "worker", "shop:executor"]
    with subprocess.Popen(
        program or [*command, "--processes", str(processes)],
        cwd=folder,
        env={**os.environ, "SHOP_DATABASE": "sqlite:///shop.db", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        found = Workers(folder, process)
        try:
            until(lambda: found.alive() == processes, "all executors live")
            yield found
        finally:
            children = found.pids() if process.poll() is None else set()
            process.kill()
            for pid in children:
                _end(pid)


def _end(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def refused(folder: Path, target: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "durable_execution.cli", "worker", target],
        cwd=folder,
        env={**os.environ, "SHOP_DATABASE": "sqlite:///shop.db"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def test_work_is_spread_over_processes_and_drained(folder: Path) -> None:
    with workers(folder, 2) as running:
        assert len(running.pids()) == 2
        ids = [running.enqueue("work", "1.5") for _ in range(2)]
        until(running.began, "it runs")
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(PATIENCE) == 0
        statuses = {running.status(each) for each in ids}
        assert statuses <= {"completed", "ready"}
        assert "completed" in statuses, "what ran was not let end"
        assert running.alive() == 0


def test_a_process_that_dies_is_started_again_and_its_work_goes_on(folder: Path) -> None:
    with workers(folder, 1) as running:
        (first,) = running.pids()
        execution_id = running.enqueue("work", "0.3")
        until(running.began, "it runs")
        os.kill(first, signal.SIGKILL)
        until(lambda: running.pids() and running.pids() != {first}, "another process")
        until(lambda: running.status(execution_id) == "completed", "the work ends")
        running.process.send_signal(signal.SIGINT)
        assert running.process.wait(PATIENCE) == 0


def test_a_process_that_hangs_is_replaced(folder: Path) -> None:
    crew = "from durable_execution.cli.crew import Crew; Crew('shop:executor', 1, 'info', 'line', "
    program = [sys.executable, "-c", f"{crew} longest_silence=5).run()"]
    with workers(folder, 1, program=program) as running:
        (first,) = running.pids()
        execution_id = running.enqueue("hang")
        until(lambda: running.pids() and running.pids() != {first}, "another process")
        until(lambda: running.status(execution_id) == "completed", "the work ends")
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(PATIENCE) == 0


def test_a_second_signal_ends_everything_at_once(folder: Path) -> None:
    with workers(folder, 1) as running:
        execution_id = running.enqueue("work", "60")
        until(running.began, "it runs")
        running.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)  # two signals at once are one for the kernel
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(5) == 1
        assert running.status(execution_id) == "running", "its lease is left to run out"


def test_processes_drain_when_their_supervisor_is_killed(folder: Path) -> None:
    with workers(folder, 2) as running:
        pids = running.pids()
        running.process.kill()
        running.process.wait(PATIENCE)
        until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), "they end")
        assert running.alive() == 0, "they did not sign off"


async def test_a_storage_that_is_away_is_one_line_of_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    executor = DurableExecutor(open_storage("sqlite:////nowhere/x.db"))
    assert not await has_started(executor)
    (record,) = caplog.records
    assert (record.message, record.exc_info) == ("the executor cannot start", None)
    assert "its directory must exist" in vars(record)["error"]


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("shop:tasks", "is not an executor but of type 'dict'"),
        ("shop:nobody", "has no attribute 'nobody'"),
        ("shop", "expected MODULE:EXECUTOR"),
        ("shop:nothing", "has no tasks"),
        ("shop:in_memory", "keeps its executions in memory"),
    ],
)
def test_what_cannot_be_run_is_refused(folder: Path, target: str, words: str) -> None:
    result = refused(folder, target)
    assert result.returncode == 2
    assert words in result.stderr


def test_a_task_whose_code_is_named_is_checked_and_has_its_own_options(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("SHOP_DATABASE", "sqlite:///shop.db")
    monkeypatch.setitem(sys.modules, "shop", None)  # so that it is taken out again afterwards
    del sys.modules["shop"]
    place = ("--database", f"sqlite:///{folder}/shop.db")
    enqueued = invoke("enqueue", "bell", '"ring"', "--tasks", "shop:tasks", *place)
    assert enqueued.exit_code == 0, enqueued.output
    (tree,) = lines(invoke("show", enqueued.stdout.strip(), "--json", *place))
    assert tree["execution"]["sleepingTaskUniqueId"] == "ring"
    assert tree["execution"]["timeoutMs"] == 600_000
    refused = invoke("enqueue", "charge", '"five"', "--tasks", "shop:tasks", *place)
    assert refused.exit_code == 2
    assert "input" in refused.stderr
    assert invoke("enqueue", "nothing", "--tasks", "shop:tasks", *place).exit_code == 4
    assert invoke("enqueue", "bell", "--tasks", "shop:missing", *place).exit_code == 2


def test_systemd_is_told_that_workers_run_and_that_they_end(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(folder / "notify"))
        ear.settimeout(PATIENCE)
        told = {"NOTIFY_SOCKET": str(folder / "notify"), "WATCHDOG_USEC": "3000000"}
        with workers(folder, 1, told) as running:
            heard = [ear.recv(100)]
            while b"READY=1" not in heard or heard.count(b"WATCHDOG=1") < 2:
                heard.append(ear.recv(100))
            assert heard.count(b"READY=1") == 1
            running.process.send_signal(signal.SIGTERM)
            words = b""
            while words != b"STOPPING=1":
                words = ear.recv(100)
            assert running.process.wait(PATIENCE) == 0
