"""How much a process logs, and in which form, as options."""

from __future__ import annotations

from typing import Literal

LogLevel = Literal["critical", "error", "warning", "info", "debug"]
LogFormat = Literal["line", "json"]
