"""The results of each workload on each storage, as they were last measured."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

LATEST: Final = Path(__file__).parent / "results" / "latest.jsonl"
SCALED: Final = LATEST.with_name("scaled.jsonl")
"""What was not run at full size proves nothing, and takes no result's place."""

Line = dict[str, Any]


class Results:
    """A file of JSON lines, one for each figure."""

    def __init__(self, *, is_whole: bool = True) -> None:
        self._path = LATEST if is_whole else SCALED

    def lines(self) -> list[Line]:
        """Return what is there, in the order of workloads."""
        text = self._path.read_text() if self._path.exists() else ""
        return [json.loads(each) for each in text.splitlines()]

    def replace(self, workload: int, storage: str, lines: Sequence[Line]) -> None:
        """Put these in the place of what was measured before."""
        kept = [
            each
            for each in self.lines()
            if (each["workload"], each["storage"]) != (workload, storage)
        ]
        every = sorted([*kept, *lines], key=lambda each: int(each["workload"]))
        self._path.parent.mkdir(exist_ok=True)
        written = [json.dumps(each, ensure_ascii=False) + "\n" for each in every]
        self._path.write_text("".join(written))
