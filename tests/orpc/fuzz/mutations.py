"""Damage to messages: what a parser trips over, at any place, in any number.

Everything is decided by one `random.Random`: a seeded one for long runs, and one that Hypothesis
watches for short ones, which can shrink what it finds.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any, Final

Pairs = tuple[tuple[str, str], ...]

_TAGS: Final[list[Any]] = [
    *(0, 1, 2, 3, 4, 5, 6, 7, 8, 20, -1, 1.5, True, None, "1"),
    *("date", "bigint", "nan", "undefined", "url", "regexp", "set", "map", "blob"),
]
_LEAVES: Final[list[Any]] = [
    *(None, True, False, 0, -1, 1, 1.5, -0.0, 1e308, 2**53, 2**63, 10**30, "", "a", "12", "-0"),
    *("1970-01-01T00:00:00.000Z", "+275760-09-13", "-000001-01-01", "2024-02-30", "/a/gi", "/(/"),
    *("https://a.example/", "data:,", "\ud800", "\x00", "é", "__proto__", "x" * 300, "9" * 5000),
    *([], {}, [[]], [["a", 1]], [[["a"], {}]], {"0": 1, "1": 2}, {"__proto__": 1}, [None, 1, "1"]),
    *({"id": 3}, {"id": 3, "name": "x"}, {"id": "3"}, {"id": -(2**70)}, {"json": 1, "meta": [[1]]}),
]

# Single bytes that mean something to JSON, forms, event streams or HTTP.
_BYTES: Final = [bytes([byte]) for byte in b'0-"[]{},:;=%&?/\\\r\n\t \x00\x7f\x80\xff']
_PIECES: Final = [
    *b'null true false -0 1e999 99999999999999999999 "__proto__" "constructor" "length"'.split(),
    *b'[[7]] [[6]] [[1]] {} [] {"json": {"json":1,"meta":[[0]]} "meta":[[ "maps":[[]]'.split(),
    *b"\\ud800 \\u0000 \xed\xa0\x80 \xef\xbb\xbf \xc3\xa9 NaN Infinity -1 1.5 [[3,0]]".split(),
    *b"data: event: id: retry: event:done event:error event:close %2F %2e%2e %00 %".split(),
    *b'name="data" name="0" filename="" filename*=utf-8\'\'a Content-Disposition: --'.split(),
    b"\r\n\r\n",
    b"\n\n",
    b": \n\n",
    b"--\r\n",
    b"[" * 200,
    b'{"a":' * 100,
    b"9" * 400,
    b"x" * 5000,
]
_VALUES: Final = [
    "",
    "application/json",
    "application/json; charset=utf-8",
    "APPLICATION/JSON",
    "multipart/form-data",
    "multipart/form-data; boundary=",
    "multipart/form-data; boundary=B",
    'multipart/form-data; boundary="B"',
    "application/x-www-form-urlencoded",
    "text/event-stream",
    "text/event-stream; charset=latin-1",
    "text/plain",
    "application/octet-stream",
    "inline; filename=\"a\"; filename*=utf-8''%C3%A9",
    "attachment",
    "0",
    "-1",
    "5",
    "99999999999999999999",
    "gzip",
    "file",
    "octet-stream",
    "orpc",
    "buffered",
    "http://a.example",
    "é",
]
_NAMES: Final = [
    "content-type",
    "content-disposition",
    "content-length",
    "content-encoding",
    "last-event-id",
    "accept-encoding",
    "origin",
    "x-csrf-token",
    "x-orpc-batch",
    "standard-server",
    "sec-fetch-mode",
    "retry-after",
    "access-control-request-headers",
]


def damaged(dice: random.Random, whole: bytes, others: Sequence[bytes]) -> bytes:
    """A text with a few pieces cut out, put in, doubled, or taken from another text."""
    for _ in range(dice.choice((1, 1, 1, 2, 3, 5))):
        place = dice.randint(0, len(whole))
        end = min(len(whole), place + dice.choice((0, 0, 1, 1, 2, 8, 64)))
        whole = whole[:place] + _piece(dice, whole, others) + whole[end:]
    return whole


def _piece(dice: random.Random, whole: bytes, others: Sequence[bytes]) -> bytes:
    match dice.randrange(6):
        case 0:
            return b""
        case 1:
            return dice.choice(_BYTES)
        case 2 | 3:
            return dice.choice(_PIECES)
        case 4:
            return _part(dice, whole)
        case _:
            return _part(dice, dice.choice(others))


def _part(dice: random.Random, text: bytes) -> bytes:
    begin = dice.randint(0, len(text))
    return text[begin : begin + dice.choice((1, 4, 16, 64, 1024))]


def damaged_json(dice: random.Random, whole: bytes) -> bytes:
    """JSON that stays JSON: other values in places, and tags that may or may not fit them.

    Gives the text as it is when it is no JSON.
    """
    try:
        tree: Any = json.loads(whole)
    except (ValueError, RecursionError):
        return whole
    if not isinstance(tree, dict) or dice.random() < 0.1:
        tree = {"json": tree}
    for _ in range(dice.choice((1, 1, 2, 4))):
        if dice.random() < 0.5:
            tree["json"] = _changed(dice, tree.get("json"))
        else:
            meta = tree.get("meta")
            entries = list(meta) if isinstance(meta, list) else []
            entries.insert(dice.randint(0, len(entries)), _entry(dice, tree.get("json")))
            tree["meta"] = entries
    if dice.random() < 0.1:
        tree[dice.choice(["maps", "meta", "json", "x"])] = _leaf(dice)
    return json.dumps(tree, ensure_ascii=dice.random() < 0.5).encode("utf-8", "surrogatepass")


def _changed(dice: random.Random, node: Any) -> Any:
    """The value with something else somewhere in it."""
    if dice.random() < 0.3 or not isinstance(node, dict | list) or not node:
        return dice.choice((_leaf(dice), [node], [node, _leaf(dice)], {"a": node}))
    if isinstance(node, dict):
        key = dice.choice(list(node))
        return {**node, key: _changed(dice, node[key])}
    place = dice.randrange(len(node))
    return [*node[:place], _changed(dice, node[place]), *node[place + 1 :]]


def _entry(dice: random.Random, node: Any) -> Any:
    """A tag with a path that mostly leads somewhere."""
    path: list[Any] = []
    while isinstance(node, dict | list) and node and dice.random() < 0.7:
        key = dice.choice(list(node)) if isinstance(node, dict) else dice.randrange(len(node))
        path.append(str(key) if dice.random() < 0.1 else key)
        node = node[key]
    if dice.random() < 0.1:
        path.append(dice.choice(("length", "__proto__", -1, 0, 1.5, None, True, [], "a")))
    entry = [dice.choice(_TAGS), *path]
    return dice.choice((entry, entry, entry, entry, None, [], path, entry[0], [entry]))


def _leaf(dice: random.Random) -> Any:
    return dice.choice(_LEAVES)


def damaged_text(dice: random.Random, text: str, others: Sequence[str]) -> str:
    """The same for what HTTP carries as latin-1."""
    return damaged(
        dice,
        text.encode("latin-1", "replace"),
        [other.encode("latin-1", "replace") for other in others],
    ).decode("latin-1")


def damaged_headers(dice: random.Random, headers: Pairs) -> Pairs:
    """Headers with one more, one less, one doubled, or one of another value."""
    place = dice.randint(0, len(headers))
    before, after = headers[:place], headers[place:]
    added = (dice.choice(_NAMES), dice.choice(_VALUES))
    if not after or dice.random() < 0.3:
        return (*before, added, *after)
    (name, value), *rest = after
    match dice.randrange(4):
        case 0:
            return (*before, *rest)
        case 1:
            return (*before, (name, dice.choice(_VALUES)), *rest)
        case 2:
            # What a web server lets through: no line breaks, no NUL.
            changed = damaged_text(dice, value, _VALUES)
            return (*before, (name, "".join(c for c in changed if c not in "\r\n\0")), *rest)
        case _:
            return (*before, (name, value), (name, dice.choice(_VALUES)), *rest)


def pieces_of(dice: random.Random, body: bytes) -> list[bytes]:
    """A body as it may arrive: whole, or cut anywhere, with nothing in between."""
    if dice.random() < 0.5:
        return [body]
    cuts = sorted(dice.randint(0, len(body)) for _ in range(dice.choice((1, 2, 5))))
    return [body[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]
