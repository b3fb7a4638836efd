"""The clock of MySQL and MariaDB, in milliseconds since the epoch."""

from __future__ import annotations

from typing import Final

CLOCK: Final = "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(3)) DIV 1000"
SET_NOW: Final = f"SET @now_ms = {CLOCK}"
"""Sent with each beginning: one instant for all statements of a transaction."""
