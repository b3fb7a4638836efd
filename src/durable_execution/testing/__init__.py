"""What tests of durable tasks, and of storages, are made of."""

from __future__ import annotations

from durable_execution._engine.signals import OneShot
from durable_execution.testing.clock import FakeClock
from durable_execution.testing.contexts import make_context

__all__ = ["FakeClock", "OneShot", "make_context"]
