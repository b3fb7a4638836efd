"""What the README prints is run as it is printed.

Its pieces continue `quickstart.py`, in order.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from durable_execution import DurableExecutor, LoopGaveUp, LoopSucceeded
from durable_execution.orpc import AsgiSender, ORPCError, RPCLink, create_orpc_client
from tests.examples.pages import Page

README = Page("README.md")
PORT = "3000"
"""The one that the README prints; tests take a free one in its place."""
TOKEN = "a-token-of-the-web-app"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    README.write_files(tmp_path)
    return tmp_path


@pytest.fixture
def pieces(folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """All the names that the README defines."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("WEB_APP_TOKENS", TOKEN)
    module = ModuleType("quickstart")
    monkeypatch.setitem(sys.modules, "quickstart", module)
    return README.run(README.files["quickstart.py"], *README.pieces, into=module)


@pytest.fixture
def server(folder: Path) -> Iterator[str]:
    """The server, started with the README's command; gives its port."""
    [command] = (each for each in README.commands() if each.startswith("durable-execution serve"))
    arguments = command.replace(PORT, "0").split()[1:]
    with subprocess.Popen(
        [sys.executable, "-m", "durable_execution.cli", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        banner = process.stdout.readline()
        found = re.search(r":(\d+), 1 task$", banner)
        assert found is not None, banner
        yield found[1]
        process.terminate()
        assert process.wait(timeout=30) == 0


def run(folder: Path, name: str) -> str:
    answer = subprocess.run(
        [sys.executable, name], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


@pytest.mark.processes
def test_quickstart_runs(folder: Path) -> None:
    assert re.fullmatch(r"\{'messageId': 'msg_te_\w{24}'\}\n", run(folder, "quickstart.py"))


@pytest.mark.processes
def test_server_answers_the_client(folder: Path, server: str) -> None:
    client = folder / "client.py"
    assert f"localhost:{PORT}/rpc" in client.read_text()
    client.write_text(client.read_text().replace(PORT, server))
    assert re.fullmatch(r"sent as msg_te_\w{24}\n", run(folder, "client.py"))


async def test_shapes_of_work_do_what_is_said(pieces: dict[str, Any]) -> None:
    executor: DurableExecutor = pieces["executor"]

    async def result(task: str, *given: Any) -> Any:
        handle = await executor.enqueue_task(pieces[task], *given)
        return await handle.result(timeout=20)

    async with executor:
        assert await result("process_batch", ["a", "bc"]) == {"processed": 2, "total": 2}
        assert await result("measure", "four") == "4 characters"
        payment = await executor.enqueue_task(pieces["wait_for_payment"], "order-7")
        await pieces["on_payment_webhook"]("order-7", 9.5)
        assert await payment.result(timeout=20) == 9.5


async def test_loop_ends_as_its_turns_say(pieces: dict[str, Any]) -> None:
    executor: DurableExecutor = pieces["executor"]
    loop = executor.looping_task("quick", pieces["look_for_report"], 2, 0)
    async with executor:
        done = await executor.enqueue_task(loop, "may.pdf")
        never = await executor.enqueue_task(loop, "may.doc")
        assert await done.result(timeout=20) == LoopSucceeded("https://reports.example.com/may.pdf")
        assert await never.result(timeout=20) == LoopGaveUp()


async def test_app_answers_the_call_of_a_remote_task(pieces: dict[str, Any]) -> None:
    link = RPCLink("http://app/api/rpc", sender=AsgiSender(pieces["app"]))
    answer = await create_orpc_client(link).processOrder(
        {"orderId": "7"}, headers={"x-durable-execution-id": "te_1"}
    )
    assert answer == {"transactionId": "txn_te_1"}


async def test_lock_lets_in_who_has_the_token(pieces: dict[str, Any]) -> None:
    sender = AsgiSender(pieces["locked_app"])
    call = {"taskId": "sendEmail", "input": {"to": "a", "subject": "b", "body": "c"}}
    async with pieces["executor"]:
        client = create_orpc_client(RPCLink("http://tasks/rpc", sender=sender))
        with pytest.raises(ORPCError) as raised:
            await client.enqueueTask(call)
        assert raised.value.code == "UNAUTHORIZED"
        execution_id = await client.enqueueTask(call, headers={"authorization": f"Bearer {TOKEN}"})
        assert execution_id.startswith("te_")
