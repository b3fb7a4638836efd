"""Every recorded value, both ways."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from durable_execution._codec import (
    UNDEFINED,
    DecodeError,
    Encoded,
    EncodeError,
    JsonSyntaxError,
    RejectedEnvelope,
    Rule,
    TypedJson,
    dumps,
    loads,
)
from tests.vectors.notation import OnlyJavaScript, from_notation, load_vectors, same

VALUES = {vector["name"]: vector for vector in load_vectors("values.json")}
DECODE = {vector["name"]: vector for vector in load_vectors("decode.json")}
CUSTOM = {vector["name"]: vector for vector in load_vectors("custom.json")}

V1 = TypedJson()
V2 = TypedJson(dialect="v2")

# JavaScript loses these without a word; the specification lets an encoder refuse instead.
REFUSED = {
    "number-infinity",
    "number-negative-infinity",
    "object-__proto__-own-key-plain",
    "object-__proto__-own-key-with-date",
}
# Holes, functions, symbols and class instances. Their text still has to be read.
ONLY_JAVASCRIPT = {
    "array-hole",
    "array-of-functions-and-symbols",
    "instance-error",
    "instance-inside-object",
    "instance-plain-class",
    "instance-uint8array",
    "object-function-property",
}


@pytest.mark.parametrize("name", sorted(VALUES.keys() - REFUSED - ONLY_JAVASCRIPT))
def test_a_value_is_written_as_javascript_writes_it(name: str) -> None:
    value = from_notation(VALUES[name]["value"])
    assert dumps(value) == VALUES[name]["wire_text"].encode()


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_javascript_would_lose_is_refused(name: str) -> None:
    with pytest.raises(EncodeError, match=r"infinity|__proto__"):
        dumps(from_notation(VALUES[name]["value"]))


@pytest.mark.parametrize("name", sorted(ONLY_JAVASCRIPT))
def test_what_only_javascript_has_is_known_to_be_left_out(name: str) -> None:
    with pytest.raises(OnlyJavaScript):
        from_notation(VALUES[name]["value"])


# A reader of version 2 takes the tags of version 1 too.
@pytest.mark.parametrize("codec", [V1, V2], ids=["v1", "v2"])
@pytest.mark.parametrize("name", sorted(VALUES))
def test_a_text_is_read_as_javascript_reads_it(name: str, codec: TypedJson) -> None:
    vector = VALUES[name]
    if "decode_error" in vector:
        with pytest.raises(RejectedEnvelope):
            codec.loads(vector["wire_text"])
        return
    expected = from_notation(vector.get("decoded", vector["value"]))
    assert same(codec.loads(vector["wire_text"]), expected)


@pytest.mark.parametrize("name", sorted(n for n, v in VALUES.items() if "decode_error" not in v))
def test_an_echo_gives_the_same_text(name: str) -> None:
    text = VALUES[name]["wire_text"]
    assert dumps(loads(text)) == text.encode()


@pytest.mark.parametrize("name", sorted(DECODE))
def test_an_unusual_text_is_read_or_refused_as_javascript_does(name: str) -> None:
    vector = DECODE[name]
    if "error" in vector:
        expected = {"json-syntax": JsonSyntaxError, "rejected": RejectedEnvelope}[vector["error"]]
        with pytest.raises(DecodeError) as caught:
            loads(vector["wire_text"])
        assert type(caught.value) is expected
    else:
        assert same(loads(vector["wire_text"]), from_notation(vector["decoded"]))


@pytest.mark.parametrize("name", sorted(VALUES.keys() - REFUSED - ONLY_JAVASCRIPT))
def test_a_value_is_written_as_version_2_writes_it(name: str) -> None:
    text = VALUES[name]["v2"]["wire_text"]
    assert V2.dumps(from_notation(VALUES[name]["value"])) == (text or "").encode()


@pytest.mark.parametrize("name", sorted(VALUES.keys() - {"undefined-top-level"}))
def test_a_text_of_version_2_is_read_as_version_2_reads_it(name: str) -> None:
    vector = VALUES[name]["v2"]
    if "decode_error" in vector:
        with pytest.raises(RejectedEnvelope):
            V2.loads(vector["wire_text"])
        return
    expected = from_notation(vector.get("decoded", VALUES[name]["value"]))
    assert same(V2.loads(vector["wire_text"]), expected)


@pytest.mark.parametrize(
    "meta", ['[["unknown"]]', "[[8]]", "[[-1]]", "[[0.5]]", "[[]]", '["date"]', '""', "[null]"]
)
def test_version_2_refuses_an_entry_that_says_nothing(meta: str) -> None:
    with pytest.raises(RejectedEnvelope):
        V2.loads(f'{{"json":null,"meta":{meta}}}')


def test_an_envelope_inside_a_value_changes_its_tags_to_the_dialect() -> None:
    stored = dumps([datetime(1970, 1, 1, tzinfo=UTC)])
    assert V2.dumps({"a": Encoded(stored)}) == (
        b'{"json":{"a":["1970-01-01T00:00:00.000Z"]},"meta":[["date","a",0]]}'
    )


@dataclass
class Person:
    name: str
    born: Any = UNDEFINED


PERSON = Rule(
    tag=20,
    matches=lambda value: isinstance(value, Person),
    encode=lambda person: {"name": person.name, "born": person.born},
    decode=lambda json: Person(json["name"], json.get("born", UNDEFINED)),
)
NAMED_PERSON = Rule(
    tag="person",
    matches=lambda value: isinstance(value, Person),
    encode=lambda person: [person.name],
    decode=lambda json: Person(json[0]),
)
EPOCH_DATE = Rule(
    tag=1,
    matches=lambda value: isinstance(value, datetime),
    encode=lambda moment: round(moment.timestamp() * 1000),
    decode=lambda json: datetime.fromtimestamp(json / 1000, UTC),
)
RULES = {
    "custom-type-20-nested-builtins": PERSON,
    "custom-type-20-in-set": PERSON,
    "custom-overrides-builtin-date": EPOCH_DATE,
    "custom-string-tag": NAMED_PERSON,
}


def instances_as_people(notation: Any) -> Any:
    """Read notation in which instances are people; everything else as usual."""
    if isinstance(notation, dict) and notation.get("$") == "instance":
        return Person(**{key: from_notation(item) for key, item in notation["v"]})
    if isinstance(notation, dict) and notation.get("$") == "set":
        decoded = from_notation({"$": "set", "v": []})
        for item in notation["v"]:
            decoded.add(instances_as_people(item))
        return decoded
    if isinstance(notation, dict) and "$" not in notation:
        return {key: instances_as_people(item) for key, item in notation.items()}
    if isinstance(notation, list):
        return [instances_as_people(item) for item in notation]
    return from_notation(notation)


@pytest.mark.parametrize("name", sorted(CUSTOM))
def test_a_custom_rule_writes_and_reads_its_own_tag(name: str) -> None:
    vector = CUSTOM[name]
    codec = TypedJson(rules=[RULES[name]])
    value = instances_as_people(vector["value"])
    assert codec.dumps(value) == vector["wire_text"].encode()
    assert codec.loads(vector["wire_text"]) == value


@pytest.mark.parametrize("name", sorted(CUSTOM))
def test_a_peer_without_the_rule_ignores_its_tag(name: str) -> None:
    without = CUSTOM[name]["decoded_by_peer_without_the_custom_rule"]
    if "error" in without:
        with pytest.raises(RejectedEnvelope):
            loads(CUSTOM[name]["wire_text"])
    else:
        assert same(loads(CUSTOM[name]["wire_text"]), from_notation(without["decoded"]))
