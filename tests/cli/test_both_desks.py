"""The same commands, asked of a database and of the server that works on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest
from typer.testing import Result

from tests.cli.served import served
from tests.cli.shop import APPLICATION, TOKEN
from tests.cli.test_commands import invoke, lines

pytestmark = pytest.mark.processes

DESKS = ("database", "server")

Ask: TypeAlias = Callable[..., Result]


class Place:
    """A server, its database, and the folder that both are in."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self._places = {
            "database": {"DURABLE_EXECUTION_DATABASE": f"sqlite:///{folder}/shop.db"},
            "server": {"DURABLE_EXECUTION_SERVER": url, "DURABLE_EXECUTION_TOKEN": TOKEN},
        }

    def ask(self, desk: str, *arguments: str) -> Result:
        return invoke(*arguments, **self._places[desk])

    def told(self, *arguments: str) -> tuple[int, str, str]:
        """Ask both desks; return what both answer."""
        answers = [self.ask(desk, *arguments) for desk in DESKS]
        first, second = [(each.exit_code, each.stdout, each.stderr) for each in answers]
        assert first == second
        return first

    def fail(self) -> str:
        """Have an order fail; return its id."""
        failed = self.ask("server", "enqueue", "order", "[5, 500]", "--wait")
        assert failed.exit_code == 1
        return failed.stdout.splitlines()[0]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("shop")
    (folder / "shop.py").write_text(APPLICATION)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SHOP_DATABASE", "sqlite:///shop.db")
        with served(folder, target="shop:app") as server:
            yield Place(folder, f"{server.url}/rpc")


@pytest.fixture(params=DESKS)
def ask(request: pytest.FixtureRequest, place: Place) -> Ask:
    return lambda *arguments: place.ask(request.param, *arguments)


def test_a_tree_is_printed_the_same(place: Place) -> None:
    execution_id = place.fail()
    code, shown, _ = place.told("show", execution_id)
    assert code == 0
    assert "input: [5,500]" in shown
    assert 'output: "paid 5"' in shown
    assert "raise DurableExecutionError" in place.told("show", execution_id, "--whole")[1]
    place.told("show", execution_id, "--task", "order")
    assert '"traceback":' in place.told("show", execution_id, "--json")[1]
    assert "… and 2 more" in place.told("show", execution_id, "--limit", "1")[1]
    child = lines(place.ask("server", "show", execution_id, "--json"))[0]["children"][0]
    assert place.told("show", child["execution"]["executionId"])[0] == 0
    assert place.told("show", execution_id, "--live")[0] == 0


@pytest.mark.parametrize("command", ["show", "retry"])
def test_what_is_not_there_is_told_the_same(place: Place, command: str) -> None:
    execution_id = place.fail()
    message = "error: Task execution not found [executionId=nobody]\n"
    assert place.told(command, "nobody") == (4, "", message)
    assert place.told(command, execution_id, "--task", "charge")[0] == 4


def test_what_failed_is_retried(place: Place, ask: Ask) -> None:
    (place.folder / "funded").unlink(missing_ok=True)
    execution_id = place.fail()
    (child, *_) = lines(ask("list", "--failed", "--json", "--task", "charge"))
    refused = ask("retry", child["executionId"], "nobody")
    assert refused.exit_code == 4
    told = refused.stderr.splitlines()
    assert f"retry the root of its tree, {execution_id}" in told[0]
    assert told[1] == "error: Task execution not found [executionId=nobody]"
    assert place.told("retry", child["executionId"])[0] == 2
    (place.folder / "funded").touch()
    retried = ask("retry", execution_id)
    assert (retried.exit_code, retried.stdout) == (0, f"{execution_id} waiting_for_children\n")
    assert ask("watch", execution_id, "--task", "order").exit_code == 0
    nothing = place.told("retry", execution_id)
    assert nothing == (1, f"{execution_id} completed: nothing to retry\n", "")
    (facts,) = lines(ask("retry", execution_id, "--json"))
    assert (facts["status"], facts["output"]) == ("completed", 2)


def test_a_retry_is_told_the_same(place: Place) -> None:
    (place.folder / "funded").touch()
    execution_id = place.ask("server", "enqueue", "charge", "5", "--wait").stdout.splitlines()[0]
    assert place.told("retry", execution_id, "--json")[0] == 1


def test_executions_are_found_by_the_beginning_of_their_id(ask: Ask) -> None:
    execution_id = ask("enqueue", "charge", "5").stdout.strip()
    for prefix in (execution_id, execution_id[:-1]):
        found = lines(ask("list", "--id", prefix, "--json"))
        assert execution_id in [each["executionId"] for each in found]
    assert ask("list", "--id", f"{execution_id}x").stdout.count(execution_id) == 0
    assert ask("list", "--id", "a b").exit_code == 2


def test_work_is_counted(place: Place, ask: Ask) -> None:
    place.ask("database", "enqueue", "ghost", "--delay", "1h", "--key", "ghost")
    (told,) = lines(ask("stats", "--json"))
    assert told["unknownTaskIds"] == ["ghost"]
    assert told["tasks"]["ghost"]["oldestStartAt"] == told["oldestStartAt"]
    (executor,) = told["executors"]
    assert executor["taskIds"] == sorted(executor["taskIds"])
    assert {"bell", "charge", "order", "order_finalize", "work"} <= set(executor["taskIds"])
    assert ask("stats", "--check", "--lately", "2h").exit_code == 1
    printed = ask("stats").stdout
    assert "no living executor runs it" in printed
    assert executor["executorId"] in printed
    names = {desk: lines(place.ask(desk, "stats", "--json"))[0].keys() for desk in DESKS}
    assert names["database"] == names["server"]
    assert place.told("stats", "--lately", "0s")[0] == 2


def test_what_finished_is_deleted(place: Place, ask: Ask) -> None:
    (place.folder / "funded").touch()
    assert ask("enqueue", "order", "[1, 2]", "--wait").exit_code == 0
    assert place.told("prune", "--older-than", "1h", "--yes") == (0, "deleted 0 executions\n", "")
    assert place.told("prune", "--older-than", "1h")[0] == 1
    assert place.told("prune", "--older-than", "old", "--yes")[0] == 2
    # So that the clock of the server is past the finish.
    ask("enqueue", "charge", "1", "--wait")
    assert (
        ask("prune", "--older-than", "0s", "--limit", "1", "--yes").stdout
        == "deleted 1 execution\n"
    )
    while lines(ask("list", "--status", "completed", "--json")):
        (told,) = lines(ask("prune", "--older-than", "0s", "--yes", "--json"))
        assert told.keys() == {"deleted"}
