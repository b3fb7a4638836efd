"""Procedures and routers that keep a contract."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, TypeVar, overload

from durable_execution.orpc._contract import Contract, Declared, Member, members_of
from durable_execution.orpc._server.context import CallContext
from durable_execution.orpc._server.lazy import Lazy
from durable_execution.orpc._server.procedure import Procedure
from durable_execution.orpc._server.router import Node, Router

InputT_co = TypeVar("InputT_co", covariant=True)
OutputT_contra = TypeVar("OutputT_contra", contravariant=True)


class Implementing(Protocol[InputT_co, OutputT_contra]):
    """Puts a function behind a declared procedure; it takes `(ctx, input)`, or `(ctx)` for none.

    Of each pair of overloads the async one comes first: an async function also fits the second,
    with a coroutine for an output.
    """

    @overload
    def __call__(
        self, function: Callable[[CallContext, InputT_co], Awaitable[OutputT_contra]], /
    ) -> Procedure: ...
    @overload
    def __call__(
        self, function: Callable[[CallContext, InputT_co], OutputT_contra], /
    ) -> Procedure: ...
    @overload
    def __call__(
        self: Implementing[None, OutputT_contra],
        function: Callable[[CallContext], Awaitable[OutputT_contra]],
        /,
    ) -> Procedure: ...
    @overload
    def __call__(
        self: Implementing[None, OutputT_contra],
        function: Callable[[CallContext], OutputT_contra],
        /,
    ) -> Procedure: ...


class ContractRouter(dict[str, "Node"]):
    """A router that was checked against a contract: its keys are the names on the wire."""

    def __init__(self, nodes: Mapping[str, Node], contract: type[Contract[Any]]) -> None:
        super().__init__(nodes)
        self.contract = contract


def fitted(router: Router, contract: type[Contract[Any]]) -> ContractRouter:
    """The router under the names of the wire, checked to be all of the contract and nothing else.

    Its keys are the attributes of the contract.

    Raises:
        TypeError: A procedure is missing, is no part of the contract, or implements another one.
    """
    return _fitted(router, contract, ())


def _fitted(router: Node, contract: type[Contract[Any]], path: tuple[str, ...]) -> ContractRouter:
    where = ".".join(("router", *path))
    if isinstance(router, ContractRouter) and router.contract is contract:
        return router
    if not isinstance(router, Mapping):
        raise TypeError(
            f"{where}: expected a mapping that implements {contract.__qualname__}, "
            f"got {type(router).__name__}"
        )
    members = members_of(contract)
    problems = [
        *(f"{name} is missing" for name in members if name not in router),
        *(f"{name!r} is not in the contract" for name in router if name not in members),
    ]
    if problems:
        raise TypeError(f"{where}: {contract.__qualname__}: {', '.join(problems)}")
    return ContractRouter(
        {
            member.name: _fitted_node(router[name], member, (*path, name))
            for name, member in members.items()
        },
        contract,
    )


def _fitted_node(node: Node, member: Member, path: tuple[str, ...]) -> Node:
    expected = member.node
    if isinstance(node, Lazy):
        return node.then(lambda loaded: _fitted_node(loaded, member, path))
    if not isinstance(expected, Declared):
        return _fitted(node, expected, path)
    where = ".".join(("router", *path))
    if not isinstance(node, Procedure):
        raise TypeError(f"{where}: expected a procedure, got {type(node).__name__}")
    if node.declared is not expected:
        found = "no contract" if node.declared is None else node.declared
        name = f"{expected.owner.__qualname__}.{expected.attribute}"
        raise TypeError(f"{where}: expected @rpc.implement({name}), but it implements {found}")
    return node
