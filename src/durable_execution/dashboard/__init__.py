"""The dashboard: pages for the people who run the system. Needs the `server` extra."""

from __future__ import annotations

from durable_execution.dashboard.creation import create_dashboard

__all__ = ["create_dashboard"]
