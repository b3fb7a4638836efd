"""What is generated for TypeScript, compiled by its compiler and used on a server of ours."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from durable_execution.codegen import generate_typescript
from tests.interop.generated.tasks import make_app, tasks

pytestmark = pytest.mark.interop

ROOM = Path(__file__).parent / "generated"
RUN_TIMEOUT = 60.0


@pytest.fixture(scope="module")
def compiled(tsc: Callable[[Path], None]) -> Path:
    """The folder of the compiled modules; what must not compile is part of it, and does not."""
    tsc(ROOM)
    return ROOM / "dist"


@pytest.fixture(scope="module")
def outcomes(node: str, compiled: Path, serve_app: Callable[[Any], str]) -> Mapping[str, Any]:
    answer = subprocess.run(
        [node, str(compiled / "use.js"), f"{serve_app(make_app())}/rpc"],
        capture_output=True,
        text=True,
        timeout=RUN_TIMEOUT,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    outcomes: Mapping[str, Any] = json.loads(answer.stdout)
    return outcomes


DEFAULTS = {
    "customer": 7,
    "placed_at": "2024-02-29T12:34:56.789Z",
    "payment": {"type": "transfer", "accountNumber": "12345678901234567890n", "reference": ""},
    "items": {
        "entries": [{"sku": "a", "color": "red", "size": 1, "price": "9.90"}],
        "next_page": None,
    },
    "address": {"street": "Main Street"},
    "place": [52.5, 0],
    "labels": ["gift", "new"],
    "counts": [[1, "one"]],
    "stock": [["a", 3]],
    "total": "9007199254740993 bigint",
    "priority": "low",
    "note": None,
    "category": None,
    "due": None,
    "patience": "PT3600S",
    "token": "00000000-0000-0000-0000-000000000000",
    "picture": "",
    "by_color": {},
    "by_mood": {},
    "pair": [0, ""],
    "extra": [],
    "isExact": True,
}
RESULTS: dict[str, Any] = {
    "defaults": DEFAULTS,
    "everything": DEFAULTS
    | {
        "payment": {"type": "card", "lastDigits": "1234"},
        "items": {
            "entries": [{"sku": "b", "color": "blue", "size": 2, "price": "1.5"}],
            "next_page": 2,
        },
        "address": {"street": "Main Street", "floor": 3},
        "place": [52.5, 13.4],
        "labels": ["twice"],
        "counts": [[2, "two"]],
        "stock": [],
        "total": "5 number",
        "priority": 3,
        "note": "careful",
        "category": {"name": "toys", "children": [{"name": "cars", "children": []}]},
        "due": "2024-03-01",
        "patience": "PT90S",
        "token": "00000000-0000-0000-0000-00000000002a",
        "picture": "aGk=",
        "by_color": [["red", 2]],
        "by_mood": {"good": 1},
        "pair": [1, "one"],
        "extra": ["when", "list", "deep"],
    },
    "rawCalls": ["Ada", "HELLO, ADA"],
    "pydantic": [True, 2024, [], False],
    "nothing": [None],
    "optional": "Hello, you",
    "parent": [2, [2, 4]],
    "finalized": 12,
    "loop": [5, False],
    "wakeup": ["c", "1.00", None],
    "wait": "Hello, Ada",
    "result": ["Hello, Ada", ["LookupError: no luck", "failed"]],
    "watch": [[0.5, "half of it", True], "cancelled", True],
    "cancel": "cancelled",
    "many": [True, ["greet", {"lot": "a"}, 0, True]],
    "once": True,
    "failed": ["LookupError: no luck", 1],
    "operators": [
        True,
        ["no luck", "LookupError: no luck", "string"],
        [6, 3, [["double", True, 2], ["double", True, 4], ["sum_all_finalize", True, 6]]],
        [True, True, 3],
        {"deleted": 0, "isDone": True},
    ],
    "refused": ["BAD_REQUEST", ["input", "items", "entries", 0, "sku"]],
}


@pytest.mark.parametrize("scenario", RESULTS)
def test_values_arrive_as_their_types_say(scenario: str, outcomes: Mapping[str, Any]) -> None:
    assert outcomes[scenario] == RESULTS[scenario]


def test_every_scenario_of_the_script_is_checked(outcomes: Mapping[str, Any]) -> None:
    assert outcomes.keys() == RESULTS.keys()


def test_generated_module_is_the_one_of_the_hints() -> None:
    assert (ROOM / "tasks.gen.ts").read_text(encoding="utf-8") == generate_typescript(tasks)


def test_tasks_cost_a_bundle_a_few_hundred_bytes(compiled: Path) -> None:
    module = (compiled / "tasks.gen.js").read_text(encoding="utf-8")
    value = module[module.index("export const tasks") :].partition("};")[0]

    assert len(value) < 300
    assert "import" not in module  # no server code, and no runtime of the client's own
    assert len(module) < 3000
