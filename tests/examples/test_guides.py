"""The guides do what they say: one test, or a few, for each of them."""

from __future__ import annotations

import asyncio
import inspect
import json
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.request import Request, urlopen

import pytest

from durable_execution import (
    DurableExecutionError,
    DurableExecutor,
    ExecutorOptions,
    InvalidOptionError,
    open_storage,
)
from tests.examples.pages import Page
from tests.served import served


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def module_of(page: Page, file: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A file of a page as the module that it is."""
    name = file.removesuffix(".py")
    module = ModuleType(name)
    monkeypatch.setitem(sys.modules, name, module)
    page.run(page.files[file], into=module)
    return module


async def output_of(executor: DurableExecutor, task: Any, given: object) -> Any:
    return await (await executor.enqueue_task(task, given)).result(timeout=30)


def test_fastapi_app_enqueues_and_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    app = module_of(Page("fastapi.md"), "app.py", monkeypatch).app
    body = json.dumps({"customer": "acme", "year": 2025}).encode()
    headers = {"content-type": "application/json", "idempotency-key": "click-1"}
    with served(app) as origin:
        made = [
            json.load(urlopen(Request(f"{origin}/reports", body, headers), timeout=20))
            for _ in range(2)
        ]
        assert made[0] == made[1]
        with urlopen(f"{origin}/reports/{made[0]['id']}?wait=20", timeout=30) as answer:
            assert json.load(answer) == {"status": "completed", "file": "reports/acme/2025.pdf"}


DJANGO = """
import json
import sys

from django.conf import settings

settings.configure(
    ALLOWED_HOSTS=["*"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "django.db"}},
    ROOT_URLCONF="urls",
    SECRET_KEY="s",
    USE_TZ=True,
)
import django

django.setup()
from django.test import Client

client = Client()
made = [client.post("/sign-up", {"email": "ada@example.com"}) for _ in range(2)]
assert [each.status_code for each in made] == [202, 202], made[0].content
assert made[0].json() == made[1].json()
print(json.dumps(client.get(f"/look/{made[0].json()['id']}").json()))
"""
URLS = """
from django.urls import path

import views

urlpatterns = [path("sign-up", views.sign_up), path("look/<execution_id>", views.look)]
"""


@pytest.mark.processes
def test_django_views_enqueue_after_the_commit(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = Page("django.md")
    page.write_files(folder)
    (folder / "urls.py").write_text(URLS)
    with served(module_of(page, "executor_server.py", monkeypatch).app) as origin:
        monkeypatch.setenv("EXECUTOR_URL", f"{origin}/rpc")
        answer = subprocess.run(
            [sys.executable, "-c", DJANGO],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout) == {
        "status": "completed",
        "output": "sent to ada@example.com",
    }


def test_postgres_page_opens_its_storage_and_knows_all_options(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from durable_execution.storage.sql.postgres_url import _OPTIONS
    from durable_execution.storage.sql.url_options import POOL_SIZE

    monkeypatch.setenv("DATABASE_URL", "postgresql://a@b/c?pool_size=3&sslmode=require")
    page = Page("postgres.md")
    assert page.run()["executor"].options.retention == 30 * 86_400
    for name in _OPTIONS:
        assert f"| `{name}` |" in page.text
    assert f"1 to 1000 | {POOL_SIZE} |" in page.text
    with pytest.raises(InvalidOptionError):
        open_storage("postgresql://a@b/c?pool_size=1001")


async def test_deploy_runs_what_old_code_enqueued() -> None:
    page = Page("deploys.md").run()
    storage = open_storage("sqlite:///deploys.db")
    old = DurableExecutor(storage, ExecutorOptions(max_concurrent_task_executions=0))
    old.include(page["last_month"])
    async with old:
        handle = await old.enqueue_task(page["send_invoice_before"], page["Invoice"](7))
        execution_id = handle.execution_id
        assert not await page["may_remove"](old, "sendInvoice")
    new = DurableExecutor(open_storage("sqlite:///deploys.db"))
    new.include(page["today"])
    async with new:
        again = await new.get_task_execution_handle(page["send_invoice"], execution_id)
        assert await again.result(timeout=30) == "invoice 7 in EUR"
        assert await page["may_remove"](new, "sendInvoice")


async def test_old_code_ignores_a_field_that_it_does_not_know() -> None:
    page = Page("deploys.md").run()
    old = DurableExecutor(open_storage("sqlite:///deploys.db"))
    old.include(page["last_month"])
    enqueuing = DurableExecutor(
        open_storage("sqlite:///deploys.db"), ExecutorOptions(max_concurrent_task_executions=0)
    )
    enqueuing.include(page["today"])
    async with enqueuing:
        given = page["InvoiceInCurrency"](8, "CHF")
        execution_id = (await enqueuing.enqueue_task(page["send_invoice"], given)).execution_id
    async with old:
        handle = await old.get_task_execution_handle(page["send_invoice_before"], execution_id)
        assert await handle.result(timeout=30) == "invoice 8"


async def test_input_that_new_code_cannot_read_fails_and_can_be_retried() -> None:
    storage = "sqlite:///deploys.db"
    old, new, repaired = (DurableExecutor(open_storage(storage)) for _ in range(3))

    @old.task(id="count", sleep_before_run=0.5)
    async def count_before(ctx: Any, number: int) -> int:
        raise AssertionError

    @new.task(id="count")
    async def count(ctx: Any, number: list[int]) -> int:
        raise AssertionError

    @repaired.task(id="count")
    async def count_again(ctx: Any, number: int) -> int:
        return number

    async with old:
        execution_id = (await old.enqueue_task(count_before, 7)).execution_id
    async with new:
        handle = await new.get_task_execution_handle(count, execution_id)
        with pytest.raises(DurableExecutionError, match="input"):
            await handle.result(timeout=30)
        assert (await new.count_task_executions())["count"].by_status == {"failed": 1}
    async with repaired:
        await repaired.retry_task_execution(count_again, execution_id)
        again = await repaired.get_task_execution_handle(count_again, execution_id)
        assert await again.result(timeout=30) == 7


async def test_repeated_attempts_have_one_effect() -> None:
    page = Page("idempotent-tasks.md").run()
    executor: DurableExecutor = page["executor"]
    async with executor:
        receipt = await output_of(executor, page["charge"], 950)
        assert list(page["provider"].charges.values()) == [950]
        assert receipt == f"ch_{next(iter(page['provider'].charges))}"
        assert await output_of(executor, page["book"], 300) == 300
        assert await output_of(executor, page["ship"], 4) == "parcel 4"
        refund = await executor.enqueue_task(page["refund"], receipt)
        with pytest.raises(DurableExecutionError, match="refunded before"):
            await refund.result(timeout=30)
        assert (await refund.get_execution()).attempt == 0
    page["engine"].dispose()


TESTS = [name for name in Page("testing.md").text.split() if name.startswith("test_")]


@pytest.mark.parametrize("name", sorted({name.partition("(")[0] for name in TESTS}))
async def test_tests_of_the_page_about_testing_pass(name: str) -> None:
    page = Page("testing.md").run()
    test = page[name]
    assert inspect.iscoroutinefunction(test)
    await asyncio.wait_for(test(), 60)


async def test_tuned_executor_runs_and_tells_of_its_storage() -> None:
    page = Page("tuning.md").run()
    async with page["executor"]:
        assert await page["look_up_all"]([1, 2, 3]) == [2, 3, 4]
        assert page["slowest_calls"]()[0][1] > 0


def test_defaults_on_the_page_about_tuning_are_those_there_are() -> None:
    text, options = Page("tuning.md").text, ExecutorOptions()
    written = {
        "max_concurrent_task_executions": "5,000",
        "max_threads": "64",
        "lease": "15 s",
        "poll_interval": "10 s",
        "shutdown_timeout": "15 s",
    }
    assert set(written) <= {field.name for field in fields(ExecutorOptions)}
    for name, value in written.items():
        assert f"`{name}` ({value})" in text
        assert float(value.replace(",", "").removesuffix(" s")) == getattr(options, name)
