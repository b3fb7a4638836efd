"""The page about oRPC does what it says; see test_readme for how its blocks are read."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from durable_execution.orpc import (
    AsgiSender,
    ORPCError,
    RPCHandler,
    RPCLink,
    call,
    create_orpc_client,
)
from tests.examples.pages import Page
from tests.served import served

PAGE = Page("orpc.md")
FILES = PAGE.files
[PRINTED] = PAGE.of("text")
ORIGIN = "http://localhost:8000"
"""The one that the page prints; tests take a free port in its place."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    PAGE.write_files(tmp_path)
    return tmp_path


@pytest.fixture
def page(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """All the names that the page defines, but for those of its clients."""
    monkeypatch.syspath_prepend(folder)
    module = ModuleType("shop_server")
    monkeypatch.setitem(sys.modules, "shop_server", module)
    yield PAGE.run(FILES["shop_server.py"], *PAGE.pieces, into=module)
    sys.modules.pop("shop", None)


def test_page_has_the_blocks_that_are_looked_at() -> None:
    assert list(FILES) == ["shop.py", "shop_server.py", "shop_client.py", "web.py"]


@pytest.mark.processes
def test_page_passes_a_strict_type_checker(folder: Path) -> None:
    program = ["from __future__ import annotations", FILES["shop_server.py"], *PAGE.pieces]
    (folder / "pieces.py").write_text("\n".join(program), encoding="utf-8")
    answer = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir=.cache", *FILES, "pieces.py"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert answer.returncode == 0, answer.stdout


@pytest.mark.processes
def test_client_prints_what_the_page_prints(folder: Path, page: dict[str, Any]) -> None:
    client = FILES["shop_client.py"]
    assert ORIGIN in client
    with served(page["app"]) as origin:
        (folder / "shop_client.py").write_text(client.replace(ORIGIN, origin))
        answer = subprocess.run(
            [sys.executable, "shop_client.py"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout == PRINTED


def test_web_app_calls_the_shop(page: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    web = ModuleType("web")
    monkeypatch.setitem(sys.modules, "web", web)
    assert ORIGIN in FILES["web.py"]
    with served(page["app"]) as shop:
        exec(compile(FILES["web.py"].replace(ORIGIN, shop), "web.py", "exec"), vars(web))
        with served(vars(web)["app"]) as origin:
            with urllib.request.urlopen(f"{origin}/items/1") as answer:
                assert json.load(answer)["name"] == "lamp"
            with pytest.raises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(f"{origin}/items/7")
            with caught.value as error:
                assert (error.code, json.load(error)) == (404, {"detail": "There is no such item"})


def shop_link(app: Any, **options: Any) -> RPCLink:
    return RPCLink("http://shop/rpc", sender=AsgiSender(app), **options)


async def test_calls_and_errors_are_as_written(page: dict[str, Any]) -> None:
    headers = {"authorization": "Bearer ada"}
    async with shop_link(page["app"], headers=headers) as link, shop_link(page["app"]) as stranger:
        shop = create_orpc_client(link, contract=page["Shop"])
        unknown = create_orpc_client(stranger, contract=page["Shop"])
        order_all = page["order_all"]
        assert (await page["look_up"](create_orpc_client(link), 1)).name == "lamp"
        assert await order_all(shop, 1, 4) == "only 3 left"
        assert await order_all(shop, 1, 1) == "ordered 1 x lamp for ada"
        assert await order_all(shop, 7, 1) == "refused: ITEM_NOT_FOUND"
        with pytest.raises(page["NotSignedIn"]):
            await unknown.items.order(page["Order"](1, 1))


async def test_example_of_a_test_passes(page: dict[str, Any]) -> None:
    await page["test_shop"]()


async def test_procedures_without_a_contract_run(page: dict[str, Any]) -> None:
    assert await call(page["prices"]["prices"]["of"], {"id": 1}) == 28.5
    assert await call(page["prices"]["signOut"]) is None


async def test_plugins_do_what_is_said(page: dict[str, Any]) -> None:
    async with shop_link(page["public"]) as plain, shop_link(page["public"], csrf=True) as link:
        assert await create_orpc_client(link).ping() == "pong"
        with pytest.raises(ORPCError, match="CSRF_TOKEN_MISMATCH"):
            await create_orpc_client(plain).ping()
    async with RPCLink("http://shop", sender=AsgiSender(page["metered"])) as link:
        client = create_orpc_client(link)
        await client.ping()
        with pytest.raises(ORPCError, match="FORBIDDEN"):
            await client.ping(headers={"x-blocked": "1"})
        with pytest.raises(ORPCError, match="NOT_FOUND"):
            await client.items.nothing()
    assert page["counted"].calls == {"ping": 1}


async def test_batch_is_one_request_of_several_calls(page: dict[str, Any]) -> None:
    sent: list[str] = []

    async def counting(scope: Any, receive: Any, send: Any) -> None:
        sent.append(scope["path"])
        await page["batched"](scope, receive, send)

    sender = AsgiSender(counting)
    async with RPCLink("http://shop", sender=sender, batch=page["Batching"]()) as link:
        assert [item.name for item in await page["look_up_all"](link, [1, 1])] == ["lamp"] * 2
    assert sent == ["/items/find/__batch__"]
    await page["batching_link"]("http://shop").aclose()
    assert page["counted"].calls == {"items.find": 2}


async def test_lazy_parts_and_own_types_work(page: dict[str, Any]) -> None:
    async with RPCLink("http://shop", sender=AsgiSender(page["large"])) as link:
        assert await create_orpc_client(link).shop.ping() == "pong"
        assert await create_orpc_client(link).prices.of({"id": 1}) == 28.5
    rules = [page["fraction"]]
    async with RPCLink("http://shop", sender=AsgiSender(page["exact"]), rules=rules) as link:
        assert await create_orpc_client(link).half(Fraction(1, 3)) == Fraction(1, 6)


async def test_streams_are_read_resumed_and_written(page: dict[str, Any]) -> None:
    headers = {"authorization": "Bearer ada"}
    async with shop_link(page["app"], headers=headers) as link:
        shop = create_orpc_client(link, contract=page["Shop"])
        watching = asyncio.create_task(page["until_sold_out"](shop, 1))
        for _ in range(3):
            await shop.items.order(page["Order"](1, 1))
        assert (await watching)[-1] == 0
    async with RPCLink("http://shop", sender=AsgiSender(page["streams"])) as link:
        client = create_orpc_client(link)
        assert await page["read_log"](client, "1") == (["sold a lamp", "closed"], 3)
        assert await page["add_up"](client) == 6


async def test_files_travel_both_ways(
    page: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    page["PHOTOS"].mkdir()
    async with RPCLink("http://shop", sender=AsgiSender(page["photos"])) as link:
        assert await page["exchange_photos"](create_orpc_client(link)) == b"\xff\xd8..."


async def test_beta_of_version_2_is_served_beside_version_1(page: dict[str, Any]) -> None:
    sender = AsgiSender(page["app"])
    for path, dialect in (("rpc", "v1"), ("rpc-beta", "v2")):
        link = RPCLink(f"http://shop/{path}", sender=sender, dialect=dialect)
        assert await create_orpc_client(link).ping() == "pong"


def test_blocking_code_calls_the_same_procedures(
    page: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    with served(RPCHandler(page["prices"])) as origin:
        page["print_price"](origin)
    assert capsys.readouterr().out == "28.5\n"
