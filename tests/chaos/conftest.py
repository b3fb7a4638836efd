from __future__ import annotations

import os

import pytest

from tests.chaos.storm import Storm
from tests.processes.fixtures import arena, database

__all__ = ["arena", "database"]

MINUTES = "CHAOS_MINUTES"
SEED = "CHAOS_SEED"
STORMS = 6
"""Tests that take the fixture: those minutes are for all of them together."""


@pytest.fixture
def storm() -> Storm:
    """How long and by which chance to break things: seconds here, minutes on demand."""
    minutes = os.environ.get(MINUTES)
    seconds = 4.0 if not minutes else float(minutes) * 60 / STORMS
    return Storm(seconds, int(os.environ.get(SEED) or 0))
