"""The clock of MySQL and MariaDB, in milliseconds since the epoch."""

from __future__ import annotations

from typing import Final

CLOCK: Final = "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(3)) DIV 1000"
NOW: Final = "@now_ms"
SET_NOW: Final = f"SET {NOW} = {CLOCK}"
"""Sent with each beginning: one instant for all statements of a transaction."""
