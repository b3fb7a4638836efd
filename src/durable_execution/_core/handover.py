"""An attempt that another program carries on: what it is handed, and what it says to that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeAlias


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """One attempt as it is handed over. The fence is what proves its turn afterwards.

    The program must be heard of before `expires_at`, in milliseconds since the epoch, or have
    answered.
    """

    task_id: str
    execution_id: str
    attempt: int
    fence: int
    input: bytes
    expires_at: int


@dataclass(frozen=True, slots=True)
class Accepted:
    """The program goes on with the attempt, or may: its answer was lost on the way."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The program has done the work already."""

    output: object


HandoverAnswer: TypeAlias = Accepted | Answered


class Courier(Protocol):
    """Hands attempts over."""

    async def hand_over(self, handover: Handover) -> HandoverAnswer:
        """Hand one attempt over; what this raises ends the attempt as if a task had raised it."""
        ...
