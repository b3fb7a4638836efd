"""The header that names a file, as version 2 writes and reads it."""

from __future__ import annotations

import pytest

from durable_execution.orpc._protocol.content_disposition import content_disposition, filename_of
from tests.vectors.notation import load_vectors

GENERATED = load_vectors("content_disposition_generate.json")
PARSED = load_vectors("content_disposition_parse.json")


@pytest.mark.parametrize("vector", GENERATED, ids=lambda vector: vector["filename"])
def test_a_name_is_written_as_version_2_writes_it(vector: dict[str, str]) -> None:
    assert content_disposition(vector["filename"]) == vector["header"]
    assert filename_of(vector["header"]) == vector["parsed_back"]


@pytest.mark.parametrize("vector", PARSED, ids=lambda vector: vector["header"])
def test_a_header_is_read_as_version_2_reads_it(vector: dict[str, str | None]) -> None:
    assert vector["header"] is not None
    assert filename_of(vector["header"]) == vector["filename"]
