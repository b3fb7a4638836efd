from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.responses import PlainTextResponse

from durable_execution import (
    DurableExecutor,
    ExecutorOptions,
    InMemoryStorage,
    InvalidOptionError,
    StorageUnavailableError,
    TaskContext,
)
from durable_execution.orpc import (
    AsgiSender,
    ORPCError,
    Request,
    RPCHandler,
    RPCLink,
    create_orpc_client,
    rpc,
)
from durable_execution.server import (
    FULL_ACCESS,
    Access,
    BearerToken,
    BearerTokens,
    Bounds,
    create_executor_app,
)
from durable_execution.storage.protocol import Beat, Pulse

ORIGIN = "http://executor"


class LostStorage(InMemoryStorage):
    """Beats fail once it is out of reach."""

    is_out_of_reach = False

    async def heartbeat(self, beat: Beat) -> Pulse:
        if self.is_out_of_reach:
            raise StorageUnavailableError("connection refused by 10.0.0.7")
        return await super().heartbeat(beat)


def make_executor(storage: InMemoryStorage | None = None) -> DurableExecutor:
    return DurableExecutor(storage or InMemoryStorage(), ExecutorOptions(lease=0.3))


def handler_of(executor: DurableExecutor) -> RPCHandler:
    @executor.task
    async def double(ctx: TaskContext, number: int) -> int:
        return number * 2

    @rpc.handler
    async def run(ctx: object, number: int) -> int:
        return await (await executor.enqueue_task(double, number)).result()

    return RPCHandler({"run": run})


async def health(app: Any) -> tuple[int, dict[str, str]]:
    request = Request("GET", "/healthz", origin=ORIGIN)
    response = await AsgiSender(app).send(request, max_response_size=1000)
    return response.status, json.loads(response.body)


async def test_lifespan_starts_and_drains_the_executor() -> None:
    executor = make_executor()
    app = create_executor_app(executor, {"/rpc": handler_of(executor)})
    assert not executor.is_healthy
    async with app.router.lifespan_context(app):
        client = create_orpc_client(RPCLink(f"{ORIGIN}/rpc", sender=AsgiSender(app)))
        assert await client.run(21) == 42
    assert not executor.is_healthy


async def test_resources_are_there_for_as_long_as_the_executor_runs() -> None:
    executor = make_executor()
    seen: list[tuple[str, bool]] = []

    @asynccontextmanager
    async def resource(name: str) -> AsyncIterator[None]:
        seen.append((f"enter {name}", executor.is_healthy))
        yield
        seen.append((f"leave {name}", executor.is_healthy))

    app = create_executor_app(executor, {}, resources=[resource("a"), resource("b")])
    async with app.router.lifespan_context(app):
        seen.append(("run", executor.is_healthy))
    assert seen == [
        ("enter a", False),
        ("enter b", False),
        ("run", True),
        ("leave b", False),
        ("leave a", False),
    ]


async def test_routes_of_the_application_stay_reachable_beside_the_mounts() -> None:
    executor = make_executor()
    app = create_executor_app(executor, {"/rpc": handler_of(executor)})
    app.mount("/", PlainTextResponse("pages"))
    sender = AsgiSender(app)

    async def body_of(path: str) -> bytes:
        request = Request("GET", path, origin=ORIGIN)
        body = (await sender.send(request, max_response_size=1000)).body
        assert isinstance(body, bytes)
        return body

    assert b"pages" == await body_of("/anything") == await body_of("/rpcs/run")
    assert await body_of("/rpc/nothing") == b"Not found"
    assert b"status" in await body_of("/healthz")


async def test_health_follows_the_life_of_the_executor() -> None:
    app = create_executor_app(make_executor(), {})
    assert (await health(app))[0] == 503
    async with app.router.lifespan_context(app):
        assert await health(app) == (200, {"status": "ok", "hearing": "told"})
    assert (await health(app))[0] == 503


async def test_health_is_503_without_details_once_the_lease_is_lost() -> None:
    storage = LostStorage()
    app = create_executor_app(make_executor(storage), {})
    async with app.router.lifespan_context(app):
        storage.is_out_of_reach = True
        async with asyncio.timeout(30):
            while (await health(app))[0] == 200:
                await asyncio.sleep(0.02)  # the lease is of the heart's own thread and clock
        status, body = await health(app)
        assert (status, body["status"]) == (503, "unavailable")
        assert "10.0.0.7" not in json.dumps(body)
        storage.is_out_of_reach = False


async def test_path_without_a_mount_is_not_found_rather_than_redirected() -> None:
    executor = make_executor()
    app = create_executor_app(executor, {"/rpc": handler_of(executor)})
    async with app.router.lifespan_context(app):
        client = create_orpc_client(RPCLink(ORIGIN, sender=AsgiSender(app)))
        with pytest.raises(ORPCError) as raised:
            await client.rpc()
    assert raised.value.code == "NOT_FOUND"


@pytest.mark.parametrize("path", ["rpc", "/rpc/", "/", "", "/healthz"])
def test_paths_that_would_never_answer_are_refused(path: str) -> None:
    executor = make_executor()
    with pytest.raises(InvalidOptionError, match="mounts: "):
        create_executor_app(executor, {path: handler_of(executor)})


def test_a_router_is_no_application() -> None:
    executor = DurableExecutor(InMemoryStorage())
    with pytest.raises(InvalidOptionError, match=r"RPCHandler\(router\) makes one"):
        create_executor_app(executor, {"/rpc": {}})  # type: ignore[dict-item]


def test_missing_starlette_is_answered_with_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "starlette.applications", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'durable-execution\[server\]'"):
        create_executor_app(make_executor(), {})


async def test_executor_lives_in_the_lifespan_of_a_fastapi_application() -> None:
    executor = make_executor()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with executor:
            yield

    app = FastAPI(lifespan=lifespan)
    app.mount("/rpc", handler_of(executor))
    async with app.router.lifespan_context(app):
        assert executor.is_healthy
        client = create_orpc_client(RPCLink(f"{ORIGIN}/rpc", sender=AsgiSender(app)))
        assert await client.run(4) == 8
    assert not executor.is_healthy


FULL, LIMITED = "a-token-for-everything", "a-token-for-one-thing"
AUTH = BearerTokens(
    {
        "operator": BearerToken(FULL, access=FULL_ACCESS),
        "web-app": BearerToken(LIMITED, access=Access(tasks="*", procedures={"run"})),
    }
)


async def status_of(app: Any, path: str, token: str | None = None) -> int:
    headers = () if token is None else (("authorization", f"Bearer {token}"),)
    request = Request("POST", path, headers=headers, body=b'{"json":4}', origin=ORIGIN)
    return (await AsgiSender(app).send(request, max_response_size=1000)).status


async def test_everything_but_the_health_is_locked() -> None:
    executor = make_executor()
    app = create_executor_app(executor, {"/rpc": handler_of(executor)}, auth=AUTH)
    app.mount("/ui", PlainTextResponse("a page"))  # later, and locked all the same
    app.mount("/", PlainTextResponse("pages"))
    assert app.state.auth is AUTH
    async with app.router.lifespan_context(app):
        assert (await health(app))[0] == 200
        for path in ("/rpc/run", "/rpc/nothing", "/ui/", "/anything", "/healthz/x"):
            assert await status_of(app, path) == 401, path
            assert await status_of(app, path, "a-token-of-nobody-here") == 401, path
        answers = [
            (await status_of(app, path, LIMITED), await status_of(app, path, FULL))
            for path in ("/rpc/run", "/rpc/nothing", "/ui/", "/anything")
        ]
        assert answers == [(200, 200), (404, 404), (403, 200), (403, 200)]


async def test_mount_with_a_lock_of_its_own_is_open_within_the_bounds() -> None:
    executor = make_executor()
    inside, outside = handler_of(executor), RPCHandler({"echo": rpc.handler(lambda: "open")})
    app = create_executor_app(
        executor,
        {"/rpc": inside, "/callbacks": outside},
        auth=AUTH,
        bounds=Bounds(body_bytes=9),
        open_mounts=["/callbacks"],
    )
    assert await status_of(app, "/callbacks/echo") == 429  # of ten bytes
    app = create_executor_app(
        executor, {"/rpc": inside, "/callbacks": outside}, auth=AUTH, open_mounts=["/callbacks"]
    )
    assert await status_of(app, "/callbacks/echo") == 200
    for path in ("/rpc/run", "/callbacks", "/callbacksx"):
        assert await status_of(app, path) == 401, path
    assert await status_of(app, "/callbacks/../rpc/run") == 404
    with pytest.raises(InvalidOptionError, match="'/callbacks' is also mounted locked"):
        create_executor_app(
            executor, {"/rpc": inside, "/callbacks": inside}, open_mounts=["/callbacks"]
        )
    with pytest.raises(InvalidOptionError, match="open_mounts: nothing is mounted at '/other'"):
        create_executor_app(executor, {"/rpc": inside}, open_mounts=["/other"])


async def test_client_with_a_token_is_answered_and_one_without_told_why() -> None:
    executor = make_executor()
    app = create_executor_app(executor, {"/rpc": handler_of(executor)}, auth=AUTH)
    async with app.router.lifespan_context(app):
        headers = {"authorization": f"Bearer {LIMITED}"}
        link = RPCLink(f"{ORIGIN}/rpc", sender=AsgiSender(app), headers=headers)
        assert await create_orpc_client(link).run(21) == 42
        with pytest.raises(ORPCError) as raised:
            await create_orpc_client(RPCLink(f"{ORIGIN}/rpc", sender=AsgiSender(app))).run(21)
        assert (raised.value.code, raised.value.status) == ("UNAUTHORIZED", 401)


async def test_bounds_hold_without_auth() -> None:
    executor = make_executor()
    bounds = Bounds(answer_timeout=0.05)

    @rpc.handler
    async def hang() -> None:
        await asyncio.Event().wait()

    app = create_executor_app(executor, {"/rpc": RPCHandler({"hang": hang})}, bounds=bounds)
    assert app.state.auth is None
    assert await status_of(app, "/rpc/hang") == 503


class Living:
    """Has a life of its own, and notes whether the executor was healthy at its ends."""

    serves_browsers = True

    def __init__(self, executor: DurableExecutor) -> None:
        self.executor = executor
        self.notes: list[tuple[str, bool]] = []

    async def __aenter__(self) -> None:
        self.notes.append(("entered", self.executor.is_healthy))

    async def __aexit__(self, *error: object) -> None:
        self.notes.append(("left", self.executor.is_healthy))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await PlainTextResponse(scope["path"])(scope, receive, send)


async def test_mount_with_a_life_lives_while_the_executor_does() -> None:
    executor = make_executor()
    living = Living(executor)
    app = create_executor_app(executor, {"/ui": living})
    async with app.router.lifespan_context(app):
        assert living.notes == [("entered", True)]
    assert living.notes == [("entered", True), ("left", True)]


async def test_mount_for_browsers_is_found_without_a_slash() -> None:
    executor = make_executor()
    inside = PlainTextResponse("found")
    app = create_executor_app(executor, {"/ui": Living(executor), "/other": inside})
    assert await status_of(app, "/ui") == 200
    assert await status_of(app, "/ui/") == 200
    assert await status_of(app, "/uix") == 404
    assert await status_of(app, "/other") == 404


def test_what_authenticates_nobody_is_refused() -> None:
    with pytest.raises(InvalidOptionError, match="auth: expected an object"):
        create_executor_app(make_executor(), {}, auth="a token")  # type: ignore[arg-type]
