from __future__ import annotations

import logging
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from durable_execution.cli.supervisor import ALIVE, READY, STOPPING, Supervisor
from tests.cli.served import APPLICATION, served


@pytest.fixture
def ear(tmp_path: Path) -> Iterator[socket.socket]:
    """What systemd listens on."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(tmp_path / "notify"))
        ear.settimeout(20)
        yield ear


def heard(ear: socket.socket) -> str:
    return ear.recv(1000).decode()


def test_word_reaches_the_socket_of_the_supervisor(ear: socket.socket) -> None:
    Supervisor({"NOTIFY_SOCKET": ear.getsockname()}).tell(READY)
    assert heard(ear) == "READY=1"


def test_socket_may_be_an_abstract_one() -> None:
    name = f"durable-execution-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(f"\0{name}")
        ear.settimeout(20)
        Supervisor({"NOTIFY_SOCKET": f"@{name}"}).tell(READY)
        assert heard(ear) == READY


def test_without_a_supervisor_nothing_is_told() -> None:
    supervisor = Supervisor({})
    supervisor.tell(READY)
    assert supervisor.rest is None


def test_supervisor_that_is_gone_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        Supervisor({"NOTIFY_SOCKET": str(tmp_path / "gone")}).tell(READY)
    assert [record.message for record in caplog.records] == ["the supervisor cannot be told"]


@pytest.mark.parametrize(
    ("asked", "process", "rest"),
    [
        ("30000000", None, 10),
        pytest.param("30000000", str(os.getpid()), 10, id="of this process"),
        ("30000000", "1", None),  # of another process
        ("1000000", None, 1),
        ("0", None, None),
        ("soon", None, None),
        (None, None, None),
    ],
)
def test_word_of_being_alive_comes_three_times_in_the_patience(
    asked: str | None, process: str | None, rest: int | None
) -> None:
    given = {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": asked, "WATCHDOG_PID": process}
    environment = {name: value for name, value in given.items() if value is not None}
    assert Supervisor(environment).rest == rest


@pytest.mark.processes
def test_server_says_when_it_answers_that_it_lives_and_that_it_ends(
    tmp_path: Path, ear: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", ear.getsockname())
    monkeypatch.setenv("WATCHDOG_USEC", "3000000")
    (tmp_path / "served_app.py").write_text(APPLICATION)
    with served(tmp_path) as server:
        words = [heard(ear) for _ in range(4)]
        assert server.end(signal.SIGTERM) == 0
        while words[-1] != STOPPING:
            words.append(heard(ear))

    # The first look may come before the server says that it is ready.
    assert words.count(READY) == 1
    assert READY in words[:2]
    assert words.count(ALIVE) >= 3


DEAD = """


class Dying(DurableExecutor):
    @property
    def is_healthy(self) -> bool:
        return not Path("dead").exists() and super().is_healthy

executor = Dying(open_storage("sqlite:///tasks.db"), ExecutorOptions(lease=1))
app = create_executor_app(executor, {})
"""


@pytest.mark.processes
def test_server_whose_executor_cannot_work_is_silent(
    tmp_path: Path, ear: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", ear.getsockname())
    monkeypatch.setenv("WATCHDOG_USEC", "1000000")
    (tmp_path / "served_app.py").write_text(APPLICATION + DEAD)
    with served(tmp_path) as server:
        assert {heard(ear), heard(ear)} == {READY, ALIVE}
        (tmp_path / "dead").touch()
        ear.settimeout(3)
        with pytest.raises(TimeoutError):
            [heard(ear) for _ in range(2)]  # one may have been under way
        assert server.process.poll() is None
