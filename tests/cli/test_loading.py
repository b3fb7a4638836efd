from __future__ import annotations

import sys
from pathlib import Path

import pytest

from durable_execution.cli.loading import TargetError, load_application, load_tasks

MODULE = """
async def app(scope, receive, send): ...

class Group:
    inner = app

class Callable:
    async def __call__(self, scope, receive, send): ...

instance = Callable()
number = 1

def factory(): return app

from durable_execution import DurableExecutor, InMemoryStorage, TaskContext, Tasks
from durable_execution.client import declare_task

group = Tasks()

@group.task
def work(ctx: TaskContext) -> None: ...

executor = DurableExecutor(InMemoryStorage())
executor.include(group)
mapping = {"myWork": work}
declarations = {"work": declare_task("work")}
mixed = {"work": work, "number": 1}
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    name = f"loaded_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(MODULE)
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / f"{name}.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return name


@pytest.mark.parametrize("attribute", ["app", "Group.inner", "instance"])
def test_applications_of_the_current_folder_are_found(module: str, attribute: str) -> None:
    assert callable(load_application(f"{module}:{attribute}"))


def test_packages_of_the_current_folder_are_found(module: str) -> None:
    assert callable(load_application(f"package.{module}:app"))


@pytest.mark.parametrize("target", ["", "module", ":app", "module:"])
def test_other_shapes_are_refused_with_the_right_one(target: str) -> None:
    with pytest.raises(TargetError, match="expected MODULE:APP, such as executor_server:app"):
        load_application(target)


@pytest.mark.parametrize("target", ["package/server.py:app", "./package/server.py:app"])
def test_file_is_answered_with_the_module_it_is(target: str) -> None:
    with pytest.raises(TargetError, match=r"not a file: try package\.server:app"):
        load_application(target)


def test_missing_module_is_named_with_where_it_was_looked_for(module: str) -> None:
    with pytest.raises(TargetError, match="no module named 'not_there'; looked in /"):
        load_application("not_there:app")
    with pytest.raises(TargetError, match=r"no module named 'package\.not_there'"):
        load_application("package.not_there:app")


def test_missing_import_of_the_module_is_not_blamed_on_the_target(
    module: str, tmp_path: Path
) -> None:
    (tmp_path / "package" / "broken.py").write_text("import package.not_there")
    with pytest.raises(ModuleNotFoundError, match=r"package\.not_there"):
        load_application("package.broken:app")


@pytest.mark.parametrize("attribute", ["number", "factory", "Callable"])
def test_what_cannot_be_called_as_asgi_is_refused(module: str, attribute: str) -> None:
    with pytest.raises(TargetError, match="is not an ASGI application"):
        load_application(f"{module}:{attribute}")


@pytest.mark.parametrize(
    ("attribute", "keys"),
    [
        ("group", ["work"]),
        ("executor", ["work"]),
        ("mapping", ["myWork"]),
        ("declarations", ["work"]),
    ],
)
def test_tasks_are_found_under_the_keys_of_clients(
    module: str, attribute: str, keys: list[str]
) -> None:
    assert list(load_tasks(f"{module}:{attribute}")) == keys


def test_what_holds_no_tasks_is_refused(module: str) -> None:
    with pytest.raises(TargetError, match="is not a mapping of tasks but of type 'int'"):
        load_tasks(f"{module}:number")
    with pytest.raises(TargetError, match=r"mixed\['number'\] is not a task but of type 'int'"):
        load_tasks(f"{module}:mixed")
    with pytest.raises(TargetError, match="expected MODULE:TASKS, such as executor_server:tasks"):
        load_tasks(module)
