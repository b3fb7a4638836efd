"""When a call is sent again: where that is safe, and where its owner says that it is."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final

from durable_execution.orpc._client.error import RPCConnectionError
from durable_execution.orpc._protocol import Response

RepeatSource = bool | Callable[[Sequence[str], object], bool]
"""Whether calls may run twice, or a function of procedure path and input that tells it."""

_FIRST_PAUSE: Final = 0.1
_BUSY: Final = frozenset({429, 503})


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """When a link sends a call again, always within the timeout of the call.

        RPCLink(url, retries=Retries(attempts=5, repeatable=True, retry_after=True))

    A call that the server cannot have seen is sent again in any case: there was no connection, or
    an idle one turned out to be closed before all of the call was written. After anything else it
    may have run. Calls whose body is a stream are sent once. Besides, senders repeat a GET, PUT or
    DELETE when an idle connection turns out to be closed, as HTTP allows for these.

    Attributes:
        attempts: How often a call is sent at most, the first time included; 1 for never again.
        repeatable: Whether a call may run twice, so that it is also sent again when its connection
            broke before the answer was complete. True for all calls, or a function of path and
            input: `lambda path, input: path[-1].startswith("get")`.
        retry_after: Whether a call is sent again when the server answers 429 or 503 and says when
            to come back (`retry-after`, seconds or a date).
        longest_pause: Seconds; an answer that asks for more is given to the caller instead.

    Raises:
        TypeError, ValueError: One of them is unusable.
    """

    attempts: int = 3
    repeatable: RepeatSource = False
    retry_after: bool = False
    longest_pause: float = 60.0

    def __post_init__(self) -> None:
        if type(self.attempts) is not int or self.attempts < 1:
            raise ValueError(f"attempts: expected an int of at least 1, got {self.attempts!r}")
        if not isinstance(self.repeatable, bool) and not callable(self.repeatable):
            raise TypeError(
                f"repeatable: expected a bool or a function of path and input, "
                f"got {self.repeatable!r}"
            )
        if not (math.isfinite(self.longest_pause) and self.longest_pause >= 0):
            raise ValueError(f"longest_pause: expected seconds, got {self.longest_pause!r}")

    def may_repeat(self, path: Sequence[str], value: object) -> bool:
        """Whether this call may run twice."""
        return self.repeatable(path, value) if callable(self.repeatable) else self.repeatable

    def pause_after_failure(
        self, error: RPCConnectionError, *, attempt: int, may_repeat: Callable[[], bool]
    ) -> float | None:
        """Seconds to wait before sending again; None for giving up. `attempt` counts from 0."""
        if attempt + 1 >= self.attempts or (error.was_sent and not may_repeat()):
            return None
        # Those who lost the same server must not come back at the same moment.
        pause = min(_FIRST_PAUSE * 2.0**attempt, self.longest_pause)
        return pause * random.uniform(0.5, 1.0)  # noqa: S311 - no secret

    def pause_after_answer(self, response: Response, *, attempt: int) -> float | None:
        """Seconds to wait before sending again; None when this answer is the one to be given."""
        if not self.retry_after or response.status not in _BUSY or attempt + 1 >= self.attempts:
            return None
        pause = _seconds_of(response.header("retry-after"))
        return None if pause is None or pause > self.longest_pause else pause


def _seconds_of(value: str | None) -> float | None:
    """What `retry-after` says: seconds, or a date; None when it says nothing understandable."""
    if value is None:
        return None
    if value.isascii() and value.isdecimal() and len(value) <= 9:
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, moment.timestamp() - time.time())
