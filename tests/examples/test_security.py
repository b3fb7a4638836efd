"""The page about locked doors does what it says."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import jwt
import pytest

from durable_execution.access import Bounds, auth_of
from durable_execution.orpc import (
    AsgiSender,
    Limits,
    ORPCClient,
    ORPCError,
    RPCHandler,
    RPCLink,
    create_orpc_client,
)
from durable_execution.remote.calls import names
from tests.examples.pages import Page
from tests.orpc._server.driver import ask

PAGE = Page("security.md")
TEXT = PAGE.text
OLD, NEW, OPERATOR = "the-old-token-of-the-app", "the-new-token-of-the-app", "token-of-an-operator"
ON_CALL = "the-token-of-who-is-on-call"
KEY = "a key of the identity provider, long enough"


@pytest.fixture
async def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[dict[str, Any]]:
    """All the names that the page defines, its executor running."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WEB_APP_TOKENS", f"{OLD} {NEW}")
    monkeypatch.setenv("OPERATOR_TOKENS", OPERATOR)
    monkeypatch.setenv("ON_CALL_TOKENS", ON_CALL)
    monkeypatch.setenv("JWT_KEY", KEY)
    found = PAGE.run()
    async with found["executor"]:
        yield found


def client_of(app: Any, token: str) -> ORPCClient:
    headers = {"authorization": f"Bearer {token}"}
    return create_orpc_client(RPCLink("http://x/rpc", sender=AsgiSender(app), headers=headers))


async def code_of(call: Any) -> str:
    with pytest.raises(ORPCError) as raised:
        await call
    return raised.value.code


EMAIL = {"taskId": "sendEmail", "input": "ada@example.com"}
ACCOUNT = {"taskId": "deleteAccount", "input": "ada"}


@pytest.mark.parametrize("app", ["app", "bounded_app"])
@pytest.mark.parametrize("token", [OLD, NEW])
async def test_app_reaches_what_it_may_and_the_operator_everything(
    page: dict[str, Any], app: str, token: str
) -> None:
    web, operator = client_of(page[app], token), client_of(page[app], OPERATOR)
    execution_id = await web.enqueueTask(EMAIL)
    waited = await web.waitTaskExecution({"taskId": "sendEmail", "executionId": execution_id})
    assert waited["output"] == "sent to ada@example.com"
    assert await code_of(web.enqueueTask(ACCOUNT)) == "FORBIDDEN"
    assert await code_of(web.listTaskExecutions({})) == "FORBIDDEN"
    assert await code_of(client_of(page[app], "x" * 20).enqueueTask(EMAIL)) == "UNAUTHORIZED"
    assert await operator.enqueueTask(ACCOUNT)
    assert (await ask(page[app], "/healthz", method="GET")).status == 200


async def test_link_of_the_page_sends_the_token(page: dict[str, Any]) -> None:
    link = page["link_to"]("http://x/rpc", OLD)
    link._sender = AsgiSender(page["app"])
    assert await create_orpc_client(link).enqueueTask(EMAIL)


async def test_operators_reach_what_their_access_names(page: dict[str, Any]) -> None:
    operator, on_call = (client_of(page["operators_app"], each) for each in (OPERATOR, ON_CALL))
    email, account = [await operator.enqueueTask(each) for each in (EMAIL, ACCOUNT)]
    (found,) = (await on_call.getTaskExecutionTree({"executionId": email}))["executions"]
    assert found["input"] == "ada@example.com"
    assert await code_of(on_call.getTaskExecutionTree({"executionId": account})) == "NOT_FOUND"
    assert await code_of(on_call.retryTaskExecution({"executionId": account})) == "NOT_FOUND"
    assert await code_of(on_call.getExecutorStats()) == "FORBIDDEN"
    assert (await operator.getExecutorStats())["enqueued"] == 2
    assert (await ask(page["app"], "/rpc/getExecutorStats", "{}")).status == 401
    assert await code_of(client_of(page["app"], OPERATOR).getExecutorStats()) == "NOT_FOUND"


async def test_procedure_of_ones_own_knows_the_caller(page: dict[str, Any]) -> None:
    guard = page["Guard"](RPCHandler({"whoami": page["whoami"]}, prefix="/rpc"), auth=page["auth"])
    assert await client_of(guard, OPERATOR).whoami() == "operator"


def signed(key: str = KEY, **changes: Any) -> str:
    claims = {"sub": "ada", "role": "mailer", "iss": "https://id.example", "aud": "tasks"}
    claims |= {"exp": time.time() + 60, **changes}
    given = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(given, key, algorithm="HS256")


async def test_json_web_token_tells_the_role(page: dict[str, Any]) -> None:
    app = page["app_for"]("https://id.example")
    mailer, admin = client_of(app, signed()), client_of(app, signed(role="admin"))
    assert await mailer.enqueueTask(EMAIL)
    assert await code_of(mailer.enqueueTask(ACCOUNT)) == "FORBIDDEN"
    assert await admin.enqueueTask(ACCOUNT)


@pytest.mark.parametrize(
    "token",
    [
        signed(key="a key of somebody else, just as long"),
        signed(exp=time.time() - 60),
        signed(exp=None),
        signed(sub=None),
        signed(iss="https://evil.example"),
        signed(aud="another-server"),
        signed(role="root"),
        signed(role=None),
        signed().rpartition(".")[0] + ".",
        jwt.encode({"sub": "ada", "role": "admin"}, "", algorithm="none"),
        "nonsense",
    ],
    ids=[
        "key",
        "old",
        "forever",
        "nobody",
        "issuer",
        "audience",
        "role",
        "no role",
        "cut",
        "none",
        "nonsense",
    ],
)
async def test_json_web_token_that_proves_nothing_is_nobody(
    page: dict[str, Any], token: str
) -> None:
    app = page["app_for"]("https://id.example")
    assert await code_of(client_of(app, token).enqueueTask(EMAIL)) == "UNAUTHORIZED"


async def test_application_of_ones_own_has_a_lock_around_its_procedures(
    page: dict[str, Any],
) -> None:
    shop = page["shop"]
    assert auth_of(shop) is page["auth"]
    assert (await ask(shop, "/docs", method="GET")).status == 200
    assert await client_of(shop, OLD).enqueueTask(EMAIL)
    assert await code_of(client_of(shop, OLD).enqueueTask(ACCOUNT)) == "FORBIDDEN"
    assert await code_of(client_of(shop, "x" * 20).enqueueTask(EMAIL)) == "UNAUTHORIZED"


def test_table_of_procedures_names_those_there_are() -> None:
    section = TEXT.partition("## Access")[2].partition("\n## ")[0]
    named = set(re.findall(r"`([a-z]+[A-Z]\w*)`", section))
    assert named - {"open_mounts"} == {
        names.ENQUEUE_TASK,
        names.ENQUEUE_TASKS,
        names.GET_TASK_EXECUTION,
        names.WAIT_TASK_EXECUTION,
        names.WATCH_TASK_EXECUTION,
        names.CANCEL_TASK_EXECUTION,
        names.COMPLETE_TASK,
        names.FAIL_TASK,
        names.HEARTBEAT_TASK,
        names.LIST_TASK_EXECUTIONS,
        names.WAKEUP_SLEEPING_TASK_EXECUTION,
        names.RETRY_TASK_EXECUTION,
        names.GET_TASK_EXECUTION_TREE,
        names.GET_EXECUTOR_STATS,
        names.PRUNE_TASK_EXECUTIONS,
    }


def test_table_of_bounds_has_the_defaults() -> None:
    bounds = Bounds()
    written = {
        "calls": f"{bounds.calls:,}",
        "total_calls": f"{bounds.total_calls:,}",
        "streams": f"{bounds.streams:,}",
        "total_streams": f"{bounds.total_streams:,}",
        "body_bytes": f"{bounds.body_bytes // 2**20} MiB",
        "total_body_bytes": f"{bounds.total_body_bytes // 2**30} GiB",
        "answer_timeout": f"{bounds.answer_seconds:g} s",
        "stream_timeout": f"{(bounds.stream_seconds or 0) / 3600:g} h",
    }
    assert written.keys() == {field.name for field in fields(Bounds)} - {"retry_after"}
    for name, value in written.items():
        assert f"| `{name}` {value} |" in TEXT, name
    limits = Limits()
    assert f"{limits.max_depth}, {limits.max_meta_entries:,}, {limits.max_bigint_digits:,}" in TEXT
