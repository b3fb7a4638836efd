"""Requests of version 2, and of mixed pairs of versions, get the recorded answers."""

from __future__ import annotations

from typing import Any

import pytest

from durable_execution.orpc import BatchHandlerPlugin, Dialect, OctetStream, RPCHandler
from tests.orpc._server.driver import ask
from tests.orpc._server.lab import Recorder
from tests.orpc._server.lab_v2 import lab_router_of
from tests.orpc._server.test_vectors import assert_answer
from tests.vectors.notation import from_notation, load_vectors, same

# Sections: the dialect of the server, and what is left out with its reason.
SECTIONS: dict[str, tuple[Dialect, dict[str, str]]] = {
    "exchanges_v2_beta": (
        "v2",
        {},
    ),
    "cross_v2_beta_client_v1_server": ("v1", {}),
    "cross_v1_client_v2_beta_server": (
        "v2",
        {
            "post-rich-types": "this reader of version 2 takes the tags of version 1; see below",
            "sse-input": "the client fails before anything is sent",
        },
    ),
    "cross_stray_2_0_0_client_v1_server": ("v1", {}),
}
VECTORS = {section: {v["name"]: v for v in load_vectors(f"{section}.json")} for section in SECTIONS}


@pytest.mark.parametrize(
    ("section", "name"),
    [
        pytest.param(section, name, id=f"{section}-{name}")
        for section, (_, left_out) in SECTIONS.items()
        for name in VECTORS[section]
        if name not in left_out
    ],
)
async def test_request_is_answered_as_recorded(section: str, name: str) -> None:
    vector, (dialect, _) = VECTORS[section][name], SECTIONS[section]
    recorder = Recorder()
    plugins = [BatchHandlerPlugin()] if section == "exchanges_v2_beta" else []
    app = RPCHandler(
        lab_router_of(recorder, dialect), prefix="/rpc", dialect=dialect, plugins=plugins
    )
    for exchange in vector["http"]:
        request = exchange["request"]
        answer = await ask(
            app,
            request["target"],
            request["body"]["text"],
            method=request["method"],
            headers=[tuple(pair) for pair in request["headers"]],
        )
        assert_answer(answer, exchange["response"])
    if "server_inputs" in vector:
        assert [list(path) for path, _ in recorder.calls] == [
            given["path"] for given in vector["server_inputs"]
        ]
        return
    paths = [list(path) for path, _ in recorder.calls]
    assert paths == ([vector["server_path"]] if "server_path" in vector else [])
    for _, value in recorder.calls:
        if vector["server_input"] != {"$": "event-iterator"}:
            assert same(value, from_notation(vector["server_input"]))


@pytest.mark.parametrize("section", SECTIONS)
def test_everything_left_out_is_a_vector(section: str) -> None:
    assert SECTIONS[section][1].keys() <= VECTORS[section].keys()


async def test_tags_of_version_1_reach_a_server_of_version_2() -> None:
    request = VECTORS["cross_v1_client_v2_beta_server"]["post-rich-types"]["http"][0]["request"]
    sent = VECTORS["exchanges_v2_beta"]["post-rich-types"]
    recorder = Recorder()
    app = RPCHandler(lab_router_of(recorder, "v2"), prefix="/rpc", dialect="v2")
    answer = await ask(app, request["target"], request["body"]["text"])
    assert same(recorder.calls[0][1], from_notation(sent["server_input"]))
    assert_answer(answer, sent["http"][0]["response"])


# What no exchange was recorded of (WIRE.md 11.3)


async def answered(
    method: str = "POST",
    target: str = "/rpc/echo",
    body: str = '{"json":1}',
    **headers: str,
) -> Any:
    recorder = Recorder()
    app = RPCHandler(lab_router_of(recorder, "v2"), prefix="/rpc", dialect="v2")
    pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return await ask(app, target, body, method=method, headers=pairs), recorder


@pytest.mark.parametrize("mode", ["navigate", "no-cors", "websocket", "cors, no-cors"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_what_a_browser_sends_on_its_own_is_forbidden(method: str, mode: str) -> None:
    answer, recorder = await answered(method, sec_fetch_mode=mode, content_type="application/json")
    assert answer.status == 403
    assert answer.json()["json"] == {
        "defined": False,
        "inferable": False,
        "code": "FORBIDDEN",
        "message": "Request blocked by CSRF protection.",
    }
    assert recorder.calls == []


@pytest.mark.parametrize("mode", ["cors", "same-origin", "CORS"])
async def test_what_a_page_may_send_is_answered(mode: str) -> None:
    answer, _ = await answered(sec_fetch_mode=mode, content_type="application/json")
    assert (answer.status, answer.json()) == (200, {"json": 1})


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/rpc/%65cho", 200),
        ("/rpc/%65%63%68%6F", 200),
        ("/rpc/odd%20name%2f%c3%a9", 200),
        ("/rpc/odd%20name/%C3%A9", 404),
        ("/rpc/%zz", 404),
        ("/rpc/%65cho/%FF", 404),
    ],
)
async def test_a_path_is_tried_again_in_its_usual_encoding(target: str, status: int) -> None:
    answer, _ = await answered(target=target, content_type="application/json")
    assert answer.status == status


@pytest.mark.parametrize(
    ("headers", "kind"),
    [
        ({}, "undefined"),
        ({"content_length": "0"}, "undefined"),
        ({"content_length": "3"}, "file"),
        ({"content_type": "text/plain", "content_length": "3"}, "file"),
        ({"content_type": "text/plain"}, "stream"),
        ({"content_type": "application/json; charset=utf-8"}, "value"),
        ({"content_type": "application/json", "standard_server": "none"}, "undefined"),
        ({"content_type": "text/plain", "standard_server": "json"}, "value"),
        ({"content_type": "application/json", "standard_server": "file"}, "file"),
        ({"content_type": "application/json", "standard_server": "octet-stream"}, "stream"),
        ({"content_type": "application/x-www-form-urlencoded"}, "undefined"),
        ({"content_type": "application/json", "content_disposition": "inline"}, "value"),
    ],
)
async def test_a_body_is_what_its_hint_or_its_type_says(headers: Any, kind: str) -> None:
    _, recorder = await answered(body='{"json":1}', **headers)
    [(_, value)] = recorder.calls
    if kind == "value":
        assert value == 1
    elif kind == "undefined":
        assert same(value, from_notation({"$": "undefined"}))
    elif kind == "file":
        assert (value.name, value.read_bytes()) == ("blob", b'{"json":1}')
    else:
        assert isinstance(value, OctetStream)
