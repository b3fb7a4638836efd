"""Routers: nested mappings of names to procedures, flattened once for matching."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final, TypeAlias

from durable_execution.orpc._protocol import encode_path
from durable_execution.orpc._server.declared import DeclaredError
from durable_execution.orpc._server.lazy import Lazy
from durable_execution.orpc._server.procedure import Middleware, Procedure

Router: TypeAlias = "Mapping[str, Procedure | Router | Lazy]"
"""`{"planet": {"find": find, "list": list_planets}, "admin": lazy("myapp.admin:router")}`."""

Node: TypeAlias = "Procedure | Router | Lazy"
"""What may stand at a place of a router."""

_DEEPEST: Final = 64


def guard(
    router: Router,
    middlewares: tuple[Middleware, ...],
    errors: Mapping[str, DeclaredError],
) -> Router:
    """The router with these middlewares and errors around every procedure in it.

    Raises:
        TypeError: A name is not text, or something is neither a procedure nor a router.
        ValueError: The router contains itself.
    """
    return _guard_below(router, (), middlewares, errors)


def flatten(
    router: Node, path: tuple[str, ...] = ()
) -> dict[str, tuple[tuple[str, ...], Procedure | Lazy]]:
    """Every procedure and every lazy part under its URL path, still percent-encoded.

    Args:
        router: What to flatten.
        path: Where it stands.

    Raises:
        TypeError: A name is not text, or something is neither a procedure nor a router.
        ValueError: The router contains itself, or a name cannot stand in a URL.
    """
    return {encode_path(found): (found, node) for found, node in _walk(router, path)}


def _walk(node: Node, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Procedure | Lazy]]:
    if isinstance(node, Procedure | Lazy):
        yield path, node
        return
    _check(node, path)
    for name, child in node.items():
        yield from _walk(child, (*path, name))


def _check(router: Router, path: tuple[str, ...]) -> None:
    where = ".".join(("router", *path))
    if len(path) > _DEEPEST:
        raise ValueError(f"{where}: deeper than {_DEEPEST} names; does it contain itself?")
    if not isinstance(router, Mapping):
        raise TypeError(
            f"{where}: expected a procedure or a mapping of them, got {type(router).__name__}; "
            "a function becomes a procedure with rpc.handler(function)"
        )
    for name in router:
        if not isinstance(name, str):
            raise TypeError(f"{where}: expected names of type str, got {name!r}")


def _guard_below(
    router: Router,
    path: tuple[str, ...],
    middlewares: tuple[Middleware, ...],
    errors: Mapping[str, DeclaredError],
) -> Router:
    _check(router, path)
    return {
        name: _guard_node(node, (*path, name), middlewares, errors) for name, node in router.items()
    }


def _guard_node(
    node: Node,
    path: tuple[str, ...],
    middlewares: tuple[Middleware, ...],
    errors: Mapping[str, DeclaredError],
) -> Node:
    if isinstance(node, Procedure):
        return _guard_procedure(node, middlewares, errors)
    if isinstance(node, Lazy):
        return node.then(lambda loaded: _guard_node(loaded, path, middlewares, errors))
    return _guard_below(node, path, middlewares, errors)


def _guard_procedure(
    procedure: Procedure,
    middlewares: tuple[Middleware, ...],
    errors: Mapping[str, DeclaredError],
) -> Procedure:
    # A procedure built from the guarding builder already begins with its middlewares.
    is_guarded = procedure.middlewares[: len(middlewares)] == middlewares
    added = () if is_guarded else middlewares
    return replace(
        procedure,
        middlewares=(*added, *procedure.middlewares),
        input_at=procedure.input_at + len(added),
        output_at=procedure.output_at + len(added),
        errors={**errors, **procedure.errors},
    )
