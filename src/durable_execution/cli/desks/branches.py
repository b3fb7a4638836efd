"""From executions in a row, parents before their children, to the tree that they are."""

from __future__ import annotations

from collections.abc import Iterable

from durable_execution.cli.desks.desk import Branch, Facts
from durable_execution.remote.operated import parent_id_of


def tree_of(executions: Iterable[Facts]) -> Branch:
    """Build the tree of what `wire_branch` wrote; the first is its root.

    Raises:
        StopIteration: There is none.
    """
    each = iter(executions)
    root = _branch(next(each))
    branches = {root.facts["executionId"]: root}
    for facts in each:
        above = branches.get(parent_id_of(facts))
        if above is not None:
            branch = branches[facts["executionId"]] = _branch(facts)
            above.children.append(branch)
    return root


def _branch(facts: Facts) -> Branch:
    left_out = facts.get("leftOut", 0)
    shown = {name: value for name, value in facts.items() if name != "leftOut"}
    return Branch(shown, left_out=left_out if isinstance(left_out, int) else 0)
