"""The pages of the documentation as tests read them, in the one way that there is.

A block whose first line is a comment with the name of a file, such as `# quickstart.py`, is that
file. The other Python blocks of a page are pieces of one program, in order.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any, Final

ROOT: Final = Path(__file__).parent.parent.parent

_FENCED: Final = re.compile(r"^( *)```(\w*)[^\n]*\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_NAME: Final = re.compile(r"(?:#|//) (\S+\.\w+)\n")
_ENDING: Final = {"python": ".py", "ts": ".ts"}


@dataclass(frozen=True)
class Block:
    """What stands between two fences."""

    language: str
    text: str
    line: int

    @property
    def file(self) -> str | None:
        """The file that the block is, if it begins with a name."""
        found = _NAME.match(self.text)
        ending = _ENDING.get(self.language)
        return found[1] if found and (ending is None or found[1].endswith(ending)) else None


class Page:
    """A page, by its path: of the repository if it is the README, below `docs` otherwise."""

    def __init__(self, name: str) -> None:
        self.name: Final = name
        self.path: Final = ROOT / name if name == "README.md" else ROOT / "docs" / name
        self.text: Final = self.path.read_text(encoding="utf-8")

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        return tuple(
            Block(
                language=found[2],
                text=re.sub(rf"^{found[1]}", "", found[3], flags=re.MULTILINE),
                line=self.text.count("\n", 0, found.start()) + 1,
            )
            for found in _FENCED.finditer(self.text)
        )

    def of(self, language: str) -> list[str]:
        """The blocks of a language, files among them."""
        return [block.text for block in self.blocks if block.language == language]

    @cached_property
    def files(self) -> dict[str, str]:
        return {block.file: block.text for block in self.blocks if block.file}

    @property
    def pieces(self) -> list[str]:
        """The Python blocks that are no files."""
        return [each.text for each in self.blocks if each.language == "python" and not each.file]

    def commands(self) -> list[str]:
        """The lines for a shell, without prompts' answers: comments are no commands."""
        lines = re.sub(r"\\\n|(?<=\|)\n", " ", "".join(self.of("sh"))).splitlines()
        bare = (re.sub(r"(?:^|\s+)#.*$", "", line) for line in lines)
        return [re.sub(r"\s+", " ", line).strip() for line in bare if line.strip()]

    def write_files(self, folder: Path, ending: str = "") -> None:
        """Write the files of the page, those with an ending, to where it says they are."""
        for name, text in self.files.items():
            if name.endswith(ending):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_text(text, encoding="utf-8")

    def run(self, *texts: str, into: ModuleType | None = None) -> dict[str, Any]:
        """Run Python blocks, all pieces if none is given, as one module; return its names."""
        names = {"__name__": "page"} if into is None else vars(into)
        for text in texts or self.pieces:
            exec(compile(text, self.name, "exec", dont_inherit=True), names)
        return names
