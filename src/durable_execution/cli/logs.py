"""Logging of a served process: one line per record on standard error, facts included."""

from __future__ import annotations

import logging
from typing import Final, Literal

LogLevel = Literal["critical", "error", "warning", "info", "debug"]

_STANDARD: Final = frozenset(
    (*logging.LogRecord("", 0, "", 0, "", None, None).__dict__, "message", "asctime", "taskName")
)
_UNWANTED: Final = frozenset({"color_message"})
"""What uvicorn adds for terminals."""


class FactsFormatter(logging.Formatter):
    """Writes what a record carries in `extra` behind its message, as `name=value`."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the base's name
        """Write the line, the traceback not included."""
        facts = [
            f"{name}={value!r}"
            for name, value in record.__dict__.items()
            if name not in _STANDARD and name not in _UNWANTED
        ]
        return " ".join([super().formatMessage(record), *facts])


def configure_logging(level: LogLevel) -> None:
    """Log to standard error, unless the application has set up logging of its own.

    Other libraries stay at `info` when the level is `debug`: their details would bury ours.
    """
    root = logging.getLogger()
    if not root.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(FactsFormatter())
        root.addHandler(handler)
        root.setLevel("INFO" if level == "debug" else level.upper())
    logging.getLogger("durable_execution").setLevel(level.upper())
    # Its lines about starting say less than the banner; requests are of interest when debugging.
    quiet = "WARNING" if level == "info" else level.upper()
    logging.getLogger("uvicorn.error").setLevel(quiet)
