from __future__ import annotations

import runpy
from pathlib import Path

from durable_execution._core.transitions import MOVES

DOCS = Path(__file__).parents[2] / "docs"


def test_the_diagram_in_the_docs_is_the_one_of_the_table() -> None:
    generator = runpy.run_path(str(DOCS / "generate_state_diagram.py"))
    written = (DOCS / "state-diagram.md").read_text(encoding="utf-8")
    assert written == generator["render"](), "run: python docs/generate_state_diagram.py"


def test_the_diagram_draws_every_arrow_of_the_table() -> None:
    diagram = (DOCS / "state-diagram.md").read_text(encoding="utf-8").split("```")[1]
    for move, law in MOVES.items():
        for source in law.sources:
            for target in law.targets:
                arrow = f"    {source} --> {target}: "
                labels = [line for line in diagram.splitlines() if line.startswith(arrow)]
                assert len(labels) == 1
                drawn = [name.rstrip("*") for name in labels[0].removeprefix(arrow).split(", ")]
                assert move.replace("_", " ") in drawn
