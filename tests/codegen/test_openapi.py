from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
import pytest

from durable_execution import DurableExecutor, InMemoryStorage, TaskContext
from durable_execution.client import declare_task
from durable_execution.codegen import generate_openapi
from durable_execution.orpc import BigInt, JsMap


class Plain(Enum):
    A = "a"
    B = "b"


class Pair(NamedTuple):
    left: int
    right: int = 0


def document_of(**hints: Any) -> dict[str, Any]:
    tasks = {name: declare_task(name, input=hint, output=hint) for name, hint in hints.items()}
    document: dict[str, Any] = json.loads(generate_openapi(tasks))
    return document


def schemas_of(hint: Any) -> tuple[Any, Any]:
    """The schemas of an input and of an output."""
    place = document_of(t=hint)["paths"]["/tasks/t/executions/{executionId}"]
    view = place["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    properties = view["allOf"][1]["properties"]
    return properties["input"], properties["output"]


@pytest.mark.parametrize(
    ("hint", "schema"),
    [
        (int, {"type": "integer"}),
        (BigInt, {"type": "integer"}),
        (float, {"type": "number"}),
        (Any, {}),
        (None, {"type": "null"}),
        (int | None, {"anyOf": [{"type": "integer"}, {"type": "null"}]}),
        (datetime, {"type": "string", "format": "date-time"}),
        (uuid.UUID, {"type": "string", "format": "uuid"}),
        (list[int], {"type": "array", "items": {"type": "integer"}}),
        (set[str], {"type": "array", "items": {"type": "string"}}),
        (dict[str, int], {"type": "object", "additionalProperties": {"type": "integer"}}),
        (
            dict[Literal["a", "b"], int],
            {
                "type": "object",
                "additionalProperties": {"type": "integer"},
                "propertyNames": {"enum": ["a", "b"]},
            },
        ),
        (dict[tuple[int, int], int], {"type": ["object", "array"]}),
        (Literal["a"], {"const": "a"}),
        (Literal["a", 1], {"enum": ["a", 1]}),
        (
            Annotated[int, msgspec.Meta(ge=1, lt=9)],
            {"type": "integer", "minimum": 1, "exclusiveMaximum": 9},
        ),
        (
            Annotated[list[int], msgspec.Meta(min_length=1)],
            {"type": "array", "items": {"type": "integer"}, "minItems": 1},
        ),
        (Annotated[dict[str, Any], msgspec.Meta(max_length=2)], {
            "type": "object", "additionalProperties": {}, "maxProperties": 2,
        }),
        (
            tuple[int, str],
            {
                "type": "array",
                "prefixItems": [{"type": "integer"}, {"type": "string"}],
                "minItems": 2,
                "maxItems": 2,
            },
        ),
    ],
)  # fmt: skip
def test_hint_is_the_same_schema_in_both_directions(hint: Any, schema: Any) -> None:
    assert schemas_of(hint) == (schema, schema)


def test_input_is_lenient_and_output_exact() -> None:
    assert schemas_of(Decimal)[1] == {"type": "string"}
    assert {"type": "number"} in schemas_of(Decimal)[0]["anyOf"]
    assert schemas_of(JsMap[str, int]) == ({"type": "object"}, {"type": ["object", "array"]})


@dataclass
class Node:
    """A node."""

    value: int
    at: timedelta = timedelta()
    below: list[Node] = field(default_factory=list)


class Strict(msgspec.Struct, forbid_unknown_fields=True):
    pair: Pair


def test_classes_are_components_by_direction() -> None:
    schemas = document_of(t=Node, u=Strict)["components"]["schemas"]

    assert schemas["Node"]["required"] == ["value", "at", "below"]
    assert schemas["NodeInput"]["required"] == ["value"]
    assert schemas["NodeInput"]["description"] == "A node."
    below = {"type": "array", "items": {"$ref": "#/components/schemas/NodeInput"}}
    assert schemas["NodeInput"]["properties"]["below"] == below
    assert schemas["StrictInput"]["additionalProperties"] is False
    assert "additionalProperties" not in schemas["Strict"]
    assert (schemas["PairInput"]["minItems"], schemas["Pair"]["minItems"]) == (1, 2)


def test_names_of_the_document_itself_stay_free() -> None:
    problem = msgspec.defstruct("Problem", [("a", int)], module="shop.orders")
    schemas = document_of(t=problem)["components"]["schemas"]

    assert schemas["OrdersProblem"]["properties"] == {"a": {"type": "integer"}}
    assert "title" in schemas["Problem"]["properties"]


def test_a_token_may_be_asked_for() -> None:
    document = document_of(t=int)

    assert document["security"] == [{"bearer": []}, {}]
    scheme = document["components"]["securitySchemes"]["bearer"]
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")


def test_every_reference_leads_somewhere() -> None:
    document = document_of(t=Node, u=Strict, v=Plain)
    references = set()

    def gather(value: Any) -> None:
        if isinstance(value, dict):
            references.update([value["$ref"]] if "$ref" in value else [])
            value = list(value.values())
        if isinstance(value, list):
            for each in value:
                gather(each)

    gather(document)
    assert references
    for each in references:
        place: Any = document
        for step in each.removeprefix("#/").split("/"):
            place = place[step]


def test_only_what_sleeps_is_woken_up_and_only_inputs_that_are_needed_required() -> None:
    executor = DurableExecutor(InMemoryStorage())

    @executor.task
    async def ping(ctx: TaskContext) -> None:
        """Ping."""

    executor.sleeping_task("nap", output=int)
    paths = json.loads(generate_openapi(executor.tasks))["paths"]

    def body_of(path: str) -> Any:
        return paths[path]["post"]["requestBody"]["content"]["application/json"]["schema"]

    assert "/tasks/nap/wakeup" in paths
    assert "/tasks/ping/wakeup" not in paths
    assert body_of("/tasks/ping/executions")["required"] == []
    assert "input" not in body_of("/tasks/ping/executions")["properties"]
    assert paths["/tasks/ping/executions"]["post"]["description"] == "Ping."
    nap = body_of("/tasks/nap/executions")
    assert nap["required"] == ["input"]
    unique_id = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^[^\u0000]*$"}
    assert nap["properties"]["input"] == unique_id
    woken = body_of("/tasks/nap/wakeup")["anyOf"][0]["properties"]
    assert woken["sleepingTaskUniqueId"] == unique_id


def test_key_is_one_part_of_its_path() -> None:
    text = generate_openapi({"a/b {c}": declare_task("t")}, server="/rest", title="Mine")
    document = json.loads(text)

    assert "/tasks/a%2Fb%20%7Bc%7D/executions" in document["paths"]
    assert document["servers"] == [{"url": "/rest"}]
    assert document["info"]["title"] == "Mine"


def test_text_does_not_depend_on_the_order_of_tasks() -> None:
    declared = {name: declare_task(name, input=Node, output=Strict) for name in ("b", "a", "c")}

    assert generate_openapi(declared) == generate_openapi(dict(sorted(declared.items())))
