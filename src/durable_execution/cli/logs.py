"""Logging of a served process: one line per record on standard error, facts included."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

from durable_execution.cli.log_options import LogFormat, LogLevel
from durable_execution.telemetry import AttemptFilter, JSONFormatter, LineFormatter

_FORMATTERS: Final[Mapping[LogFormat, type[logging.Formatter]]] = {
    "json": JSONFormatter,
    "line": LineFormatter,
}


def configure_logging(level: LogLevel, style: LogFormat = "line") -> None:
    """Log to standard error, unless the application has set up logging of its own.

    Records of a running attempt, those of its task's own loggers too, say which it is.
    Other libraries stay at `info` when the level is `debug`: their details would bury ours.
    """
    root = logging.getLogger()
    if not root.handlers:
        handler = logging.StreamHandler()
        handler.addFilter(AttemptFilter())
        handler.setFormatter(_FORMATTERS[style]())
        root.addHandler(handler)
        root.setLevel("INFO" if level == "debug" else level.upper())
    logging.getLogger("durable_execution").setLevel(level.upper())
    # Its lines about starting say less than the banner; requests are of interest when debugging.
    quiet = "WARNING" if level == "info" else level.upper()
    logging.getLogger("uvicorn.error").setLevel(quiet)
