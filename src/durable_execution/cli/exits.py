"""How commands end: their exit codes, and errors said in one line."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, NoReturn, TypeVar

import typer

FAILED: Final = 1
"""The answer is no: an execution has failed, nothing could be done, a check did not pass."""
MISUSED: Final = 2
UNREACHABLE: Final = 3
NOT_FOUND: Final = 4
REFUSED: Final = 5

ResultT = TypeVar("ResultT")


class CommandError(Exception):
    """A command cannot go on; the message says why, and what to do.

    Args:
        message: For a person, in one line or a few.
        code: The exit code.
    """

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


def stop(message: str, code: int) -> NoReturn:
    """End the command with an error."""
    typer.echo(f"error: {message}", err=True)
    raise typer.Exit(code)


def run(work: Coroutine[Any, Any, ResultT]) -> ResultT:
    """Run a command's work on an event loop of its own; what it raises ends the command."""
    from durable_execution.errors import (
        DurableExecutionError,
        DurableExecutionNotFoundError,
        InvalidInputError,
        InvalidOptionError,
        StorageError,
    )

    try:
        return asyncio.run(work)
    except CommandError as error:
        stop(error.message, error.code)
    except DurableExecutionNotFoundError as error:
        stop(error.message, NOT_FOUND)
    except (InvalidInputError, InvalidOptionError) as error:
        stop(error.message, MISUSED)
    except StorageError as error:
        stop(error.message, UNREACHABLE)
    except DurableExecutionError as error:
        stop(error.message, FAILED)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
