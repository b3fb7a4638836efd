"""What the site has beside the pages of this folder: a hook of MkDocs.

The README is its first page. Files of the repository that pages link to, such as examples, become
pages too, so that every link leads somewhere wherever a page is read. One page lists the decisions,
and the reference has a page for each door of the package. What draws diagrams is part of the site,
because the theme would have readers load it from others.
"""

from __future__ import annotations

import os
import re
import urllib.request
from importlib import import_module
from pathlib import Path
from posixpath import dirname, normpath, relpath
from typing import TYPE_CHECKING, Any, Final

from mkdocs.exceptions import Abort
from mkdocs.structure.files import File, Files

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.pages import Page

ROOT: Final = Path(__file__).parent.parent
DOORS: Final = (
    "durable_execution",
    "durable_execution.client",
    "durable_execution.server",
    "durable_execution.orpc",
    "durable_execution.access",
    "durable_execution.dashboard",
    "durable_execution.storage",
    "durable_execution.telemetry",
    "durable_execution.testing",
    "durable_execution.codegen",
)
NAMED: Final = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "docs/decisions": "decisions/index.md",
}
"""Pages by the path that they have in the repository, where the two differ."""

MERMAID: Final = ROOT / ".venv" / "site" / "node_modules" / "@mermaid-js" / "tiny"
DRAWING: Final = {
    "assets/mermaid.js": MERMAID / "dist" / "mermaid.tiny.js",
    "assets/mermaid.LICENSE.txt": MERMAID / "LICENSE",
}
"""Files of the site, and the npm package that they are of: `make docs` installs it."""
_DIAGRAM: Final = 'class="mermaid"'
_FIRST_SCRIPT: Final = re.compile(r"(?=<script src=)")

_LINK: Final = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)#\s]+)")
_FENCED: Final = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_EXTERNAL: Final = re.compile(r"href=\"(https?://[^\"#]+)")
_LANGUAGES: Final = {".py": "python", ".ts": "ts", ".toml": "toml", ".yml": "yaml", ".json": "json"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are not in this folder."""
    made = {
        source: text
        for source, text in _pages(ROOT).items()
        if files.get_file_from_path(source) is None
    }
    for source, text in made.items():
        files.append(File.generated(config, source, content=text))
    for source, path in DRAWING.items():
        if not path.exists():
            raise Abort(f"{path} is missing: make docs installs it by npm, and so needs Node.js")
        files.append(File.generated(config, source, content=path.read_bytes()))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Turn links into the repository into links to pages."""
    home = _home_of(page.file.src_uri)
    return markdown if home is None else _for_site(markdown, home, page.file.src_uri)


def on_post_page(output: str, page: Page, **_: Any) -> str:
    """Load what draws diagrams before the theme, which then looks for it nowhere else."""
    if _DIAGRAM not in output:
        return output
    script = f'<script src="{relpath("assets/mermaid.js", dirname(page.url) or ".")}"></script>'
    loading, found = _FIRST_SCRIPT.subn(script, output, count=1)
    if not found:
        raise Abort(f"{page.url}: the theme loads no script any more")
    return loading


def on_post_build(config: MkDocsConfig) -> None:
    """Ask the other sites that pages link to whether they are there, if that is wished for."""
    if not os.environ.get("CHECK_EXTERNAL_LINKS"):
        return
    pages = Path(config.site_dir).rglob("*.html")
    links = {link for page in pages for link in _EXTERNAL.findall(page.read_text())}
    dead = [link for link in sorted(links) if not _answers(link)]
    if dead:
        raise Abort("links that lead nowhere:\n" + "\n".join(dead))


def _pages(root: Path) -> dict[str, str]:
    pages = {NAMED[name]: _read(root / name) for name in NAMED if name.endswith(".md")}
    pages["decisions/index.md"] = _decisions(root / "docs" / "decisions")
    pages |= _reference()
    linking = [root / name for name in NAMED if name.endswith(".md")]
    linking += sorted((root / "docs").rglob("*.md"))
    while linking:
        page = linking.pop()
        for target in _targets(page, root):
            source = _source_of(target)
            if target.startswith("docs/") or source in pages:
                continue
            path = root / target
            pages[source] = _shown(path, target)
            if path.suffix == ".md":
                linking.append(path)
    return pages


def _targets(page: Path, root: Path) -> list[str]:
    """What a page links to, as paths in the repository."""
    home = dirname(str(page.relative_to(root)))
    text = _FENCED.sub("", _read(page))
    return [normpath(f"{home}/{link}" if home else link) for link in _LINK.findall(text)]


def _source_of(target: str) -> str:
    """The page of a path in the repository."""
    if target in NAMED:
        return NAMED[target]
    if target.startswith("docs/"):
        return target.removeprefix("docs/")
    return f"repository/{target}" if target.endswith(".md") else f"repository/{target}.md"


def _home_of(source: str) -> str | None:
    """The path in the repository that links of a page start from; None if it is made here."""
    for name, named in NAMED.items():
        if named == source:
            return dirname(name) if name.endswith(".md") else None
    if source.startswith("reference/"):
        return None
    if source.startswith("repository/"):
        return dirname(source.removeprefix("repository/"))
    return dirname(f"docs/{source}")


def _for_site(markdown: str, home: str, source: str) -> str:
    def moved(found: re.Match[str]) -> str:
        target = normpath(f"{home}/{found[1]}" if home else found[1])
        is_file_of_docs = target.startswith("docs/") and (ROOT / target).is_file()
        page = target.removeprefix("docs/") if is_file_of_docs else _source_of(target)
        return relpath(page, dirname(source) or ".")

    parts = re.split(r"(^```.*?^```$)", markdown, flags=re.MULTILINE | re.DOTALL)
    return "".join(part if part.startswith("```") else _LINK.sub(moved, part) for part in parts)


def _shown(path: Path, target: str) -> str:
    """A file as a page, or a folder as a list of what git knows to be in it."""
    if path.is_dir():
        readme = path / "README.md"
        names = sorted(
            each.name for each in path.iterdir() if each.is_file() and each.name[0] not in "._"
        )
        listed = "\n".join(f"- `{name}`" for name in names)
        text = _read(readme) if readme.exists() else f"# {target}\n\n{listed}\n"
        return f"---\nsearch: {{ exclude: true }}\n---\n\n{text}"
    if path.suffix == ".md":
        return _read(path)
    language = _LANGUAGES.get(path.suffix, "text")
    code = f"~~~~{language}\n{_read(path)}\n~~~~"
    return f"---\nsearch: {{ exclude: true }}\n---\n\n# {target}\n\n{code}\n"


def _decisions(folder: Path) -> str:
    lines = [
        f"- [{_read(path).splitlines()[0].removeprefix('# ')}]({path.name})"
        for path in sorted(folder.glob("*.md"))
    ]
    return "# Decisions\n\nWhat one would later ask about, and why it is so.\n\n" + "\n".join(lines)


def _reference() -> dict[str, str]:
    """A page for each door, with what it names; and one that lists them."""
    pages, listed = {}, []
    for door in DOORS:
        module = import_module(door)
        purpose = (module.__doc__ or "").strip().splitlines()[0]
        name = door.removeprefix("durable_execution").removeprefix(".") or "durable_execution"
        listed.append(f"- [`{door}`]({name}.md): {purpose}")
        names = "\n\n".join(f"::: {_place_of(module, each)}" for each in module.__all__)
        pages[f"reference/{name}.md"] = f"# `{door}`\n\n{purpose}\n\n{names}\n"
    intro = "What is public is what these modules name; everything else may change."
    pages["reference/index.md"] = f"# Python\n\n{intro}\n\n" + "\n".join(listed) + "\n"
    return pages


def _place_of(module: Any, name: str) -> str:
    """Where a name is defined: doors load theirs late, and readers of sources see none there."""
    thing = getattr(module, name)
    home = getattr(thing, "__module__", None)
    is_ours = isinstance(home, str) and home.startswith("durable_execution")
    is_defined_there = is_ours and hasattr(import_module(str(home)), name)
    return f"{home}.{name}" if is_defined_there else f"{module.__name__}.{name}"


def _answers(link: str) -> bool:
    # Only http: and https: are looked for.
    request = urllib.request.Request(link, headers={"user-agent": "link check"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=20):  # noqa: S310
            return True
    except OSError:
        return False


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")
