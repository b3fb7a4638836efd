"""Whatever a caller sends, the answer is a 4xx in the error envelope, and never a traceback."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from durable_execution._codec import DIALECTS
from durable_execution.orpc import Dialect, FileLimits, RPCHandler, rpc
from tests.orpc._server.driver import Connection, ask, scope_of

MALFORMED = (
    "Malformed request. Ensure the request body is properly formatted and the 'Content-Type' "
    "header is set correctly."
)
DEEP = 10_000

APP = RPCHandler(
    {
        "echo": rpc.handler(lambda ctx, value: value),
        "typed": rpc.input(dict[str, list[int]]).handler(lambda ctx, value: value),
        "read": rpc.route(method="GET").handler(lambda ctx, value: value),
    },
    prefix="/rpc",
)

BAD_BODIES = {
    "cut off": b'{"json":',
    "not json": b"<xml/>",
    "null": b"null",
    "nan": b'{"json":NaN}',
    "bad utf-8": b"\xff\xfe\x00",
    "utf-16": '{"json":1}'.encode("utf-16"),
    "nul bytes": b"\0" * 100,
    "deep arrays": b'{"json":' + b"[" * DEEP + b"]" * DEEP + b"}",
    "deep objects": b'{"json":' + b'{"a":' * DEEP + b"1" + b"}" * DEEP + b"}",
    "deep and cut off": b"[" * 1_000_000,
    "deep meta": b'{"json":1,"meta":' + b"[" * DEEP + b"]" * DEEP + b"}",
    "meta without target": b'{"json":{},"meta":[[1,"a"]]}',
    "meta prototype": b'{"json":{},"meta":[[3,"__proto__","polluted"]]}',
    "meta constructor": b'{"json":{},"meta":[[3,"constructor","prototype","x"]]}',
    "meta dunder": b'{"json":{},"meta":[[3,"__class__"]]}',
    "meta negative index": b'{"json":["1"],"meta":[[0,-1]]}',
    "meta huge index": b'{"json":["1"],"meta":[[0,1e400]]}',
    "meta object": b'{"json":1,"meta":{}}',
    "many metas": b'{"json":null,"meta":[' + b"[9]," * 200_000 + b"[9]]}",
    "huge bigint": b'{"json":"' + b"9" * 5000 + b'","meta":[[0]]}',
    "bad url": b'{"json":"http://[","meta":[[4]]}',
    "bad map": b'{"json":[1],"meta":[[7]]}',
}


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES.keys())
async def test_body_that_cannot_be_decoded_is_a_400(
    body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await ask(APP, "/rpc/echo", body)

    assert answer.error() == {
        "defined": False,
        "code": "BAD_REQUEST",
        "status": 400,
        "message": MALFORMED,
    }
    assert caplog.records == []


@pytest.mark.parametrize("query", ["data=%7B", "data={", "data=%ff", "data=null", "data=%00"])
async def test_query_that_cannot_be_decoded_is_a_400(query: str) -> None:
    answer = await ask(APP, f"/rpc/read?{query}", b"", method="GET", headers=())

    assert answer.error()["message"] == MALFORMED


async def test_ten_megabytes_are_a_413() -> None:
    answer = await ask(APP, "/rpc/echo", b'{"json":"' + b"x" * 10_000_000 + b'"}')

    assert answer.error()["code"] == "PAYLOAD_TOO_LARGE"


async def test_prototype_key_of_the_value_is_an_ordinary_key() -> None:
    answer = await ask(APP, "/rpc/typed", b'{"json":{"__proto__":["x"]}}')

    assert answer.error()["message"] == "Input validation failed"


@pytest.mark.parametrize(
    "target",
    [
        "/rpc/%",
        "/rpc/%zz",
        "/rpc/%ff%fe",
        "/rpc/\xff",
        "/rpc/%2e%2e%2f%2e%2e",
        "/rpc/../../../etc/passwd",
        "/rpc/" + "a/" * 50_000,
        "/rpc/" + "../" * 50_000,
        "/%/" + "a/" * 50_000,
        "/rpc/__class__",
        "/rpc/typed/__init__",
        "",
        "*",
        "http://other/rpc/echo",
    ],
    ids=lambda target: target[:20],
)
async def test_strange_path_is_not_found(target: str) -> None:
    for root_path in ("", "/rpc", "/rp%c"):
        answer = await ask(APP, target, root_path=root_path)
        assert answer.status == 404


@pytest.mark.parametrize("name", ["content-type", "content-disposition", "content-length", "x-a"])
async def test_giant_or_senseless_header_does_no_harm(name: str) -> None:
    for value in ("x" * 1_000_000, "", "\xff\x00", "-1", "+5", "1_0", "\u00b2"):
        answer = await ask(APP, "/rpc/echo", headers=[(name, value)])
        assert answer.status in (200, 400)


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=10,
)


@settings(deadline=None)
@given(json=json_like, meta=json_like)
@example(json=[None], meta=[[3, 0]])
async def test_any_envelope_is_answered_without_a_failure(json: object, meta: object) -> None:
    import json as text

    body = text.dumps({"json": json, "meta": meta})
    answer = await ask(APP, "/rpc/echo", body)

    assert answer.status in (200, 400)
    typed = await ask(APP, "/rpc/typed", body)
    assert typed.status in (200, 400)


@settings(deadline=None)
@given(body=st.binary(), query=st.binary(), path=st.binary(max_size=30))
async def test_any_bytes_are_answered_without_a_failure(
    body: bytes, query: bytes, path: bytes
) -> None:
    target = "/rpc/echo?" + query.decode("latin-1")

    assert (await ask(APP, target, body)).status in (200, 400)
    assert (await ask(APP, "/rpc/" + path.decode("latin-1"), body)).status in (200, 400, 404)
    read = await ask(APP, "/rpc/read?data=" + query.decode("latin-1"), method="GET")
    assert read.status in (200, 400)


FORM = (
    b'--B\r\nContent-Disposition: form-data; name="data"\r\n\r\n'
    b'{"json":{"a":[{},"1"],"s":[{}]},"meta":[[0,"a",1],[6,"s"]],"maps":[["a",0],["s",0]]}\r\n'
    b'--B\r\nContent-Disposition: form-data; name="0"; filename="a.txt"\r\n'
    b"Content-Type: text/plain\r\n\r\nhey\r\n"
    b'--B\r\nContent-Disposition: form-data; name="1"; filename="b"\r\n\r\nho\r\n--B--\r\n'
)
FORM_APP = {
    dialect: RPCHandler(
        {"p": rpc.handler(lambda ctx, value: None)},
        dialect=dialect,
        files=FileLimits(max_files=3, max_bytes=1000, max_memory=4),
    )
    for dialect in DIALECTS
}
edits = st.lists(
    st.tuples(
        st.integers(0, len(FORM)),
        st.integers(0, 12),
        st.binary(max_size=6) | st.sampled_from([b"\r\n", b"--B", b'"', b"[", b"\r\n--B\r\n"]),
    ),
    max_size=4,
)


@settings(deadline=None)
@given(edits=edits, cuts=st.lists(st.integers(0, len(FORM)), max_size=4))
@example(edits=[], cuts=[])
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_any_form_is_answered_without_a_failure(
    dialect: Dialect, edits: list[tuple[int, int, bytes]], cuts: list[int]
) -> None:
    body = FORM
    for place, length, replacement in edits:
        body = body[:place] + replacement + body[place + length :]
    places = [0, *sorted(cut for cut in cuts if cut < len(body)), len(body)]
    connection = Connection(body[start:end] for start, end in pairwise(places))
    headers = [("content-type", "multipart/form-data; boundary=B")]
    await FORM_APP[dialect](scope_of("POST", "/p", headers), connection.receive, connection.send)

    assert connection.answer().status in ((200, 400, 413) if edits else (200,))


@settings(deadline=None)
@given(content_type=st.binary(max_size=30), body=st.binary(max_size=60))
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_any_content_type_of_a_form_is_answered_without_a_failure(
    dialect: Dialect, content_type: bytes, body: bytes
) -> None:
    text = "multipart/form-data" + content_type.decode("latin-1")
    answer = await ask(FORM_APP[dialect], "/p", body, headers=[("content-type", text)])

    assert answer.status in (200, 400)
