"""What the build adds to pyproject.toml: a README whose links lead somewhere on a package index.

There is no repository around it there. The forge that builds a release says where it keeps the
files; what is built elsewhere, from a copy of them, has words instead of links.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from hatchling.metadata.plugin.interface import MetadataHookInterface

_FENCED: Final = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
_RELATIVE: Final = re.compile(r"(!?)\[([^\]]*)\]\((?![a-z]+:|#)([^)\s]+)\)")


class CustomMetadataHook(MetadataHookInterface):
    """Adds the README, and where the sources are if that is known."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set what pyproject.toml calls dynamic."""
        files = files_of_the_forge(os.environ)
        readme = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        text = for_an_index(readme, files)
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
        if files is not None:
            metadata["urls"] = {
                "Source": files.partition("/blob/")[0],
                "Documentation": f"{files}/docs/tutorial.md",
                "Changelog": f"{files}/CHANGELOG.md",
            }


def files_of_the_forge(environment: Mapping[str, str]) -> str | None:
    """Return the address below which the files of this very release are, as a workflow knows it."""
    parts = [environment.get(f"GITHUB_{name}") for name in ("SERVER_URL", "REPOSITORY", "REF_NAME")]
    return "{}/{}/blob/{}".format(*parts) if all(parts) else None


def for_an_index(readme: str, files: str | None) -> str:
    """Return the README with addresses for its links, or with words alone where there are none."""

    def moved(link: re.Match[str]) -> str:
        picture, words, path = link.groups()
        if files is None:
            return "" if picture else words
        home = files.replace("/blob/", "/raw/", 1) if picture else files
        return f"{picture}[{words}]({home}/{path})"

    parts = _FENCED.split(readme)
    return "".join(part if part.startswith("```") else _RELATIVE.sub(moved, part) for part in parts)
