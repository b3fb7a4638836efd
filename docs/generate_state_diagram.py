"""Draw the life of an execution from the table of the law.

`python docs/generate_state_diagram.py` writes `docs/state-diagram.md`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from durable_execution._core.status import FINISHED, Status
from durable_execution._core.transitions import MOVES

DIAGRAM: Final = Path(__file__).with_name("state-diagram.md")

_SLEEPERS_ONLY: Final = frozenset({"wake_up", "expire"})
_PAGE: Final = """\
# The life of an execution

<!-- Written by docs/generate_state_diagram.py from _core/transitions.py; do not edit. -->

An execution starts as `ready`. A sleeping one starts as `running`, and only the moves marked with
a star, and `cancel`, end it. One that an app works on is parked: it stays `running`, held by no
executor, and is extended, completed, failed or retried from outside. A waiting execution moves on
once none of its children is active.

Whoever retries a tree that has failed makes what failed in it run again or, where it has children,
wait again for those that do. A sleeping execution that is run again is `running` at once.

```mermaid
stateDiagram-v2
{lines}
```

| Move | From | To |
|---|---|---|
{rows}
"""


def render() -> str:
    """Return the page: the diagram, and the same as a table."""
    return _PAGE.format(lines="\n".join(f"    {line}" for line in _lines()), rows=_rows())


def _lines() -> list[str]:
    arrows: dict[tuple[Status, Status], list[str]] = {}
    for move, law in MOVES.items():
        for source in sorted(law.sources):
            for target in sorted(law.targets):
                arrows.setdefault((source, target), []).append(_label(move))
    return [
        "[*] --> ready",
        "[*] --> running: a sleeping one",
        *(
            f"{source} --> {target}: {', '.join(moves)}"
            for (source, target), moves in arrows.items()
        ),
        *(f"{status} --> [*]" for status in sorted(FINISHED)),
    ]


def _rows() -> str:
    return "\n".join(
        f"| `{move}`{'*' if move in _SLEEPERS_ONLY else ''} | {_statuses(law.sources)} "
        f"| {_statuses(law.targets)} |"
        for move, law in MOVES.items()
    )


def _label(move: str) -> str:
    return f"{move.replace('_', ' ')}{'*' if move in _SLEEPERS_ONLY else ''}"


def _statuses(statuses: frozenset[Status]) -> str:
    return ", ".join(f"`{status}`" for status in sorted(statuses))


if __name__ == "__main__":
    DIAGRAM.write_text(render(), encoding="utf-8")
