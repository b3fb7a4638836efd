"""The doors of the package: what they name, and what passing them loads."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

DOORS = [
    "durable_execution",
    "durable_execution.client",
    "durable_execution.codegen",
    "durable_execution.orpc",
    "durable_execution.server",
    "durable_execution.storage",
    "durable_execution.telemetry",
]
LAZY_DOORS = {"durable_execution": "_HOMES", "durable_execution.orpc": "_ROOMS"}
ENGINE = {
    "durable_execution._engine",
    "durable_execution.executor",
    "durable_execution.orpc._server",
    "durable_execution.storage",
    "sqlalchemy",
}
HEAVY = ENGINE | {"aiohttp", "pydantic", "starlette", "typer", "uvicorn"}


def loaded_by(code: str) -> set[str]:
    """Names of the modules that a fresh interpreter has after some code."""
    finished = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(finished.stdout.split())


def source_of(door: str) -> ast.Module:
    path = import_module(door).__file__
    assert path is not None
    return ast.parse(Path(path).read_text(encoding="utf-8"))


def names_for_type_checkers(door: str) -> set[tuple[str, str]]:
    """(module, name) of every import below `if TYPE_CHECKING`."""
    return {
        (statement.module or "", alias.name)
        for block in source_of(door).body
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for statement in block.body
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
    }


def by_kind(name: str) -> tuple[int, str]:
    """The order in which names are sorted everywhere: constants, classes, functions."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)


@pytest.mark.parametrize("door", DOORS)
def test_names_of_a_door_are_sorted_and_exist(door: str) -> None:
    module = import_module(door)

    assert module.__all__ == sorted(set(module.__all__), key=by_kind)
    for name in module.__all__:
        assert getattr(module, name) is not None, name


@pytest.mark.parametrize("door", DOORS)
def test_unknown_name_of_a_door_is_an_attribute_error(door: str) -> None:
    with pytest.raises(AttributeError, match="has no attribute 'TaskManager'"):
        _ = import_module(door).TaskManager


@pytest.mark.parametrize("door", LAZY_DOORS)
def test_type_checkers_and_the_lazy_table_see_the_same_names(door: str) -> None:
    module = import_module(door)
    table = {
        (home if home.startswith("durable_execution") else f"{door}.{home}", name)
        for home, names in getattr(module, LAZY_DOORS[door]).items()
        for name in names
    }

    assert table == names_for_type_checkers(door)
    assert {name for _, name in table} == set(module.__all__)
    assert set(module.__all__) <= set(dir(module))


def test_eager_doors_import_what_they_name_and_nothing_else() -> None:
    for door in (
        "durable_execution.client",
        "durable_execution.codegen",
        "durable_execution.server",
    ):
        imported = {
            alias.name
            for statement in source_of(door).body
            if isinstance(statement, ast.ImportFrom) and statement.module != "__future__"
            for alias in statement.names
        }
        assert imported == set(import_module(door).__all__)


def test_front_door_loads_nothing_by_itself() -> None:
    loaded = loaded_by("import durable_execution")

    ours = {name for name in loaded if name.startswith("durable_execution")}
    assert ours == {"durable_execution"}
    assert not loaded & HEAVY


def test_declaring_tasks_loads_no_engine_and_no_database() -> None:
    loaded = loaded_by("from durable_execution import declare_task, RetryOptions, TaskExecution")

    assert "durable_execution._core.making" in loaded
    assert not loaded & HEAVY


USE_OF_THE_CLIENT = """
from durable_execution.client import *
task = declare_task("sendEmail", input=dict[str, str], output=int)
client = create_orpc_client(RPCLink("http://localhost/rpc"))
handles = create_task_client_handles(client, {"sendEmail": task})
handles[task], handles.sendEmail
"""


def test_client_door_loads_no_engine_no_database_and_no_http_library() -> None:
    loaded = loaded_by(USE_OF_THE_CLIENT)

    assert "durable_execution.remote.task_handles" in loaded
    assert not loaded & HEAVY


CALL_OF_A_CLIENT = (
    USE_OF_THE_CLIENT
    + """
import asyncio
async def enqueue():
    async with RPCLink("http://127.0.0.1:9/rpc", timeout=5) as link:
        handles = create_task_client_handles(create_orpc_client(link), {"sendEmail": task})
        try:
            await handles[task].enqueue({})
        except DurableExecutionError:
            print("refused")
asyncio.run(enqueue())
"""
)


def test_call_of_a_client_loads_the_http_library_and_still_no_engine() -> None:
    loaded = loaded_by(CALL_OF_A_CLIENT)

    assert {"refused", "aiohttp"} <= loaded
    assert not loaded & ENGINE


def test_server_door_loads_no_database_and_no_web_framework() -> None:
    loaded = loaded_by("import durable_execution.server")

    assert "durable_execution.executor" in loaded
    assert not loaded & {"sqlalchemy", "aiohttp", "pydantic", "starlette", "typer", "uvicorn"}


def test_telemetry_door_loads_no_engine_and_no_opentelemetry() -> None:
    loaded = loaded_by("from durable_execution.telemetry import *; PrometheusMetrics()")

    assert "durable_execution.telemetry.prometheus" in loaded
    assert not loaded & (HEAVY | {"opentelemetry"})
