from __future__ import annotations

import re
from importlib.resources import files

import pytest

from durable_execution.dashboard import words
from durable_execution.dashboard.pages import Pages
from durable_execution.dashboard.spans import PHASES

TEMPLATES = sorted(
    each.name for each in (files("durable_execution.dashboard") / "templates").iterdir()
)


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_template_can_be_read_and_trusts_no_value(name: str) -> None:
    pages = Pages()
    assert pages._environment.get_template(name)
    assert pages._environment.autoescape is True
    text = (files("durable_execution.dashboard") / "templates" / name).read_text(encoding="utf-8")
    assert not re.search(r"\|\s*safe\b|autoescape|\bon\w+=|\bstyle=", text)


def test_files_are_found_by_names_that_change_with_them_and_by_no_other() -> None:
    pages = Pages()
    for plain in ("dashboard.css", "dashboard.js", "icon.svg"):
        name = pages._static_path(plain).removeprefix("/static/")
        found = pages.file(name)
        assert found.status_code == 200
        assert "immutable" in found.headers["cache-control"]
        for other in (plain, f"0.{plain}", f"../{name}", name + "x"):
            assert pages.file(other).status_code == 404
    assert pages.file("").status_code == 404


def test_the_script_and_the_sheet_ask_nobody_else() -> None:
    for name in ("dashboard.css", "dashboard.js"):
        text = (files("durable_execution.dashboard") / "static" / name).read_text(encoding="utf-8")
        assert not re.search(r"https?:|//[a-z]+\.|@import|url\(", text)
        assert len(text.splitlines()) < 500


@pytest.mark.parametrize(
    ("milliseconds", "written"),
    [
        (None, "–"),
        (0, "0 ms"),
        (999, "999 ms"),
        (1_000, "1.0 s"),
        (59_900, "60 s"),
        (61_000, "1 min 1 s"),
        (7_200_000, "2 h"),
        (90_000_000, "1 d 1 h"),
    ],
)
def test_durations_are_written_with_what_counts(milliseconds: int | None, written: str) -> None:
    assert words.duration(milliseconds) == written


@pytest.mark.parametrize(
    ("number", "written"),
    [(0, "0"), (0.25, "0.25"), (8.4, "8.4"), (12.34, "12.3"), (1_234_567, "1\u202f234\u202f567")],
)
def test_numbers_are_written_with_what_counts(number: float, written: str) -> None:
    assert words.number(number) == written


def test_instants_beyond_all_calendars_are_written_all_the_same() -> None:
    assert words.iso(10**18).startswith("9999-12-31")
    assert words.iso(1_700_000_000_123) == "2023-11-14T22:13:20.123Z"
    assert words.clock_time(1_700_000_000_123) == "2023-11-14 22:13:20"


def test_every_phase_has_words() -> None:
    assert set(words.PHASES) == set(PHASES)
