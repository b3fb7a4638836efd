from __future__ import annotations

import collections.abc
import re
import uuid
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum, IntFlag, StrEnum
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    NotRequired,
    Required,
    TypedDict,
    TypeVar,
    Union,
)

import annotated_types
import msgspec
import pydantic
import pytest

from durable_execution import DurableExecutor, InMemoryStorage, InvalidOptionError, TaskContext
from durable_execution.client import declare_task
from durable_execution.codegen import generate_typescript
from durable_execution.orpc import BigInt, File, JsDate, JsMap, JsSet, RegExp, Url
from durable_execution.server import create_callback_task

SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="

T = TypeVar("T")


class Plain(Enum):
    A = "a"
    B = "b"


class Text(StrEnum):
    A = "a"


class Number(IntEnum):
    ONE = 1


class Rights(IntFlag):
    READ = 1
    WRITE = 2


UserId = NewType("UserId", int)
Name = NewType("Name", str)


def types_of(hint: Any) -> tuple[str, str]:
    """The types of an input and of an output with this hint, as they stand in `TaskTypes`."""
    text = generate_typescript({"t": declare_task("t", input=hint, output=hint)})
    found = re.search(r"^  t: \{ input: (.*); output: (.*); sleeping: boolean \}$", text, re.M)
    assert found is not None
    return found[1], found[2]


def definitions_of(*hints: Any) -> str:
    """The types with names, as far as `TaskTypes`."""
    tasks = {f"t{i}": declare_task(f"t{i}", input=h, output=h) for i, h in enumerate(hints)}
    text = generate_typescript(tasks)
    _, _, rest = text.partition("from '@orpc/client'\n\n")
    return rest.partition("/** What goes into every task")[0]


@pytest.mark.parametrize(
    ("hint", "expected"),
    [
        (bool, "boolean"),
        (int, "number"),
        (float, "number"),
        (str, "string"),
        (bytes, "string"),
        (datetime, "Date"),
        (datetime | JsDate, "Date"),
        (date, "string"),
        (time, "string"),
        (timedelta, "string"),
        (uuid.UUID, "string"),
        (BigInt, "bigint"),
        (Url, "URL"),
        (RegExp, "RegExp"),
        (Any, "unknown"),
        (object, "unknown"),
        (int | str, "number | string"),
        (Union[int, str, int], "number | string"),  # noqa: UP007 - of another class than `|` gives
        (float | int, "number"),
        (list[int], "number[]"),
        (list[int | str], "Array<number | string>"),
        (list[Any], "unknown[]"),
        (list, "unknown[]"),
        (collections.abc.Sequence[int], "number[]"),
        (tuple[int, ...], "number[]"),
        (tuple[int, str], "[number, string]"),
        (tuple[()], "[]"),
        (dict[str, int], "Record<string, number>"),
        (collections.abc.Mapping[str, int], "Record<string, number>"),
        (dict[Name, int], "Record<string, number>"),
        (dict[Literal["a", "b"], int], "Partial<Record<'a' | 'b', number>>"),
        (dict[Text, int], "Partial<Record<Text, number>>"),
        (dict[Any, int], "Map<unknown, number> | Record<string, number>"),
        (dict, "Map<unknown, unknown> | Record<string, unknown>"),
        (JsMap[int, str], "Map<number, string>"),
        (JsMap[str, str], "Map<string, string>"),
        (JsSet[int], "Set<number>"),
        (Literal["a", "it's", 1, True], "'a' | \"it's\" | 1 | true"),
        (Literal[2**60], "1152921504606846976n"),
        (Plain, "Plain"),
        (Rights, "Rights"),
        (UserId, "UserId"),
        (Annotated[int, msgspec.Meta(ge=0, le=9)], "number"),
        (Annotated[int, msgspec.Meta(le=2**53)], "number"),
        (Annotated[int, msgspec.Meta(le=2**53 + 2)], "number | bigint"),
        (Annotated[int, annotated_types.Ge(-(2**63))], "number | bigint"),
        (list[Annotated[UserId, msgspec.Meta(gt=-(2**60))]], "Array<number | bigint>"),
    ],
)
def test_hint_is_the_same_type_in_both_directions(hint: Any, expected: str) -> None:
    assert types_of(hint) == (expected, expected)


@pytest.mark.parametrize(
    ("hint", "input", "output"),
    [
        (None, "null | undefined", "null"),
        (int | None, "number | null | undefined", "number | null"),
        (Decimal, "string | number", "string"),
        (set[int], "Set<number> | number[]", "Set<number>"),
        (
            frozenset[int | str],
            "Set<number | string> | Array<number | string>",
            "Set<number | string>",
        ),
        (collections.abc.Set[int], "Set<number> | number[]", "Set<number>"),
        (list[Decimal], "Array<string | number>", "string[]"),
        (
            dict[int, str],
            "Map<number, string> | Record<string, string>",
            "Map<number, string> | Record<string, never>",
        ),
        (
            dict[Number, str],
            "Map<Number, string> | Record<string, string>",
            "Map<Number, string> | Record<string, never>",
        ),
        (
            dict[Plain, int],
            "Map<Plain, number> | Partial<Record<Plain, number>>",
            "Map<Plain, number> | Record<string, never>",
        ),
        (
            dict[uuid.UUID, int],
            "Map<string, number> | Record<string, number>",
            "Map<string, number> | Record<string, never>",
        ),
    ],
)
def test_input_is_lenient_and_output_exact(hint: Any, input: str, output: str) -> None:
    assert types_of(hint) == (input, output)


@dataclass
class Node:
    """A node, and `*/` those below it."""

    value: int
    below: list[Node] = field(default_factory=list)


def test_recursive_type_differs_by_direction_as_a_whole() -> None:
    assert definitions_of(Node) == (
        "/** A node, and `*\\/` those below it. */\n"
        "export type Node = {\n  value: number\n  below: Node[]\n}\n\n"
        "/** A node, and `*\\/` those below it. */\n"
        "export type NodeInput = {\n  value: number\n  below?: NodeInput[] | undefined\n}\n\n"
    )


class Loose(TypedDict, total=False):
    a: Required[int]
    b: int


class Strict(TypedDict):
    c: int
    d: NotRequired[str]


class Both(Loose, Strict):
    """Both."""

    e: Annotated[int, msgspec.Meta(description="The fifth.")]


def test_typed_dict_tells_what_may_be_missing() -> None:
    assert definitions_of(Both) == (
        "/** Both. */\n"
        "export type Both = {\n"
        "  a: number\n"
        "  b?: number | undefined\n"
        "  c: number\n"
        "  d?: string | undefined\n"
        "  /** The fifth. */\n"
        "  e: number\n"
        "}\n\n"
    )


class Cat(msgspec.Struct, tag=True, rename="camel"):
    lives_left: int = 9


class Dog(msgspec.Struct, tag="dog", tag_field="kind"):
    name: str | msgspec.UnsetType = msgspec.UNSET


class Row(msgspec.Struct, array_like=True, tag="row"):
    first: int
    second: int = 2


class Pair(NamedTuple):
    left: int
    right: int = 0


def test_structs_are_as_they_are_encoded() -> None:
    assert definitions_of(Cat, Dog, Row, Pair) == (
        "export type Cat = {\n  type: 'Cat'\n  livesLeft: number\n}\n\n"
        "export type CatInput = {\n  type: 'Cat'\n  livesLeft?: number | undefined\n}\n\n"
        "export type Dog = {\n  kind: 'dog'\n  name?: string | undefined\n}\n\n"
        "export type Pair = [left: number, right: number]\n\n"
        "export type PairInput = [left: number, right?: number]\n\n"
        "export type Row = [tag: 'row', first: number, second: number]\n\n"
        "export type RowInput = [tag: 'row', first: number, second?: number]\n\n"
    )


@dataclass
class Page(Generic[T]):
    entries: list[T]


@dataclass
class NumberedPage(Page[T], Generic[T]):
    number: int


class Box(msgspec.Struct, Generic[T]):
    inside: T


@dataclass
class UserPage(Page[UserId]):
    owner: Box[Page[str]]


def test_parameters_of_generic_types_are_filled_in() -> None:
    definitions = definitions_of(NumberedPage[int | None], UserPage, Page)

    assert (
        "export type NumberedPageOfIntOrNone = {\n"
        "  entries: Array<number | null>\n  number: number\n}\n" in definitions
    )
    assert (
        "export type UserPage = {\n  entries: UserId[]\n  owner: BoxOfPageOfStr\n}" in definitions
    )
    assert "export type BoxOfPageOfStr = {\n  inside: PageOfStr\n}" in definitions
    assert "export type PageOfStr = {\n  entries: string[]\n}" in definitions
    assert "export type Page = {\n  entries: unknown[]\n}" in definitions


class Model(pydantic.BaseModel, Generic[T]):
    model_config = pydantic.ConfigDict(extra="allow")

    value: T
    in_name: int = pydantic.Field(validation_alias=pydantic.AliasChoices("inName", "in"))
    out_name: int = pydantic.Field(3, serialization_alias="outName", description="Out.")
    secret: str = pydantic.Field(exclude=True)
    plain: int = 0

    @pydantic.field_serializer("plain")
    def _plain(self, value: int) -> str:
        return str(value)

    @pydantic.computed_field(alias="twoTimes")
    def twice(self) -> int:
        """Computed."""
        return 2


class Root(pydantic.RootModel[list[pydantic.PositiveInt]]):
    pass


@pydantic.dataclasses.dataclass
class Checked:
    size: int = pydantic.Field(4, alias="theSize")


def test_pydantic_models_have_the_names_of_each_direction() -> None:
    assert definitions_of(Model[int], Root, Checked) == (
        "export type Checked = {\n  size: number\n}\n\n"
        "export type CheckedInput = {\n  theSize?: number | undefined\n}\n\n"
        "export type ModelOfInt = {\n"
        "  value: number\n"
        "  in_name: number\n"
        "  /** Out. */\n"
        "  outName: number\n"
        "  plain: unknown\n"
        "  /** Computed. */\n"
        "  twoTimes: number\n"
        "  [name: string]: unknown\n"
        "}\n\n"
        "export type ModelOfIntInput = {\n"
        "  value: number\n"
        "  inName: number\n"
        "  /** Out. */\n"
        "  out_name?: number | undefined\n"
        "  secret: string\n"
        "  plain?: number | undefined\n"
        "  [name: string]: unknown\n"
        "}\n\n"
        "export type Root = number[]\n\n"
    )


def same_name(module: str) -> type:
    return msgspec.defstruct("Item", [("a", int)], module=module)


def test_types_of_one_name_are_told_apart_by_their_modules() -> None:
    orders, bills = same_name("shop.orders"), same_name("shop.bills")

    assert re.findall(r"type (\w+)", definitions_of(orders, bills)) == ["BillsItem", "OrdersItem"]
    assert re.findall(r"type (\w+)", definitions_of(bills, orders)) == ["BillsItem", "OrdersItem"]


@pytest.mark.parametrize("name", ["Map", "TaskExecution", "Client", "tasks", "string"])
def test_names_that_the_module_needs_stay_free(name: str) -> None:
    definitions = definitions_of(msgspec.defstruct(name, [("a", int)], module="shop.orders"))

    assert re.findall(r"type (\w+)", definitions) == [f"Orders{name[0].upper()}{name[1:]}"]


def test_input_of_a_name_that_is_taken_gets_another() -> None:
    user = msgspec.defstruct("User", [("a", int, 1)], module="m")
    user_input = msgspec.defstruct("UserInput", [("b", int)], module="m")

    names = re.findall(r"type (\w+)", definitions_of(user, user_input))
    assert names == ["User", "UserInput", "UserInput_"]


def test_text_does_not_depend_on_the_order_of_tasks() -> None:
    declared = {name: declare_task(name, input=Node, output=Cat) for name in ("b", "a", "c")}

    assert generate_typescript(declared) == generate_typescript(dict(sorted(declared.items())))


def test_names_of_tasks_and_fields_are_quoted_where_they_must_be() -> None:
    hint = TypedDict("hint", {"with-dash": int, "class": int, 'quo"te': int})
    text = generate_typescript({"my-task": declare_task("t", input=hint)})

    assert "  'my-task': { input: hint; output: unknown; sleeping: boolean }\n" in text
    assert "  'my-task': {},\n" in text
    assert "{\n  'with-dash': number\n  class: number\n  'quo\"te': number\n}" in text


def test_docstring_of_a_task_becomes_its_comment() -> None:
    executor = DurableExecutor(InMemoryStorage())

    @executor.task
    async def send(ctx: TaskContext) -> None:
        """Send it.

        Later.
        """

    text = generate_typescript(executor.tasks)
    assert (
        "  /**\n   * Send it.\n   *\n   * Later.\n   */\n"
        "  send: { input: undefined; output: null; sleeping: false }\n" in text
    )


def test_output_that_nothing_in_python_made_is_as_lenient_as_an_input() -> None:
    executor = DurableExecutor(InMemoryStorage())
    declared = declare_task("declared", input=int, output=Cat)

    @executor.implement(declared)
    async def untyped(ctx: TaskContext, input: object) -> object:
        return {"type": "Cat"}

    @executor.task
    async def typed(ctx: TaskContext, size: int) -> Cat:
        return Cat()

    executor.sleeping_task("sleeping", output=Cat)
    create_callback_task(
        executor, {"id": "handed"}, "http://a.example", secret=SECRET, input=int, output=Cat
    )
    executor.sequential_tasks("sequence", (typed, untyped))
    text = generate_typescript(executor.tasks)

    assert "  declared: { input: number; output: CatInput; sleeping: false }\n" in text
    assert "  handed: { input: number; output: CatInput; sleeping: false }\n" in text
    assert "  sleeping: { input: string; output: CatInput; sleeping: true }\n" in text
    assert "  sequence: { input: number; output: CatInput; sleeping: false }\n" in text
    assert "  typed: { input: number; output: Cat; sleeping: false }\n" in text


def test_file_has_no_place_in_an_execution() -> None:
    with pytest.raises(InvalidOptionError, match="task t: File: files cannot be kept"):
        generate_typescript({"t": declare_task("t", input=list[File])})


def test_what_is_no_task_is_refused() -> None:
    with pytest.raises(InvalidOptionError, match=r"tasks\['a'\] must be a task .*, got int"):
        generate_typescript({"a": 1})  # type: ignore[dict-item]
