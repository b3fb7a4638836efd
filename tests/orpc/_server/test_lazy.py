"""Lazy parts of a router: loaded by the first call that leads into them, once."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from durable_execution.orpc import CallContext, ORPCError, RPCHandler, lazy, rpc
from tests.orpc._server.driver import ask

PING = rpc.handler(lambda: "pong")
ROUTER = {"ping": PING, "deep": {"er": PING}}


class Loader:
    """Counts its calls; a coroutine of it waits until it may go on."""

    def __init__(self, result: Any = ROUTER) -> None:
        self.result = result
        self.calls = 0
        self.may_go_on = asyncio.Event()
        self.has_begun = asyncio.Event()

    async def __call__(self) -> Any:
        self.calls += 1
        self.has_begun.set()
        await self.may_go_on.wait()
        return self.result


async def test_nothing_is_loaded_before_a_call_leads_into_it() -> None:
    loader = Loader()
    loader.may_go_on.set()
    app = RPCHandler({"ping": PING, "planets": lazy(loader)})

    assert (await ask(app, "/ping")).json() == {"json": "pong"}
    assert (await ask(app, "/planetsX/ping")).status == 404
    assert loader.calls == 0
    assert (await ask(app, "/planets/ping")).json() == {"json": "pong"}
    assert (await ask(app, "/planets/deep/er")).json() == {"json": "pong"}
    assert (await ask(app, "/planets/unknown")).status == 404
    assert (await ask(app, "/planets")).status == 404
    assert loader.calls == 1


async def test_calls_that_arrive_together_load_it_once() -> None:
    loader = Loader()
    app = RPCHandler({"planets": lazy(loader)})

    calls = [asyncio.create_task(ask(app, "/planets/ping")) for _ in range(5)]
    await loader.has_begun.wait()
    loader.may_go_on.set()

    assert [answer.status for answer in await asyncio.gather(*calls)] == [200] * 5
    assert loader.calls == 1


async def test_caller_that_leaves_does_not_stop_the_loading_for_the_others() -> None:
    loader = Loader()
    app = RPCHandler({"planets": lazy(loader)})
    first = asyncio.create_task(ask(app, "/planets/ping"))
    await loader.has_begun.wait()
    second = asyncio.create_task(ask(app, "/planets/ping"))

    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    loader.may_go_on.set()

    assert (await second).status == 200
    assert loader.calls == 1


async def test_plain_function_runs_beside_the_event_loop() -> None:
    threads = []

    def load() -> Any:
        threads.append(threading.current_thread())
        return PING

    app = RPCHandler({"ping": lazy(load)})

    assert (await ask(app, "/ping")).json() == {"json": "pong"}
    assert threads != [threading.current_thread()]


async def test_function_that_gives_a_coroutine_is_awaited() -> None:
    loader = Loader()
    loader.may_go_on.set()
    app = RPCHandler(lazy(lambda: loader()))

    assert (await ask(app, "/deep/er")).json() == {"json": "pong"}


async def test_text_names_a_module_and_what_is_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = (
        "from durable_execution.orpc import rpc\n"
        "class Rooms:\n    router = {'ping': rpc.handler(lambda: 'pong')}\n"
    )
    (tmp_path / "lazy_rooms.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    app = RPCHandler({"rooms": lazy("lazy_rooms:Rooms.router")})

    assert "lazy_rooms" not in sys.modules
    assert (await ask(app, "/rooms/ping")).json() == {"json": "pong"}


async def test_lazy_parts_may_hold_lazy_parts() -> None:
    app = RPCHandler(lazy(lambda: lazy(lambda: {"a": {"b": lazy(lambda: {"c": PING})}})))

    assert (await ask(app, "/a/b/c")).json() == {"json": "pong"}


async def test_one_lazy_part_at_two_places_is_loaded_once() -> None:
    loader = Loader()
    loader.may_go_on.set()
    part = lazy(loader)
    app = RPCHandler({"old": part, "new": part})

    for path in ("/old/ping", "/new/ping"):
        assert (await ask(app, path)).status == 200
    assert loader.calls == 1


async def test_middlewares_and_errors_of_a_router_reach_into_lazy_parts() -> None:
    async def refuse(ctx: CallContext, value: Any, proceed: Any) -> Any:
        if "token" not in ctx.headers:
            raise ORPCError("NO_TOKEN", status=401)
        return await proceed()

    loader = Loader()
    loader.may_go_on.set()
    guarded = rpc.use(refuse).errors({"NO_TOKEN": {"status": 401}})
    app = RPCHandler(guarded.router({"planets": lazy(loader)}))

    refused = (await ask(app, "/planets/ping")).error()
    assert (refused["code"], refused["defined"]) == ("NO_TOKEN", True)
    headers = [("token", "x"), ("content-type", "application/json")]
    assert (await ask(app, "/planets/deep/er", headers=headers)).status == 200
    assert loader.calls == 1


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_failed_loading_is_logged_hidden_from_the_caller_and_tried_again(
    caplog: pytest.LogCaptureFixture, method: str
) -> None:
    results: list[Any] = [ModuleNotFoundError("no module 'secret'"), PING]

    def load() -> Any:
        result = results.pop(0)
        if isinstance(result, Exception):
            raise result
        return {"ping": result}

    app = RPCHandler({"a": {"planets": lazy(load)}}, strict_get=False)

    with caplog.at_level(logging.ERROR):
        answer = await ask(app, "/a/planets/ping", method=method)
    assert answer.error()["message"] == "Internal server error"
    assert "secret" not in answer.body.decode()
    assert "router.a.planets" in caplog.text
    assert "cannot be loaded: no module 'secret'" in caplog.text
    assert (await ask(app, "/a/planets/ping", method=method)).status == 200


async def test_failure_that_nobody_waits_for_any_more_is_silent(
    caplog: pytest.LogCaptureFixture,
) -> None:
    loader = Loader({"ping": PING})
    app = RPCHandler({"planets": lazy(lambda: fail(loader))})

    async def fail(loader: Loader) -> Any:
        await loader()
        raise ValueError("late")

    only = asyncio.create_task(ask(app, "/planets/ping"))
    await loader.has_begun.wait()
    only.cancel()
    with pytest.raises(asyncio.CancelledError):
        await only
    loader.may_go_on.set()
    await asyncio.wait(asyncio.all_tasks() - {asyncio.current_task()})  # type: ignore[arg-type]
    gc.collect()

    assert "never retrieved" not in caplog.text


async def test_error_of_a_loader_is_no_answer_of_a_procedure() -> None:
    def load() -> Any:
        raise ORPCError("NOT_FOUND")

    answer = await ask(RPCHandler({"a": lazy(load)}), "/a/b")

    assert answer.error()["code"] == "INTERNAL_SERVER_ERROR"


async def test_what_is_no_router_is_named_with_its_place(
    caplog: pytest.LogCaptureFixture,
) -> None:
    loader = Loader({"ping": len})
    loader.may_go_on.set()
    app = RPCHandler({"planets": lazy(loader)})

    for _ in range(2):
        assert (await ask(app, "/planets/ping")).status == 500
    assert "router.planets.ping: expected a procedure or a mapping" in caplog.text


async def test_part_that_loads_itself_is_an_error_and_no_hang(
    caplog: pytest.LogCaptureFixture,
) -> None:
    again = lazy(lambda: again)

    assert (await ask(RPCHandler({"a": again}), "/a")).status == 500
    assert "without an end" in caplog.text


def test_loaded_once_for_many_event_loops() -> None:
    calls = []

    def load() -> Any:
        calls.append(1)
        return ROUTER

    app = RPCHandler({"planets": lazy(load)})

    for _ in range(3):
        assert asyncio.run(ask(app, "/planets/ping")).status == 200
    assert len(calls) == 1


@pytest.mark.parametrize("source", ["planets", "planets:", ":router"])
def test_text_that_is_no_module_and_name_is_refused(source: str) -> None:
    with pytest.raises(ValueError, match="expected 'module:name'"):
        lazy(source)


def test_what_cannot_load_anything_is_refused() -> None:
    source: Any = ROUTER

    with pytest.raises(TypeError, match="expected 'module:name' or a function, got dict"):
        lazy(source)
