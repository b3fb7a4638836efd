"""Procedure paths in URLs."""

from __future__ import annotations

from typing import Any

import pytest

from durable_execution.orpc._protocol import (
    check_prefix,
    encode_path,
    match_key,
    resolve_dot_segments,
    strip_prefix,
)
from tests.vectors.notation import load_vectors

PATHS = load_vectors("paths.json")


@pytest.mark.parametrize("vector", PATHS, ids=lambda v: v["url_path"])
def test_path_is_encoded_as_the_real_client_does(vector: dict[str, Any]) -> None:
    assert encode_path(vector["path"]) == vector["url_path"]


@pytest.mark.parametrize("vector", PATHS, ids=lambda v: v["url_path"])
def test_dot_segments_are_resolved_as_the_url_parser_does(vector: dict[str, Any]) -> None:
    assert resolve_dot_segments("/rpc" + vector["url_path"]) == vector["after_url_parser"]


@pytest.mark.parametrize(
    ("path", "resolved"),
    [
        ("/a/../b", "/b"),
        ("/a/./b", "/a/b"),
        ("/a/b/..", "/a/"),
        ("/a/b/.", "/a/b/"),
        ("/../../a", "/a"),
        ("/a/%2E%2e/b", "/b"),
        ("/a/.%2e/b", "/b"),
        ("/a/%2e/b", "/a/b"),
        ("/a//../b", "/a/b"),
        ("/a/...", "/a/..."),
        ("/a/b.c", "/a/b.c"),
        ("/a/%2F", "/a/%2F"),
    ],
)
def test_dot_segments_are_resolved_and_nothing_else(path: str, resolved: str) -> None:
    assert resolve_dot_segments(path) == resolved


def test_lone_surrogate_in_a_name_is_refused() -> None:
    with pytest.raises(ValueError, match="lone surrogate"):
        encode_path(["a", "\ud800"])


@pytest.mark.parametrize(
    ("path", "rest"),
    [
        ("/rpc", ""),
        ("/rpc/", "/"),
        ("/rpc/a", "/a"),
        ("/rpca", None),
        ("/", None),
        ("/a/rpc", None),
    ],
)
def test_prefix_ends_at_a_slash(path: str, rest: str | None) -> None:
    assert strip_prefix(path, "/rpc") == rest


def test_empty_prefix_takes_nothing_away() -> None:
    assert strip_prefix("/rpc/a", "") == "/rpc/a"


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("", "/"),
        ("/", "/"),
        ("//", "/"),
        ("/a", "/a"),
        ("/a/", "/a"),
        ("/a//", "/a/"),
        ("//a", "//a"),
    ],
)
def test_one_slash_at_either_end_is_ignored(path: str, key: str) -> None:
    assert match_key(path) == key


@pytest.mark.parametrize(
    ("prefix", "checked"), [("", ""), ("/", ""), ("/rpc", "/rpc"), ("/rpc/", "/rpc")]
)
def test_prefix_has_one_form(prefix: str, checked: str) -> None:
    assert check_prefix(prefix) == checked


@pytest.mark.parametrize("prefix", ["rpc", "http://h/rpc", "/rpc?x", "/rpc#x"])
def test_prefix_that_is_no_path_is_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match="prefix: expected a path"):
        check_prefix(prefix)
