"""What the forge runs is what there is to run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent.parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


@pytest.fixture(params=WORKFLOWS, ids=lambda path: path.stem)
def workflow(request: pytest.FixtureRequest) -> dict[Any, Any]:
    loaded = yaml.safe_load(request.param.read_text(encoding="utf-8"))
    assert isinstance(loaded, dict)
    return loaded


def steps(workflow: dict[Any, Any]) -> list[dict[str, Any]]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def test_commands_exist(workflow: dict[Any, Any]) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for step in steps(workflow):
        command = step.get("run", "")
        for target in re.findall(r"^make (\S+)", command, re.MULTILINE):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
        if command.startswith("."):
            assert (ROOT / command).exists()


def test_nothing_is_allowed_that_is_not_needed(workflow: dict[Any, Any]) -> None:
    assert workflow["permissions"] == {"contents": "read"}
    for name, job in workflow["jobs"].items():
        expected = {"id-token": "write"} if name == "publish" else None
        assert job.get("permissions") == expected
        assert 0 < job["timeout-minutes"] <= 60


def test_only_what_was_checked_and_installed_is_published() -> None:
    [release] = (path for path in WORKFLOWS if path.stem == "release")
    jobs = yaml.safe_load(release.read_text(encoding="utf-8"))["jobs"]
    assert jobs["publish"]["needs"] == ["check", "install"]
    assert jobs["install"]["needs"] == "build"
    assert not [step for step in jobs["publish"]["steps"] if "run" in step]


def test_all_versions_of_the_classifiers_are_tested(workflow: dict[Any, Any]) -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    promised = re.findall(r"Programming Language :: Python :: (3\.\d+)", text)
    matrices = [job["strategy"]["matrix"] for job in workflow["jobs"].values() if "strategy" in job]
    assert matrices
    assert all(matrix["python"] == promised for matrix in matrices)
