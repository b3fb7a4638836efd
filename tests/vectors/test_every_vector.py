"""Every recorded vector is replayed by name, or left out with a reason.

What is replayed is asked of pytest itself, which lists the tests without running them; so a vector
that a condition somewhere drops is noticed here.
"""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests._codec import test_vectors as codec
from tests.orpc._client import test_batch_vectors as batches
from tests.orpc._client import test_vectors as client
from tests.orpc._client import test_vectors_v2 as client_v2
from tests.orpc._protocol import test_form as forms
from tests.orpc._server import deferred
from tests.orpc._server import test_vectors_v2 as server_v2
from tests.vectors.notation import load_vectors

ROOT = Path(__file__).parents[2]

# As many as were recorded of each section.
RECORDED = {
    "error_codes_v1": 19,
    "error_codes_v2_beta": 22,
    "values": 103,
    "blob_values": 11,
    "custom": 4,
    "decode": 118,
    "paths": 11,
    "sse_messages": 16,
    "content_disposition_generate": 8,
    "content_disposition_parse": 10,
    "exchanges": 60,
    "crafted_requests": 72,
    "crafted_responses": 72,
    "exchanges_v2_beta": 26,
    "cross_v2_beta_client_v1_server": 26,
    "cross_v1_client_v2_beta_server": 26,
    "cross_stray_2_0_0_client_v1_server": 12,
}

LOST = "JavaScript loses it without a word; refused here"
ONLY_JAVASCRIPT = "Python has no such value; its text is read nevertheless"
NOT_WRITTEN = dict.fromkeys(codec.REFUSED, LOST) | dict.fromkeys(
    codec.ONLY_JAVASCRIPT, ONLY_JAVASCRIPT
)
NAMELESS = {"file-empty-name": "JavaScript itself cannot read it; refused here"}
RAW = dict.fromkeys(
    (name for name, vector in forms.BLOBS.items() if "raw_body" in vector["v2"]),
    "no form, but the body itself: test_raw_body replays it",
)
IN_FORMS = dict.fromkeys(
    forms.BLOBS.keys() - RAW.keys(), "a form, not the body itself: test_form replays it"
)


@dataclass(frozen=True)
class Replay:
    """One way in which a section is replayed; ids of its cases are prefix, name and suffix."""

    section: str
    test: str
    left_out: Mapping[str, str] = field(default_factory=dict)
    prefix: str = ""
    suffix: str = ""


def sections_of(module: Any, path: str, *, outcomes: bool = False) -> list[Replay]:
    return [
        Replay(
            section,
            path,
            # What is left out, and then what only outcomes leave out.
            {k: v for left_out in rules[1 : 3 if outcomes else 2] for k, v in left_out.items()},
            prefix=f"{section}-",
        )
        for section, rules in module.SECTIONS.items()
    ]


_CODEC = "tests/_codec/test_vectors.py::"
_PROTOCOL = "tests/orpc/_protocol/"
_SERVER = "tests/orpc/_server/test_vectors.py::"
_CLIENT = "tests/orpc/_client/test_vectors.py::"

REPLAYS = [
    Replay("values", f"{_CODEC}test_a_value_is_written_as_javascript_writes_it", NOT_WRITTEN),
    Replay("values", f"{_CODEC}test_a_text_is_read_as_javascript_reads_it", suffix="-v1"),
    Replay("values", f"{_CODEC}test_a_text_is_read_as_javascript_reads_it", suffix="-v2"),
    Replay("values", f"{_CODEC}test_a_value_is_written_as_version_2_writes_it", NOT_WRITTEN),
    Replay(
        "values",
        f"{_CODEC}test_a_text_of_version_2_is_read_as_version_2_reads_it",
        {"undefined-top-level": "in version 2 it has no text"},
    ),
    Replay("decode", f"{_CODEC}test_an_unusual_text_is_read_or_refused_as_javascript_does"),
    Replay("custom", f"{_CODEC}test_a_custom_rule_writes_and_reads_its_own_tag"),
    Replay("custom", f"{_CODEC}test_a_peer_without_the_rule_ignores_its_tag"),
    Replay(
        "blob_values",
        f"{_PROTOCOL}test_form.py::test_a_value_with_files_is_the_recorded_form",
        NAMELESS,
        prefix="v1-",
    ),
    Replay(
        "blob_values",
        f"{_PROTOCOL}test_form.py::test_a_value_with_files_is_the_recorded_form",
        RAW,
        prefix="v2-",
    ),
    Replay(
        "blob_values",
        f"{_PROTOCOL}test_raw_body.py::test_a_file_as_the_whole_value_is_the_body",
        IN_FORMS | NAMELESS,
    ),
    Replay(
        "sse_messages",
        f"{_PROTOCOL}test_events.py::test_frame_is_written_as_the_reference_writes_it",
    ),
    Replay(
        "error_codes_v1", f"{_PROTOCOL}test_version.py::test_code_of_version_1_is_the_recorded_one"
    ),
    Replay(
        "error_codes_v2_beta",
        f"{_PROTOCOL}test_version.py::test_code_of_version_2_is_the_recorded_one",
    ),
    Replay(
        "crafted_requests",
        f"{_SERVER}test_crafted_request_is_answered_as_recorded",
        deferred.CRAFTED_REQUESTS,
    ),
    Replay(
        "exchanges",
        f"{_SERVER}test_exchange_of_the_real_client_is_answered_as_recorded",
        deferred.EXCHANGES,
    ),
    Replay(
        "crafted_responses",
        f"{_CLIENT}test_client_reads_a_response_as_the_reference_does",
        client.LEFT_OUT_RESPONSES,
    ),
    Replay(
        "exchanges",
        f"{_CLIENT}test_client_sends_what_the_reference_sends",
        client.LEFT_OUT_EXCHANGES,
    ),
    Replay(
        "exchanges",
        f"{_CLIENT}test_client_understands_what_the_reference_server_answers",
        client.LEFT_OUT_EXCHANGES,
    ),
    *(
        Replay(
            section,
            "tests/orpc/_client/test_batch_vectors.py::"
            "test_batch_is_sent_and_understood_as_recorded",
            {
                vector["name"]: "a single call: test_vectors replays it"
                for vector in load_vectors(f"{section}.json")
                if not vector["name"].startswith("batch")
            },
            prefix=f"{section}-",
        )
        for section in batches.SECTIONS
    ),
    *sections_of(
        server_v2, "tests/orpc/_server/test_vectors_v2.py::test_request_is_answered_as_recorded"
    ),
    *sections_of(
        client_v2, "tests/orpc/_client/test_vectors_v2.py::test_client_sends_what_was_recorded"
    ),
    *sections_of(
        client_v2,
        "tests/orpc/_client/test_vectors_v2.py::test_client_understands_what_was_answered",
        outcomes=True,
    ),
]

# Sections whose vectors have no names: as many cases as vectors.
COUNTED = {
    "paths": f"{_PROTOCOL}test_path.py::test_path_is_encoded_as_the_real_client_does",
    "content_disposition_generate": (
        f"{_PROTOCOL}test_content_disposition.py::test_a_name_is_written_as_version_2_writes_it"
    ),
    "content_disposition_parse": (
        f"{_PROTOCOL}test_content_disposition.py::test_a_header_is_read_as_version_2_reads_it"
    ),
}


@pytest.fixture(scope="module")
def collected() -> Mapping[str, Counter[str]]:
    """The ids of the cases of each test that replays vectors."""
    tests = {replay.test for replay in REPLAYS} | set(COUNTED.values())
    files = sorted({test.partition("::")[0] for test in tests})
    listing = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", *files],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    ids: dict[str, Counter[str]] = {test: Counter() for test in tests}
    for line in listing.stdout.splitlines():
        test, bracket, rest = line.partition("[")
        if bracket and test in ids:
            ids[test][rest.removesuffix("]")] += 1
    return ids


def name_of(vector: dict[str, Any]) -> str:
    name: str = vector.get("name") or vector["code"]
    return name


@pytest.mark.parametrize("section", RECORDED)
def test_every_section_is_complete(section: str) -> None:
    assert len(load_vectors(f"{section}.json")) == RECORDED[section]
    assert section in COUNTED or section in {replay.section for replay in REPLAYS}


@pytest.mark.parametrize(
    "replay", REPLAYS, ids=lambda r: f"{r.section}-{r.test.rpartition('::')[2]}{r.prefix}{r.suffix}"
)
def test_every_vector_is_replayed_or_left_out_with_a_reason(
    replay: Replay, collected: Mapping[str, Counter[str]]
) -> None:
    names = {name_of(vector) for vector in load_vectors(f"{replay.section}.json")}
    assert replay.left_out.keys() <= names
    assert all(len(reason) > 10 for reason in replay.left_out.values())
    replayed = {
        name for name in names if collected[replay.test][f"{replay.prefix}{name}{replay.suffix}"]
    }
    assert replayed == names - replay.left_out.keys()


@pytest.mark.parametrize("section", COUNTED)
def test_every_vector_without_a_name_is_replayed(
    section: str, collected: Mapping[str, Counter[str]]
) -> None:
    assert collected[COUNTED[section]].total() == RECORDED[section]
