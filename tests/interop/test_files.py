"""Files between our packages and the real ones, in both directions and both dialects."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from durable_execution.orpc import (
    CallContext,
    Dialect,
    File,
    FileLimits,
    JsMap,
    JsSet,
    RPCHandler,
    RPCLink,
    create_orpc_client,
    rpc,
)

if TYPE_CHECKING:
    from tests.interop.conftest import RunNode, StartServer

pytestmark = pytest.mark.interop

CLIENTS: dict[str, tuple[str, Dialect]] = {
    "1.16.1": ("@orpc/client", "v1"),
    "1.8.7": ("orpc-client-1-8-7", "v1"),
    "2.0.0-beta.16": ("orpc-client-2-beta", "v2"),
}
SERVERS: dict[str, tuple[str, Dialect]] = {
    "1.16.1": ("@orpc/server", "v1"),
    "2.0.0-beta.16": ("orpc-server-2-beta", "v2"),
}

ODD = 'naïve "quote" 🌍;x=1.txt'
LARGE = bytes(index % 251 for index in range(5 * 1024 * 1024))
DOWNLOAD = "hello wörld\n".encode()


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def told(content: bytes, name: str = "a.txt", content_type: str = "text/plain") -> dict[str, Any]:
    return {"name": name, "type": content_type, "size": len(content), "sha": sha(content)}


async def facts(file: File) -> dict[str, Any]:
    return told(await file.read(), file.name, file.content_type)


async def facts_of_input(ctx: CallContext, value: dict[str, File]) -> dict[str, Any]:
    return await facts(value["file"])


async def facts_of_whole(ctx: CallContext, value: File) -> dict[str, Any]:
    return await facts(value)


def nested(ctx: CallContext) -> dict[str, Any]:
    files = [File(b"A", "a.csv", "text/csv"), File(b"B", content_type="application/x-b")]
    return {"at": datetime(1970, 1, 1, tzinfo=UTC), "list": files}


def application(dialect: Dialect, folder: Path) -> RPCHandler:
    large = folder / "large.bin"
    large.write_bytes(LARGE)
    router = {
        "facts": rpc.handler(facts_of_input),
        "whole": rpc.handler(facts_of_whole),
        "echo": rpc.handler(lambda ctx, value: value),
        "download": rpc.handler(lambda ctx: File(DOWNLOAD, ODD, "text/plain")),
        "large": rpc.handler(lambda ctx: File(large)),
        "nested": rpc.handler(nested),
    }
    limits = FileLimits(max_bytes=2 * len(LARGE), max_memory=100_000)
    return RPCHandler(router, prefix="/rpc", dialect=dialect, files=limits)


@pytest.fixture(scope="module", params=CLIENTS.values(), ids=CLIENTS.keys())
def outcomes(
    request: pytest.FixtureRequest,
    run_node: RunNode,
    serve_app: Callable[[Any], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Mapping[str, Any]:
    package, dialect = request.param
    origin = serve_app(application(dialect, tmp_path_factory.mktemp("files")))
    finished = run_node("files_client.mjs", [package, origin])
    assert finished.returncode == 0, finished.stderr
    outcomes: Mapping[str, Any] = json.loads(finished.stdout)
    return outcomes


RESULTS = {
    "uploadsAFile": told(b"hey", ODD),
    "uploadsABlob": told(b"hey", "blob", "application/x-thing"),
    "uploadsAnEmptyFile": told(b""),
    "uploadsWhole": told(b"hey"),
    "uploadsLarge": told(LARGE, "large.bin", "application/octet-stream"),
    "uploadsByGet": told(b"hey"),
    "uploadsBytesThatLookLikeAForm": told(b"\r\n------formdata-undici\r\n\r\n"),
    "echoesNestedFiles": ["a.txt 3", "a.txt 3", "a.txt 3", "a.txt 3"],
    "downloads": told(DOWNLOAD, ODD),
    "downloadsLarge": told(LARGE, "large.bin", "application/octet-stream"),
    "downloadsNested": [told(b"A", "a.csv", "text/csv"), told(b"B", "blob", "application/x-b")],
}


@pytest.mark.parametrize("scenario", RESULTS)
def test_real_client_sends_and_receives(scenario: str, outcomes: Mapping[str, Any]) -> None:
    assert outcomes[scenario] == {"result": RESULTS[scenario]}


def test_real_client_is_told_that_its_files_are_too_large(outcomes: Mapping[str, Any]) -> None:
    assert outcomes["tooLarge"] == {
        "error": {"code": "PAYLOAD_TOO_LARGE", "message": "Payload Too Large"}
    }


def test_every_scenario_of_the_script_is_checked(outcomes: Mapping[str, Any]) -> None:
    assert outcomes.keys() == {*RESULTS, "tooLarge"}


# Our client against the real servers


@pytest.fixture(scope="module", params=SERVERS.values(), ids=SERVERS.keys())
def server(request: pytest.FixtureRequest, start_orpc_server: StartServer) -> tuple[str, Dialect]:
    package, dialect = request.param
    return start_orpc_server("files_server.mjs", package).url, dialect


@pytest.fixture
async def client(server: tuple[str, Dialect]) -> AsyncIterator[Any]:
    url, dialect = server
    async with RPCLink(url, dialect=dialect, files=FileLimits(max_memory=100_000)) as link:
        yield create_orpc_client(link)


@pytest.mark.parametrize(
    "content", [b"", b"hey", b"\r\n--x\r\n", LARGE], ids=["empty", "small", "crlf", "large"]
)
async def test_real_server_receives_a_file(client: Any, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(content)
    expected = told(content, ODD, "text/x-odd")
    for file in (File(content, ODD, "text/x-odd"), File(path, ODD, "text/x-odd")):
        assert await client.facts({"file": file}) == expected
        assert await client.whole(file) == expected


async def test_real_server_sends_files(client: Any) -> None:
    with await client.download() as file:
        assert await facts(file) == told(DOWNLOAD, ODD)
    with await client.large() as file:
        assert await facts(file) == told(LARGE, "large.bin", "application/octet-stream")
        assert not file.is_in_memory
    received = await client.nested()
    assert received["at"] == datetime(1970, 1, 1, tzinfo=UTC)
    assert [await facts(file) for file in received["list"]] == RESULTS["downloadsNested"]


async def test_real_server_echoes_nested_files(client: Any) -> None:
    file = File(b"hey", "a.txt")
    value = {"set": JsSet([file]), "map": JsMap([(1, file)]), "twice": [file, file]}
    echoed = await client.echo(value)
    assert isinstance(echoed["set"], JsSet)
    files = [*echoed["set"], *echoed["map"].values(), *echoed["twice"]]
    assert [await facts(item) for item in files] == [told(b"hey")] * 4
