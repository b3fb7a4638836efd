"""Commands that ask an executor server, with a token."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from typer.testing import Result

from tests.cli.served import served
from tests.cli.shop import APPLICATION, CALLER, STOPPER, TOKEN
from tests.cli.test_commands import invoke, lines

pytestmark = pytest.mark.processes

Ask = Callable[..., Result]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("shop")
    (folder / "shop.py").write_text(APPLICATION)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SHOP_DATABASE", "sqlite:///shop.db")
        with served(folder, target="shop:app") as server:
            yield f"{server.url}/rpc"


@pytest.fixture
def ask(url: str) -> Ask:
    def ask(*arguments: str, token: str = TOKEN) -> Result:
        return invoke(*arguments, DURABLE_EXECUTION_SERVER=url, DURABLE_EXECUTION_TOKEN=token)

    return ask


def test_a_task_is_enqueued_and_followed(ask: Ask) -> None:
    done = ask("enqueue", "charge", "5", "--key", "k", "--wait", "--json")
    assert done.exit_code == 0
    first, *changes = lines(done)
    assert changes[-1]["execution"]["output"] == "paid 5"
    assert ask("enqueue", "charge", "5", "--key", "k").stdout.strip() == first["executionId"]
    (shown,) = lines(ask("show", first["executionId"], "--task", "charge", "--json"))
    assert shown["execution"]["output"] == "paid 5"
    listed = lines(ask("list", "--task", "charge", "--json"))
    assert first["executionId"] in [each["executionId"] for each in listed]


def test_a_tree_is_shown_with_what_is_below(ask: Ask) -> None:
    failed = ask("enqueue", "order", "[5, 500]", "--wait")
    assert failed.exit_code == 1
    execution_id = failed.stdout.splitlines()[0]
    (tree,) = lines(ask("show", execution_id, "--task", "order", "--json"))
    below = [each["execution"]["taskId"] for each in tree["children"]]
    assert below == ["charge", "charge", "order_finalize"]
    assert "order finalize_failed" in ask("show", execution_id, "--task", "order").stdout


def test_what_waits_is_cancelled_and_what_sleeps_is_woken(ask: Ask) -> None:
    late = ask("enqueue", "charge", "5", "--delay", "1h").stdout.strip()
    assert ask("cancel", late, "--task", "charge").stdout == f"{late} cancelled\n"
    ask("enqueue", "bell", '"ring"')
    assert ask("wake", "bell", "ring", '"morning"').exit_code == 0
    assert ask("wake", "bell", "ring", '"again"').exit_code == 0
    assert ask("wake", "bell", "nobody", '"x"').exit_code == 4


def test_inputs_are_checked_by_the_server(ask: Ask) -> None:
    refused = ask("enqueue", "charge", '"five"')
    assert refused.exit_code == 2
    assert "error: " in refused.stderr
    assert ask("enqueue", "nothing").exit_code == 4


@pytest.mark.parametrize("token", ["", "wrong"])
def test_without_the_token_nothing_is_told(ask: Ask, token: str) -> None:
    refused = ask("list", token=token)
    assert refused.exit_code == 5
    assert "UNAUTHORIZED" in refused.stderr


@pytest.mark.parametrize(
    "arguments", [("retry", "x"), ("stats",), ("prune", "--older-than", "1h", "--yes")], ids=str
)
def test_what_a_server_does_not_offer_is_said_kindly(url: str, arguments: tuple[str, ...]) -> None:
    old = url.replace("/rpc", "/old")
    refused = invoke(*arguments, "--server", old, "--token", TOKEN)
    assert refused.exit_code == 1
    assert "does not offer" in refused.stderr
    assert "--database" in refused.stderr
    forbidden = invoke(*arguments, "--server", url, "--token", CALLER)
    assert forbidden.exit_code == 5
    assert "for operators (FORBIDDEN)" in forbidden.stderr


def test_who_is_no_operator_sees_trees_without_payloads(ask: Ask, url: str) -> None:
    execution_id = ask("enqueue", "order", "[5, 6]", "--wait").stdout.splitlines()[0]
    (whole,) = lines(ask("show", execution_id, "--json"))
    assert [each["execution"].get("output") for each in whole["children"]] == [
        "paid 5",
        "paid 6",
        2,
    ]
    for server, token in ((url, CALLER), (url.replace("/rpc", "/old"), TOKEN)):
        asked = ("--server", server, "--token", token)
        (tree,) = lines(invoke("show", execution_id, "--task", "order", "--json", *asked))
        assert tree["execution"]["output"] == 2
        assert [each["execution"]["taskId"] for each in tree["children"]] == ["charge", "charge"]
        assert "output" not in tree["children"][0]["execution"]
        (cut,) = lines(
            invoke("show", execution_id, "--task", "order", "--limit", "1", "--json", *asked)
        )
        assert (len(cut["children"]), cut["leftOut"]) == (1, 1)
        (same,) = lines(invoke("show", execution_id, "--json", *asked))
        assert same["execution"]["taskId"] == "order"


def test_the_task_of_an_execution_is_found_out(ask: Ask) -> None:
    late = ask("enqueue", "charge", "5", "--delay", "1h").stdout.strip()
    assert ask("cancel", late).stdout == f"{late} cancelled\n"
    assert "charge cancelled" in ask("watch", late).stdout
    assert ask("cancel", f"{late[:-1]}").exit_code == 4
    assert ask("cancel", late, token="").exit_code == 5
    blind = ask("cancel", late, token=STOPPER)
    assert (blind.exit_code, "with --task" in blind.stderr) == (2, True)
    assert ask("cancel", late, "--task", "charge", token=STOPPER).exit_code == 0


def test_an_address_without_tasks_is_told(url: str) -> None:
    elsewhere = url.removesuffix("/rpc") + "/elsewhere"
    result = invoke("list", "--server", elsewhere, "--token", TOKEN)
    assert result.exit_code == 4
    assert "has no procedure listTaskExecutions" in result.stderr
