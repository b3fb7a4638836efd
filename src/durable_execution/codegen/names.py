"""A name for every definition, the same in every run: no two alike, none that is taken."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

from durable_execution.codegen.shapes import Definition, Definitions

_WORD: Final = re.compile(r"[A-Za-z0-9]+")


def unique_names(definitions: Definitions, taken: Iterable[str]) -> dict[int, str]:
    """Return a name by key. Those of one name are told apart by their modules.

    `shop.orders.Item` and `shop.bills.Item` become `OrdersItem` and `BillsItem`, whichever of the
    two is met first.
    """
    used = set(taken)
    by_name: defaultdict[str, list[int]] = defaultdict(list)
    for key, definition in definitions.all.items():
        by_name[definition.name].append(key)
    names: dict[int, str] = {}
    for name in sorted(by_name):
        keys = by_name[name]
        if len(keys) == 1 and name not in used:
            names[keys[0]] = name
            used.add(name)
    for name in sorted(by_name):
        keys = [key for key in by_name[name] if key not in names]
        for key, given in _told_apart(keys, definitions.all).items():
            names[key] = free_name(given, used)
            used.add(names[key])
    return names


def free_name(name: str, used: Iterable[str]) -> str:
    """Return the name, with as many underscores behind it as make it free."""
    while name in used:
        name += "_"
    return name


def _told_apart(keys: list[int], definitions: Mapping[int, Definition]) -> dict[int, str]:
    """Prefix names with as much of their modules, from the end, as makes them differ."""
    modules = {key: definitions[key].module.split(".") for key in keys}
    ordered = sorted(keys, key=lambda key: modules[key])
    longest = max((len(module) for module in modules.values()), default=0)
    for length in range(1, longest + 1):
        found = {key: _prefixed(modules[key][-length:], definitions[key].name) for key in ordered}
        if len(set(found.values())) == len(keys):
            return found
    return {key: _prefixed(modules[key][-1:], definitions[key].name) for key in ordered}


def _prefixed(modules: list[str], name: str) -> str:
    words = [word for part in modules for word in _WORD.findall(part)]
    return "".join(word[:1].upper() + word[1:] for word in (*words, name))
