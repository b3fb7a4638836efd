"""Statements for one row, made statements for many: an array for each parameter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from sqlalchemy import (
    ARRAY,
    BindParameter,
    Delete,
    String,
    Table,
    Text,
    Update,
    bindparam,
    column,
    func,
)
from sqlalchemy import cast as sql_cast
from sqlalchemy.sql import visitors
from sqlalchemy.types import NullType

from durable_execution.storage.sql.schema import executions

if TYPE_CHECKING:
    from sqlalchemy.sql.selectable import TableValuedAlias
    from sqlalchemy.types import TypeEngine

ChangeT = TypeVar("ChangeT", Update, Delete)

TEXTS: Final = ARRAY(Text)


def rows_of(table: Table, names: Sequence[str]) -> TableValuedAlias:
    """Return rows `given` for some columns of a table, from arrays of their names."""
    return _given({name: table.c[name].type for name in names})


def for_each(statement: ChangeT, layout: Sequence[str] | None = None) -> ChangeT:
    """Return the statement for all rows `given`, in their order.

    Its parameters are those of the statement, each an array now, or those of the layout: the names
    of the values of a row, in their order. A name that comes again there gets a number.
    """
    types = _types(statement)
    names: dict[str, list[str]] = {}
    for name in types if layout is None else layout:
        again = names.setdefault(name, [])
        again.append(f"{name}_{len(again) + 1}" if again else name)
    given = _given({each: types[name] for name, again in names.items() for each in again})

    def replaced(element: object, **_: object) -> Any:
        return given.c[element.key] if isinstance(element, BindParameter) else None

    return cast("ChangeT", visitors.replacement_traverse(statement, {}, replaced))


def _given(types: dict[str, TypeEngine[object]]) -> TableValuedAlias:
    arrays = [sql_cast(bindparam(name), ARRAY(_plain(kind))) for name, kind in types.items()]
    columns = [column(name, kind) for name, kind in types.items()]
    return func.unnest(*arrays).table_valued(*columns).render_derived(name="given")


def _types(statement: Update | Delete) -> dict[str, TypeEngine[object]]:
    return {
        element.key: _known(element)
        for element in visitors.iterate(statement)
        if isinstance(element, BindParameter)
    }


def _known(parameter: BindParameter[object]) -> TypeEngine[object]:
    """Return the type; a value that is only assigned has that of the column of its name."""
    is_unknown = isinstance(parameter.type, NullType)
    return executions.c[parameter.key].type if is_unknown else parameter.type


def _plain(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    """Return texts without their bound: a cast to it would cut instead of complaining."""
    return Text() if isinstance(kind, String) else kind
