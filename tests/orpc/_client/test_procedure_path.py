from __future__ import annotations

import pytest

from durable_execution.orpc._client.procedure_path import checked_path, path_name


def test_names_are_kept_as_they_are() -> None:
    assert checked_path(["a/b", "", "..."]) == ("a/b", "", "...")


@pytest.mark.parametrize("name", [".", ".."])
def test_dot_segment_is_refused_since_it_would_call_something_else(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be a procedure name"):
        checked_path(["planets", name])


@pytest.mark.parametrize("path", ["ping", "", [1], [None]])
def test_path_of_another_type_is_refused(path: list[str]) -> None:
    with pytest.raises(TypeError, match="expected a sequence of names"):
        checked_path(path)


def test_empty_path_has_a_name_too() -> None:
    assert (path_name(()), path_name(("a", "b"))) == ("/", "a/b")
