"""JavaScript dates: an instant in milliseconds, or an invalid one (WIRE.md 2 and 2.3)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache

MAX_EPOCH_MS = 8_640_000_000_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# The Gregorian calendar repeats every 400 years; years that datetime cannot hold are computed in
# the cycle that starts in 2000 and moved by whole cycles.
_CYCLE_YEARS = 400
_CYCLE_DAYS = 146_097
_DAY_MS = 86_400_000
_CYCLE_START = date(2000, 1, 1)
_DAYS_TO_CYCLE_START = (_CYCLE_START - EPOCH.date()).days
_MILLISECOND = timedelta(milliseconds=1)

_ISO = re.compile(
    r"(?P<year>[+-][0-9]{6}|[0-9]{4})(?:-(?P<month>[0-9]{2})(?:-(?P<day>[0-9]{2}))?)?"
    r"(?:[Tt ](?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})"
    r"(?::(?P<second>[0-9]{2})(?:\.(?P<fraction>[0-9]+))?)?"
    r"(?P<zone>[Zz]|[+-][0-9]{2}:?[0-9]{2})?)?"
)


@dataclass(frozen=True, slots=True)
class JsDate:
    """A date that a datetime cannot hold: a year outside 1..9999, or `None` for an invalid date.

    Ordinary dates decode to aware datetimes in UTC.
    """

    epoch_ms: int | None

    def __post_init__(self) -> None:
        if self.epoch_ms is not None and abs(self.epoch_ms) > MAX_EPOCH_MS:
            raise ValueError(
                f"JsDate.epoch_ms: expected at most {MAX_EPOCH_MS} in either direction, "
                f"got {self.epoch_ms}"
            )

    def __str__(self) -> str:
        return "Invalid Date" if self.epoch_ms is None else _iso(self.epoch_ms)


def format_datetime(value: datetime) -> str:
    """Write an aware datetime as JavaScript does, cut (not rounded) to milliseconds."""
    try:
        moment = value if value.tzinfo is UTC else value.astimezone(UTC)
        return moment.isoformat(timespec="milliseconds")[:-6] + "Z"
    except OverflowError:
        return _iso((value - EPOCH) // _MILLISECOND)


@lru_cache(maxsize=4096)
def date_text(epoch_ms: int) -> str:
    """Write milliseconds since 1970 as JavaScript does.

    Kept, because whoever waits for an execution looks at the same instants again and again.
    """
    return f"{_second_text(epoch_ms // 1000)}.{epoch_ms % 1000:03d}Z"


def parse_date(text: str) -> datetime | JsDate:
    """Read a date as JavaScript does; text that is no date gives an invalid date, not an error.

    A time without an offset is read as UTC: JavaScript would take its machine's zone, which
    nothing on the wire tells.
    """
    if len(text) == 24 and text[10] == "T" and text[7] == "-" and text[23] == "Z":
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            pass
    epoch_ms = _parse_iso(text)
    if epoch_ms is None:
        epoch_ms = _parse_rfc2822(text)
    return from_epoch_ms(epoch_ms)


def from_epoch_ms(epoch_ms: int | None) -> datetime | JsDate:
    """Turn milliseconds since 1970 into a datetime where possible; out of range is invalid."""
    if epoch_ms is None or abs(epoch_ms) > MAX_EPOCH_MS:
        return JsDate(None)
    try:
        return EPOCH + timedelta(milliseconds=epoch_ms)
    except OverflowError:
        return JsDate(epoch_ms)


def _iso(epoch_ms: int) -> str:
    days, milliseconds = divmod(epoch_ms, _DAY_MS)
    cycles, days = divmod(days - _DAYS_TO_CYCLE_START, _CYCLE_DAYS)
    moment = datetime(2000, 1, 1, tzinfo=UTC) + timedelta(days=days, milliseconds=milliseconds)
    year = moment.year + cycles * _CYCLE_YEARS
    rest = moment.isoformat(timespec="milliseconds")[4:-6]
    return f"{year:04d}{rest}Z" if 0 <= year <= 9999 else f"{year:+07d}{rest}Z"


@lru_cache(maxsize=1024)
def _second_text(epoch_s: int) -> str:
    """Kept, because the instants of one execution, and of many, lie in the same few seconds."""
    return _iso(epoch_s * 1000)[:-5]


def _parse_iso(text: str) -> int | None:
    match = _ISO.fullmatch(text)
    if match is None or match["year"] == "-000000":
        return None
    year, month, day = int(match["year"]), int(match["month"] or 1), int(match["day"] or 1)
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return None
    time_ms = _time_of_day_ms(match)
    if time_ms is None:
        return None
    cycles, year_of_cycle = divmod(year - _CYCLE_START.year, _CYCLE_YEARS)
    # From the first of the month, because JavaScript reads February 30th as March 1st.
    first = date(_CYCLE_START.year + year_of_cycle, month, 1)
    days = (first - EPOCH.date()).days + day - 1 + cycles * _CYCLE_DAYS
    return days * _DAY_MS + time_ms


def _time_of_day_ms(match: re.Match[str]) -> int | None:
    hour, minute = int(match["hour"] or 0), int(match["minute"] or 0)
    second, fraction = int(match["second"] or 0), match["fraction"] or ""
    millisecond = int(fraction[:3].ljust(3, "0"))
    if minute > 59 or second > 59 or hour > 24:
        return None
    if hour == 24 and (minute or second or millisecond):
        return None
    offset = _offset_minutes(match["zone"] or "Z")
    if offset is None:
        return None
    return ((hour * 60 + minute - offset) * 60 + second) * 1000 + millisecond


def _offset_minutes(zone: str) -> int | None:
    if zone in "Zz":
        return 0
    hours, minutes = int(zone[1:3]), int(zone[-2:])
    if hours > 23 or minutes > 59:
        return None
    return (hours * 60 + minutes) * (-1 if zone[0] == "-" else 1)


def _parse_rfc2822(text: str) -> int | None:
    # The length bound keeps a hostile text from costing more than a glance.
    if not 16 <= len(text) <= 64:
        return None
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return (moment.replace(tzinfo=moment.tzinfo or UTC) - EPOCH) // _MILLISECOND
