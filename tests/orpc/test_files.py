"""Files through client and server: as inputs and outputs, by hints, and until the call ends."""

from __future__ import annotations

import asyncio
import io
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

import msgspec
import pydantic
import pytest
from starlette.datastructures import UploadFile

from durable_execution.orpc import (
    AsgiSender,
    CallContext,
    Dialect,
    EncodeError,
    File,
    FileLimits,
    JsSet,
    OctetStream,
    ORPCError,
    Procedure,
    RPCHandler,
    RPCLink,
    RPCResponseError,
    Rule,
    create_orpc_client,
    rpc,
)
from tests.orpc.pieces import Pieces

LARGE = bytes(range(256)) * 8192  # 2 MiB: on disk, in both directions

both_dialects = pytest.mark.parametrize("dialect", ["v1", "v2"])


def link_to(
    procedure: Procedure,
    dialect: Dialect = "v1",
    *,
    handler: dict[str, Any] | None = None,
    **link: Any,
) -> RPCLink:
    app = RPCHandler({"p": procedure}, dialect=dialect, **(handler or {}))
    return RPCLink("http://app", sender=AsgiSender(app), dialect=dialect, **link)


async def call(procedure: Procedure, value: Any, dialect: Dialect = "v1", **settings: Any) -> Any:
    async with link_to(procedure, dialect, **settings) as link:
        return await link.call(["p"], value)


def echo() -> Procedure:
    return rpc.handler(lambda ctx, value: value)


def open_files() -> set[str]:
    """Paths and pipes of this process; those of the event loop and of tests stay the same."""
    return {
        f"{link.name}:{link.readlink()}"
        for link in Path("/proc/self/fd").iterdir()
        if link.exists()
    }


@both_dialects
@pytest.mark.parametrize("content", [b"", b"hi", LARGE], ids=["empty", "small", "large"])
async def test_a_file_comes_back_as_it_went(content: bytes, dialect: Dialect) -> None:
    sent = File(content, 'n\xe4"me\r\n.txt', "text/plain;charset=utf-8")
    for value in (sent, {"a": [sent, sent], "n": 1}):
        received = await call(echo(), value, dialect)
        files = [received] if isinstance(received, File) else received["a"]
        for file in files:
            with file:
                assert (file.name, file.content_type) == (sent.name, sent.content_type)
                assert file.read_bytes() == content
    assert sent.read_bytes() == content  # whoever sends a file still has it


@both_dialects
async def test_files_may_stand_among_values_of_every_type(dialect: Dialect) -> None:
    value = {"set": JsSet([File(b"1")]), "map": {1: File(b"2")}, "deep": [[{"f": File(b"3")}]]}
    received = await call(echo(), value, dialect)
    [first] = received["set"]
    assert isinstance(received["set"], JsSet)
    assert first.read_bytes() == b"1"
    assert received["map"][1].read_bytes() == b"2"
    assert received["deep"][0][0]["f"].read_bytes() == b"3"


@dataclass
class Photo:
    title: str
    file: File


@both_dialects
async def test_files_may_stand_inside_values_of_custom_types(dialect: Dialect) -> None:
    photo = Rule(
        tag="photo",
        matches=lambda value: isinstance(value, Photo),
        encode=lambda value: [value.title, value.file],
        decode=lambda json: Photo(*json),
    )
    received = await call(
        echo(), [Photo("me", File(b"x"))], dialect, handler={"rules": [photo]}, rules=[photo]
    )
    assert received[0].title == "me"
    assert received[0].file.read_bytes() == b"x"


@both_dialects
async def test_a_get_link_sends_files_by_post(dialect: Dialect) -> None:
    received = await call(echo(), {"f": File(b"x")}, dialect, method="GET")
    assert received["f"].read_bytes() == b"x"


async def test_an_upload_of_a_web_framework_is_sent_as_it_is() -> None:
    upload = UploadFile(io.BytesIO(b"x"), filename="a.txt")
    received = await call(echo(), {"f": upload})
    assert (received["f"].name, received["f"].read_bytes()) == ("a.txt", b"x")


# By hints


class PhotoDict(TypedDict):
    title: str
    file: File


class PhotoStruct(msgspec.Struct):
    title: str
    file: File
    small: File | None = None


class PhotoModel(pydantic.BaseModel):
    title: str = pydantic.Field(min_length=2)
    files: list[File]


@pytest.mark.parametrize(
    ("hint", "value"),
    [
        (File, File(b"x")),
        (File | None, None),
        (list[File], [File(b"x"), File(b"y")]),
        (dict[str, File], {"a": File(b"x")}),
        (Photo, {"title": "me", "file": File(b"x")}),
        (PhotoDict, {"title": "me", "file": File(b"x")}),
        (PhotoStruct, {"title": "me", "file": File(b"x"), "small": None}),
        (PhotoModel, {"title": "me", "files": [File(b"x")]}),
    ],
)
async def test_a_file_fits_its_hint(hint: Any, value: Any) -> None:
    seen: list[Any] = []

    async def handler(ctx: CallContext, value: Any) -> int:
        seen.append(value)
        return 1

    assert await call(rpc.input(hint).handler(handler), value) == 1
    if isinstance(value, dict) and "title" in value:
        assert seen[0]["title"] if hint is PhotoDict else seen[0].title == "me"


@pytest.mark.parametrize(
    ("hint", "value", "message"),
    [
        (File, {}, "File"),
        (File, "text", "File"),
        (Photo, {"title": "me", "file": {}}, "File"),
        (PhotoModel, {"title": "me", "files": [1]}, "File"),
        (PhotoModel, {"title": "x", "files": [File(b"x")]}, "at least 2"),
        (str, File(b"x"), "str"),
    ],
)
async def test_what_does_not_fit_is_a_bad_request(hint: Any, value: Any, message: str) -> None:
    with pytest.raises(ORPCError, match="Input validation failed") as caught:
        await call(rpc.input(hint).handler(lambda ctx, value: 1), value)
    assert message in caught.value.data["issues"][0]["message"]


async def test_an_output_hint_is_kept_to() -> None:
    received = await call(rpc.output(File).handler(lambda ctx: File(b"x", "a.txt")), None)
    assert received.name == "a.txt"
    with pytest.raises(ORPCError, match="Output validation failed"):
        await call(rpc.output(File).handler(lambda ctx: "x"), None)


# Until the call ends


@both_dialects
@pytest.mark.parametrize("size", [10, len(LARGE)])
async def test_files_of_a_call_end_with_it(size: int, dialect: Dialect) -> None:
    kept: list[File] = []

    async def handler(ctx: CallContext, value: dict[str, File]) -> int:
        kept.extend([value["one"], value["other"].keep()])
        return value["one"].size

    before = open_files()
    files = {"one": File(LARGE[:size]), "other": File(LARGE[:size])}
    assert await call(rpc.handler(handler), files, dialect) == size

    with pytest.raises(ValueError, match="is closed"):
        kept[0].open()
    assert await kept[1].read() == LARGE[:size]
    await kept[1].close()
    assert open_files() == before


async def test_files_of_a_call_that_fails_end_with_it() -> None:
    kept: list[File] = []

    async def handler(ctx: CallContext, value: File) -> int:
        kept.append(value)
        raise ORPCError("CONFLICT")

    before = open_files()
    with pytest.raises(ORPCError, match="CONFLICT"):
        await call(rpc.handler(handler), File(LARGE))
    with pytest.raises(ORPCError, match="Input validation failed"):
        await call(rpc.input(int).handler(lambda ctx, value: 1), File(LARGE))
    with pytest.raises(ValueError, match="is closed"):
        kept[0].open()
    assert open_files() == before


async def test_files_of_a_call_that_is_given_up_end_with_it() -> None:
    kept: list[File] = []
    begun = asyncio.Event()

    async def handler(ctx: CallContext, value: File) -> None:
        kept.append(value)
        begun.set()
        await asyncio.Event().wait()

    async with link_to(rpc.handler(handler)) as link:
        calling = asyncio.create_task(link.call(["p"], File(LARGE)))
        await begun.wait()
        assert kept[0].size == len(LARGE)
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
    with pytest.raises(ValueError, match="is closed"):
        kept[0].open()


async def test_an_event_stream_may_be_made_of_an_uploaded_file() -> None:
    kept: list[File] = []

    async def lines(ctx: CallContext, value: File) -> AsyncIterator[int]:
        kept.append(value)
        async for piece in value:
            yield len(piece)

    app = RPCHandler({"p": rpc.handler(lines)})
    async with RPCLink("http://app", sender=AsgiSender(app)) as link:
        request = link._codec.encode(["p"], File(LARGE), method="POST", headers={})
        response = await AsgiSender(app).send(request, max_response_size=1)
        body = response.body
        assert not isinstance(body, bytes)
        text = b"".join([piece async for piece in body]).decode()
        await body.aclose()
    assert text.count("event: message") == len(LARGE) // (256 * 1024)
    with pytest.raises(ValueError, match="is closed"):
        kept[0].open()


async def test_an_open_file_that_was_returned_is_closed_once_it_is_sent() -> None:
    made: list[Any] = []

    async def report(ctx: CallContext) -> dict[str, File]:
        temporary = tempfile.TemporaryFile()  # noqa: SIM115 - closed by the server
        temporary.write(LARGE)
        made.append(temporary)
        return {"report": File(temporary, "report.bin")}  # type: ignore[arg-type]

    received = await call(rpc.handler(report), None)
    with received["report"] as file:
        assert file.read_bytes() == LARGE
    assert made[0].closed


@both_dialects
async def test_a_path_that_is_not_there_is_an_internal_error(dialect: Dialect) -> None:
    with pytest.raises(ORPCError) as caught:
        await call(rpc.handler(lambda ctx: File(Path("/no/such/file"))), None, dialect)
    assert caught.value.code == "INTERNAL_SERVER_ERROR"
    assert "such" not in str(caught.value)
    with pytest.raises(FileNotFoundError):
        await call(echo(), File(Path("/no/such/file")), dialect)


@both_dialects
async def test_a_caller_that_leaves_amid_a_download_leaves_no_file_open(
    dialect: Dialect, tmp_path: Path
) -> None:
    path = tmp_path / "large.bin"
    path.write_bytes(LARGE)
    before = open_files()
    async with link_to(rpc.handler(lambda ctx: File(path)), dialect) as link:
        request = link._codec.encode(["p"], None, method="POST", headers={})
        response = await link._sender.send(request, max_response_size=1)  # type: ignore[union-attr]
        assert not isinstance(response.body, bytes)
        pieces = aiter(response.body)
        assert await anext(pieces)
        assert await anext(pieces)
        assert open_files() > before
        await response.body.aclose()
    assert open_files() == before


async def test_an_upload_that_is_given_up_leaves_no_file_open(tmp_path: Path) -> None:
    path = tmp_path / "large.bin"
    path.write_bytes(LARGE)
    before = open_files()
    async with link_to(echo(), handler={"files": FileLimits(max_bytes=1000)}) as link:
        with pytest.raises(ORPCError, match="PAYLOAD_TOO_LARGE"):
            await link.call(["p"], {"f": File(path)})
        assert open_files() == before


# Bounds


@both_dialects
async def test_more_files_than_the_server_takes_are_answered_413(dialect: Dialect) -> None:
    before = open_files()
    settings = {"files": FileLimits(max_bytes=1 << 20, max_memory=1000)}
    with pytest.raises(ORPCError) as caught:
        await call(echo(), File(LARGE), dialect, handler=settings)
    assert (caught.value.code, caught.value.status) == ("PAYLOAD_TOO_LARGE", 413)
    assert open_files() == before


@both_dialects
async def test_more_files_than_the_client_takes_are_an_error(dialect: Dialect) -> None:
    before = open_files()
    files = FileLimits(max_bytes=1 << 20, max_memory=1000)
    with pytest.raises(RPCResponseError, match=r"files=FileLimits\(\.\.\.\)"):
        await call(rpc.handler(lambda ctx: File(LARGE)), None, dialect, files=files)
    assert open_files() == before


async def test_the_json_beside_files_is_measured_as_a_body_is() -> None:
    value = {"f": File(b"x"), "text": "x" * 1000}
    with pytest.raises(ORPCError, match="PAYLOAD_TOO_LARGE"):
        await call(echo(), value, handler={"max_body_size": 1000})


async def test_files_are_not_measured_with_the_body() -> None:
    received = await call(
        echo(), File(LARGE), handler={"max_body_size": 1000}, max_response_size=1000
    )
    assert received.size == len(LARGE)


async def test_a_file_amid_an_event_or_an_error_is_refused() -> None:
    async def events(ctx: CallContext) -> AsyncIterator[Any]:
        yield {"f": File(b"x")}

    for handler in (events, raising(ORPCError("CONFLICT", data=File(b"x")))):
        app = RPCHandler({"p": rpc.handler(handler)})
        async with RPCLink("http://app", sender=AsgiSender(app)) as link:
            request = link._codec.encode(["p"], None, method="POST", headers={})
        response = await AsgiSender(app).send(request, max_response_size=1 << 20)
        body = response.body
        text = body if isinstance(body, bytes) else b"".join([piece async for piece in body])
        assert b"INTERNAL_SERVER_ERROR" in text


# Streams of bytes


async def test_a_stream_of_bytes_goes_both_ways_in_version_2() -> None:
    async def shout(ctx: CallContext, value: OctetStream) -> OctetStream:
        return OctetStream(piece.upper() async for piece in value)

    received = await call(rpc.handler(shout), OctetStream([b"abc", b"def"]), "v2")
    assert isinstance(received, OctetStream)
    assert await received.read() == b"ABCDEF"
    await received.aclose()


async def test_a_stream_of_bytes_is_closed_with_the_call() -> None:
    source = Pieces([b"x"] * 1000)
    async with link_to(rpc.handler(lambda ctx: OctetStream(source)), "v2") as link:
        received: Any = await link.call(["p"])
        assert await anext(aiter(received)) == b"x"
        await received.aclose()
    assert source.times_closed >= 1
    assert source.left > 900


async def test_a_stream_of_bytes_has_to_be_one_by_its_hint() -> None:
    async def size(ctx: CallContext, value: OctetStream) -> int:
        return len(await value.read())

    assert await call(rpc.handler(size), OctetStream([b"ab", b"c"]), "v2") == 3
    with pytest.raises(ORPCError, match="Input validation failed"):
        await call(rpc.handler(size), "abc", "v2")
    with pytest.raises(EncodeError, match="OctetStream cannot be encoded"):
        await call(rpc.handler(size), {"nested": OctetStream([])}, "v2")


async def test_version_1_has_no_streams_of_bytes_as_inputs() -> None:
    with pytest.raises(EncodeError, match="version 2 only; send a File"):
        await call(echo(), OctetStream([b"x"]))


async def test_a_client_object_carries_files_like_any_value() -> None:
    async with link_to(echo()) as link:
        client = create_orpc_client(link)
        photo = await client.p({"title": "me", "file": File(b"x")}, output=Photo)
        assert photo.file.read_bytes() == b"x"


def raising(error: Exception) -> Any:
    async def handler(ctx: CallContext) -> None:
        raise error

    return handler
