"""What remote callers may set for what they enqueue."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from durable_execution._codec import Issue
from durable_execution._core.limits import MAX_DURATION_MS, MAX_RETRIES, check_between, to_ms
from durable_execution._core.task import Duration
from durable_execution.errors import InvalidInputError, InvalidOptionError
from durable_execution.remote.calls.enqueue import NO_OPTIONS, EnqueueOptions

_LONGEST: Final = timedelta(milliseconds=MAX_DURATION_MS)


@dataclass(frozen=True, kw_only=True, slots=True)
class AllowedOptions:
    """The options that a server takes from those who enqueue tasks from outside.

        create_tasks_router(rpc, executor, tasks, allow_options=AllowedOptions(
            max_timeout=3600, max_retries=10, max_sleep_before_run=None, tags={"tenant", "order"},
        ))

    By default what the reference's clients may set: timeout, retries and sleep, in the range that
    any task has. A call that asks for more is refused. Idempotency keys may always be set.

    Attributes:
        max_timeout: Seconds or timedelta, the longest timeout; None if callers may set none, as
            with the following.
        max_retries: The most retries.
        max_sleep_before_run: Seconds or timedelta.
        tags: Names of the tags that may be set; True for any, False for none.

    Raises:
        InvalidOptionError: A bound is out of bounds itself.
    """

    max_timeout: float | timedelta | None = _LONGEST
    max_retries: int | None = MAX_RETRIES
    max_sleep_before_run: float | timedelta | None = _LONGEST
    tags: Collection[str] | bool = False

    def __post_init__(self) -> None:
        if self.max_timeout is not None:
            to_ms("max_timeout", self.max_timeout, 1, MAX_DURATION_MS)
        if self.max_retries is not None:
            check_between("max_retries", self.max_retries, 0, MAX_RETRIES, whole=True)
        if self.max_sleep_before_run is not None:
            to_ms("max_sleep_before_run", self.max_sleep_before_run, 0, MAX_DURATION_MS)
        if isinstance(self.tags, str) or not isinstance(self.tags, bool | Collection):
            raise InvalidOptionError(f"tags must be names, True or False, got {self.tags!r}")

    def check(self, options: EnqueueOptions) -> None:
        """Refuse what a caller may not set.

        Raises:
            InvalidInputError: The message and the issue name the field as the wire calls it.
        """
        if options is NO_OPTIONS:
            return
        _check_duration("timeoutMs", options.timeout, self.max_timeout)
        _check_duration("sleepMsBeforeRun", options.sleep_before_run, self.max_sleep_before_run)
        if options.retry is not None:
            if self.max_retries is None:
                raise _not_allowed("retryOptions")
            if options.retry.max_retries > self.max_retries:
                raise _refused(("retryOptions", "maxAttempts"), f"at most {self.max_retries}")
        for name in options.tags or ():
            if self.tags is False or (self.tags is not True and name not in self.tags):
                raise _not_allowed("tags", name)


def _check_duration(name: str, given: Duration | None, longest: Duration | None) -> None:
    if given is None:
        return
    if longest is None:
        raise _not_allowed(name)
    limit = to_ms(name, longest, 0, MAX_DURATION_MS)
    if to_ms(name, given, 0, MAX_DURATION_MS) > limit:
        raise _refused((name,), f"at most {limit}")


def _not_allowed(*path: str) -> InvalidInputError:
    return _refused(path, "left out")


def _refused(path: tuple[str, ...], bound: str) -> InvalidInputError:
    where = ("options", *path)
    message = f"must be {bound} on this server"
    return InvalidInputError(f"{'.'.join(where)} {message}", issues=(Issue(where, message),))
