"""When an execution is tried again: the options a user writes, and the policy a record carries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import msgspec

from durable_execution._core.limits import (
    MAX_BASE_DELAY_MS,
    MAX_DELAY_MULTIPLIER,
    MAX_MAX_DELAY_MS,
    MAX_RETRIES,
    MIN_DELAY_MULTIPLIER,
    check_between,
    to_ms,
)
from durable_execution.errors import InvalidOptionError


@dataclass(frozen=True, kw_only=True, slots=True)
class RetryOptions:
    """How often and how fast a failed execution is tried again.

    Before retry `n` (from 0) pass `base_delay * delay_multiplier ** n`, at most `max_delay`.

    Args:
        max_retries: Attempts after the first, 0 to 1000. The reference calls this `maxAttempts`.
        base_delay: Seconds or timedelta before the first retry, up to an hour.
        delay_multiplier: Growth of the delay from one retry to the next, 0.1 to 10.
        max_delay: Upper bound of the delay, up to a day, not below `base_delay`.

    Raises:
        InvalidOptionError: An option is out of its bounds.
    """

    max_retries: int = 0
    base_delay: float | timedelta = 0
    delay_multiplier: float = 1
    max_delay: float | timedelta | None = None

    def __post_init__(self) -> None:
        self.to_policy()

    def to_policy(self) -> RetryPolicy:
        """Give the same options in the form that records carry."""
        check_between("max_retries", self.max_retries, 0, MAX_RETRIES, whole=True)
        base_delay_ms = to_ms("base_delay", self.base_delay, 0, MAX_BASE_DELAY_MS)
        check_between(
            "delay_multiplier", self.delay_multiplier, MIN_DELAY_MULTIPLIER, MAX_DELAY_MULTIPLIER
        )
        max_delay_ms = None
        if self.max_delay is not None:
            max_delay_ms = to_ms("max_delay", self.max_delay, 0, MAX_MAX_DELAY_MS)
            if max_delay_ms < base_delay_ms:
                raise InvalidOptionError(
                    f"max_delay must not be below base_delay, got {self.max_delay!r} "
                    f"and {self.base_delay!r}"
                )
        return RetryPolicy(
            max_retries=self.max_retries,
            base_delay_ms=base_delay_ms,
            delay_multiplier=float(self.delay_multiplier),
            max_delay_ms=max_delay_ms,
        )


class RetryPolicy(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Retry options as a record carries them, in milliseconds."""

    max_retries: int = 0
    base_delay_ms: int = 0
    delay_multiplier: float = 1.0
    max_delay_ms: int | None = None

    def delay_ms(self, attempt: int) -> int:
        """Milliseconds between the failed attempt (from 0) and the next one."""
        limit = MAX_MAX_DELAY_MS if self.max_delay_ms is None else self.max_delay_ms
        if self.base_delay_ms == 0:
            return 0
        try:
            delay = self.base_delay_ms * self.delay_multiplier**attempt
        except OverflowError:
            return limit
        return int(min(delay, limit))

    def to_options(self) -> RetryOptions:
        """Give the same policy in the form that users write, in seconds."""
        return RetryOptions(
            max_retries=self.max_retries,
            base_delay=self.base_delay_ms / 1000,
            delay_multiplier=self.delay_multiplier,
            max_delay=None if self.max_delay_ms is None else self.max_delay_ms / 1000,
        )


NO_RETRIES = RetryPolicy()
