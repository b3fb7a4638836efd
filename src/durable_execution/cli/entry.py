"""Where the command line begins, before anything that belongs to the extra is imported."""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import Final

INSTALL: Final = "pip install 'durable-execution[server]'"

_EXTRA: Final = frozenset({"click", "rich", "starlette", "typer", "uvicorn"})
_UNUSABLE: Final = 2


def main() -> None:
    """Run the command line on the arguments of this process.

    Raises:
        SystemExit: Always; 2 when the packages of the `server` extra are missing.
    """
    if sys.argv[1:] == ["--version"]:
        # Scripts ask often: it needs nothing that takes long to import.
        sys.stdout.write(f"durable-execution {version('durable-execution')}\n")
        raise SystemExit(0)
    try:
        from durable_execution.cli.application import application

        # Commands import what they need: what is missing shows when they run.
        application()
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _EXTRA:
            raise
        # Written by hand: what would print it better may be what is missing.
        sys.stderr.write(f"error: the command line needs the package {error.name!r}: {INSTALL}\n")
        raise SystemExit(_UNUSABLE) from None
