"""What is released, built and installed as users install it; extras are added as it goes."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.distribution.conftest import ROOT, Distributions, Installed, run
from tests.examples.pages import Page

pytestmark = [pytest.mark.distributions, pytest.mark.timeout(400)]

README = Page("README.md")


def test_metadata_and_description_are_what_the_index_wants(distributions: Distributions) -> None:
    files = [str(distributions.wheel), str(distributions.sdist)]
    run([sys.executable, "-m", "twine", "check", "--strict", *files], ROOT)


def test_description_has_no_link_that_needs_the_repository(
    distributions: Distributions, tmp_path: Path
) -> None:
    """As it was built, and built again on a forge that says where it keeps the files."""
    described = description_of(distributions.wheel)
    assert "Durable tasks for Python" in described
    assert not [each for each in targets_in(described) if not each.startswith("https://")]
    forge = {
        "GITHUB_SERVER_URL": "https://forge.example",
        "GITHUB_REPOSITORY": "us/ours",
        "GITHUB_REF_NAME": "v1.2.3",
    }
    build = [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", str(tmp_path)]
    run([*build, str(ROOT)], tmp_path, forge)
    [wheel] = tmp_path.glob("*.whl")
    run([sys.executable, "-m", "twine", "check", "--strict", str(wheel)], ROOT)
    targets = targets_in(description_of(wheel))
    assert "https://forge.example/us/ours/blob/v1.2.3/docs/tutorial.md" in targets
    assert "https://forge.example/us/ours/raw/v1.2.3/docs/images/dashboard.png" in targets
    assert not [each for each in targets if not each.startswith("https://")]
    ours = {each for each in targets if each.startswith("https://forge.example/")}
    for each in ours:
        path = re.sub(r"^.*/(blob|raw)/v1\.2\.3/|#.*$", "", each)
        assert (ROOT / path).exists(), each


def description_of(wheel: Path) -> str:
    with zipfile.ZipFile(wheel) as opened:
        [name] = (name for name in opened.namelist() if name.endswith(".dist-info/METADATA"))
        return opened.read(name).decode().partition("\n\n")[2]


def targets_in(text: str) -> set[str]:
    """Where links and pictures lead, those in blocks of code left out."""
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    return set(re.findall(r"\]\(([^)]+)\)", prose))


def test_wheel_holds_all_of_the_package_and_nothing_else(distributions: Distributions) -> None:
    with zipfile.ZipFile(distributions.wheel) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    listed = run(["git", "ls-files", "src/durable_execution"], ROOT).splitlines()
    assert "durable_execution/py.typed" in names
    assert names == {name.removeprefix("src/") for name in listed}


def test_sdist_holds_what_the_repository_does(distributions: Distributions) -> None:
    with tarfile.open(distributions.sdist) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    listed = set(run(["git", "ls-files"], ROOT).splitlines())
    left_out = {name for name in listed - names if not name.startswith(".github/")}
    assert left_out <= {"tests/interop/node_modules"}
    assert names - listed <= {"PKG-INFO"}


@pytest.fixture
def sources(distributions: Distributions, tmp_path: Path) -> Path:
    """The sdist unpacked, its name of a version taken away: a copy of the files with no history."""
    with tarfile.open(distributions.sdist) as sdist:
        sdist.extractall(tmp_path, filter="data")
    [folder] = tmp_path.iterdir()
    (folder / "PKG-INFO").unlink()
    return folder


def test_files_without_a_history_have_a_version(sources: Path) -> None:
    assert version_of(sources) == "0.1.dev0"


def test_version_is_the_one_of_the_tag(sources: Path) -> None:
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.com", "-C", str(sources)]
    run([*git, "init", "--quiet"], sources)
    run([*git, "add", "."], sources)
    run([*git, "commit", "--quiet", "--message", "first"], sources)
    assert version_of(sources) == "0.1.dev1"
    run([*git, "tag", "v1.2.3"], sources)
    assert version_of(sources) == "1.2.3"
    run([*git, "commit", "--quiet", "--allow-empty", "--message", "second"], sources)
    assert version_of(sources) == "1.2.4.dev1"
    run(["git", "clone", "--quiet", "--depth=1", f"file://{sources}", "shallow"], sources.parent)
    assert re.fullmatch(r"0\.1\.dev\d", version_of(sources.parent / "shallow"))


def version_of(folder: Path) -> str:
    return run([sys.executable, "-m", "hatchling", "version"], folder).strip()


def test_bare_python_runs_the_quickstart_of_the_readme(
    installed: Installed, tmp_path: Path
) -> None:
    README.write_files(tmp_path)
    said = run([str(installed.command("python")), "quickstart.py"], tmp_path)
    assert re.fullmatch(r"\{'messageId': 'msg_te_\w{24}'\}\n", said)
    assert not {"starlette", "uvicorn", "asyncpg", "asyncmy"} & set(installed.packages())


@pytest.mark.parametrize(
    ("code", "extra"),
    [
        ("import durable_execution as d; d.open_storage('postgresql://a@b/c')", "postgres"),
        ("import durable_execution as d; d.open_storage('mysql://a@b/c')", "mysql"),
        ("from durable_execution.cli import main; main()", "server"),
    ],
)
def test_what_needs_an_extra_says_which(installed: Installed, code: str, extra: str) -> None:
    command = [str(installed.command("python")), "-c", code]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert answer.returncode != 0
    assert f"durable-execution[{extra}]" in answer.stderr


def test_extras_bring_what_they_are_for(installed: Installed) -> None:
    installed.install("server", "postgres", "mysql", "telemetry")
    for url in ("postgresql://a@127.0.0.1:1/c", "mysql://a@127.0.0.1:1/c"):
        installed.python(f"import durable_execution as d; d.open_storage({url!r})")
    installed.python("import opentelemetry.trace, asyncpg, asyncmy, durable_execution.server")
    said = run([str(installed.command("durable-execution")), "--version"], installed.environment)
    assert said.split()[1] == installed.wheel.name.split("-")[1]


def test_server_of_the_readme_answers_its_client(installed: Installed, tmp_path: Path) -> None:
    README.write_files(tmp_path)
    [command] = (each for each in README.commands() if each.startswith("durable-execution serve"))
    words = command.replace("--port 3000", "--port 0").split()[1:]
    with subprocess.Popen(
        [str(installed.command("durable-execution")), *words],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        found = re.search(r":(\d+), 1 task$", process.stdout.readline())
        assert found is not None
        client = tmp_path / "client.py"
        client.write_text(client.read_text().replace("3000", found[1]))
        said = run([str(installed.command("python")), "client.py"], tmp_path)
        process.terminate()
        assert process.wait(timeout=30) == 0
    assert re.fullmatch(r"sent as msg_te_\w{24}\n", said)


def test_types_are_seen_by_checkers_of_users(installed: Installed, tmp_path: Path) -> None:
    README.write_files(tmp_path)
    python = str(installed.command("python"))
    check = [sys.executable, "-m", "mypy", "--strict", f"--python-executable={python}"]
    run([*check, "--cache-dir=.cache", "quickstart.py"], tmp_path)
