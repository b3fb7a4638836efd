"""Routers: what may be in them, and under which URL path it answers."""

from __future__ import annotations

from typing import Any

import pytest

from durable_execution.orpc import RPCHandler, rpc
from durable_execution.orpc._server.router import flatten

PING = rpc.handler(lambda: "pong")


def test_procedures_answer_under_their_encoded_names() -> None:
    router = {"ping": PING, "a b": {"c/d": PING, "": PING}}

    assert {url: path for url, (path, _) in flatten(router).items()} == {
        "/ping": ("ping",),
        "/a%20b/c%2Fd": ("a b", "c/d"),
        "/a%20b/": ("a b", ""),
    }


def test_router_may_be_a_single_procedure() -> None:
    assert flatten(PING) == {"/": ((), PING)}


def test_function_in_a_router_is_refused_with_the_way_out() -> None:
    def ping() -> str:
        return "pong"

    router: Any = {"planet": {"ping": ping}}

    with pytest.raises(TypeError, match=r"router\.planet\.ping: .* got function; .*rpc\.handler"):
        RPCHandler(router)
    with pytest.raises(TypeError, match=r"got function"):
        rpc.router(router)


def test_name_that_is_no_text_is_refused() -> None:
    router: Any = {"planet": {1: PING}}

    with pytest.raises(TypeError, match=r"router\.planet: expected names of type str, got 1"):
        RPCHandler(router)


@pytest.mark.parametrize("use", [RPCHandler, rpc.router])
def test_router_that_contains_itself_is_refused(use: Any) -> None:
    router: dict[str, Any] = {}
    router["again"] = router

    with pytest.raises(ValueError, match="does it contain itself"):
        use(router)
