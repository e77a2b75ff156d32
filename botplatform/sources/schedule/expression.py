"""Reads an AWS schedule expression and says when it fires, without a clock.

The syntax and the behaviour round daylight saving time are those of the EventBridge Scheduler User Guide,
"Schedule types"; `LW`, `L-n`, `FRIL` and ranges that wrap (`FRI-MON`) are from the Quartz CronTrigger tutorial,
whose language AWS took over. What AWS does not document and others read in different ways is refused: `L`, `W` and
`#` in lists, and in day-of-week `L-n` and steps.
"""

from __future__ import annotations

import calendar
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from difflib import get_close_matches
from functools import partial
from itertools import dropwhile, product
from zoneinfo import ZoneInfo, available_timezones

from botplatform.errors import Rejected

_MINUTE = timedelta(minutes=1)
_MINUTES_PER = {"minute": 1, "hour": 60, "day": 24 * 60}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_END_IN_MINUTES = (datetime(2200, 1, 1, tzinfo=UTC) - _EPOCH) // _MINUTE

_Days = Callable[[int, int], list[int]]
"""The days, ascending, that are meant in a year and month."""


class ScheduleError(Rejected):
    """A schedule expression or time zone that cannot be used; `where` is the field (`hours`), if one is to blame."""


@dataclass(frozen=True)
class Schedule(ABC):
    """When something is to happen: `text` as it was written, and `timezone`, an IANA name."""

    text: str
    timezone: str

    def after(self, instant: datetime) -> Iterator[datetime]:
        """The firing instants strictly after the aware `instant`: aware, in UTC, ascending, to the end of 2199.

        They are computed as they are asked for. Raises ValueError for a naive `instant`.
        """
        if instant.utcoffset() is None:
            raise ValueError(f"{instant!r} has no time zone, so it is no instant")
        return self._after(instant.astimezone(UTC))

    @abstractmethod
    def _after(self, instant: datetime) -> Iterator[datetime]: ...


@dataclass(frozen=True)
class Rate(Schedule):
    """Every so many minutes of elapsed time, whatever the clocks on the wall do.

    AWS counts from the start of a schedule. Here the ticks are the whole multiples of the period since
    1970-01-01T00:00Z, so that every machine, after every restart, agrees on them without a leader.
    """

    minutes: int

    def _after(self, instant: datetime) -> Iterator[datetime]:
        elapsed = (instant - _EPOCH) // _MINUTE
        first = (elapsed // self.minutes + 1) * self.minutes
        return (_EPOCH + minutes * _MINUTE for minutes in range(first, _END_IN_MINUTES, self.minutes))


@dataclass(frozen=True)
class Cron(Schedule):
    """At the local times that match all fields.

    A local time that the zone skips in spring does not fire; one that it repeats in autumn fires the first time only.
    """

    minutes: tuple[int, ...] = field(repr=False, compare=False)
    hours: tuple[int, ...] = field(repr=False, compare=False)
    days: _Days = field(repr=False, compare=False)
    months: tuple[int, ...] = field(repr=False, compare=False)
    years: tuple[int, ...] = field(repr=False, compare=False)

    def _after(self, instant: datetime) -> Iterator[datetime]:
        zone = ZoneInfo(self.timezone)
        local = instant.astimezone(zone).replace(tzinfo=None)
        for wall in dropwhile(lambda wall: wall < local, self._walls(local.date())):
            tick = _first_instant(wall, zone)
            # In the hour that repeats, a later time on the wall may have had its first instant already.
            if tick is not None and tick > instant:
                yield tick

    def _walls(self, start: date) -> Iterator[datetime]:
        for day in self._dates(start):
            for hour, minute in product(self.hours, self.minutes):
                yield datetime(day.year, day.month, day.day, hour, minute)

    def _dates(self, start: date) -> Iterator[date]:
        for year, month in product(self.years, self.months):
            if (year, month) >= (start.year, start.month):
                dates = (date(year, month, day) for day in self.days(year, month))
                yield from (day for day in dates if day >= start)


def _first_instant(wall: datetime, zone: ZoneInfo) -> datetime | None:
    """The first instant at which the clocks of the zone show `wall`, None if they skip it."""
    instant = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    return instant if instant.astimezone(zone).replace(tzinfo=None) == wall else None


def parse(text: str, timezone: str = "UTC") -> Schedule:
    """The schedule written as `cron(minutes hours day-of-month month day-of-week year)` or `rate(value unit)`.

    `timezone` is an IANA name; `cron` is read in it, `rate` does not depend on it.
    Raises ScheduleError, with a sentence that says what is wrong and what would be right.
    """
    _check_zone(timezone)
    form = re.fullmatch(r"(cron|rate)\((.*)\)", text)
    if form is None:
        raise ScheduleError(_not_an_expression(text))
    kind, body = form.groups()
    return _cron(text, timezone, body.upper().split()) if kind == "cron" else _rate(text, timezone, body.strip())


def _check_zone(timezone: str) -> None:
    try:
        ZoneInfo(timezone)
    except (KeyError, ValueError, OSError):  # not found, not a name, or a folder such as "Europe"
        known = get_close_matches(timezone, available_timezones(), n=1) or ["Europe/Berlin"]
        reason = f"unknown time zone {timezone!r}: it must be an IANA name, such as {known[0]!r}"
        raise ScheduleError(reason, "timezone") from None


def _not_an_expression(text: str) -> str:
    if text.startswith("at("):
        return "at(...) fires once and is not supported: it must be cron(...) or rate(...)"
    if len(text.split()) == 6:
        return f"the fields need cron(...) round them: cron({text.strip()})"
    return f"{text!r} is no schedule: it must be like cron(0 18 ? * MON-FRI *) or rate(5 minutes)"


def _rate(text: str, timezone: str, body: str) -> Rate:
    form = re.fullmatch(r"([1-9][0-9]{0,8})\s+(minute|hour|day)(s?)", body)
    if form is None:
        raise ScheduleError(f"{text!r} is no rate: it must be in minutes, hours or days, such as rate(5 minutes)")
    value, unit, plural = int(form[1]), form[2], bool(form[3])
    if plural == (value == 1):
        right = unit if value == 1 else f"{unit}s"
        raise ScheduleError(f"the unit is singular with 1 and plural otherwise: rate({value} {right})")
    return Rate(text, timezone, value * _MINUTES_PER[unit])


def _cron(text: str, timezone: str, fields: list[str]) -> Cron:
    if len(fields) != 6:
        form = "cron(minutes hours day-of-month month day-of-week year)"
        raise ScheduleError(f"there must be 6 fields, not {len(fields)}: {form}, such as cron(0 18 ? * MON-FRI *)")
    minutes, hours, day_of_month, month, day_of_week, year = fields
    return Cron(
        text,
        timezone,
        minutes=_MINUTES.values(minutes),
        hours=_HOURS.values(hours),
        days=_days(day_of_month, day_of_week),
        months=_MONTH.values(month),
        years=_YEAR.values(year),
    )


@dataclass(frozen=True)
class _Field:
    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()
    alone: str = ""  # what else may be written, for the error
    wraps: bool = True
    steps: bool = True

    def values(self, text: str) -> tuple[int, ...]:
        """The values meant by a list of `*`, `5`, `1-5`, `5/15`, `1-30/15` and `*/15`, ascending."""
        return tuple(sorted({value for item in text.split(",") for value in self._item(item)}))

    def number(self, word: str) -> int:
        """The value meant by a number or a name."""
        if word in self.names:
            return self.low + self.names.index(word)
        if re.fullmatch(r"[0-9]{1,4}", word) and self.low <= int(word) <= self.high:
            return int(word)
        names = f" or {self.names[0]}-{self.names[-1]}" if self.names else ""
        raise ScheduleError(f"{word!r} is not in {self.low}-{self.high}{names}{self.alone}", self.name)

    def _item(self, item: str) -> Iterator[int]:
        span, slash, step = item.partition("/")
        first, last = self._span(span, to_the_end=bool(slash))
        stride = self._step(step) if slash else 1
        size = self.high - self.low + 1
        if first > last:
            last += size
        return (self.low + (value - self.low) % size for value in range(first, last + 1, stride))

    def _span(self, span: str, to_the_end: bool) -> tuple[int, int]:
        if span == "*":
            return self.low, self.high
        start, dash, end = span.partition("-")
        first = self.number(start)
        if not dash:
            return first, self.high if to_the_end else first
        last = self.number(end)
        if first > last and not self.wraps:
            raise ScheduleError(f"the range {span!r} runs backwards: it must be {last}-{first}", self.name)
        return first, last

    def _step(self, step: str) -> int:
        if not self.steps:
            raise ScheduleError("steps are not allowed here: the days must be listed, such as MON,WED,FRI", self.name)
        if not re.fullmatch(r"[0-9]{1,4}", step) or not 1 <= int(step) <= self.high:
            raise ScheduleError(f"the step {step!r} is not in 1-{self.high}", self.name)
        return int(step)


_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_WEEKDAY_FORMS = "; L, FRIL and MON#1 to MON#5 must be the whole field"
_MINUTES = _Field("minutes", 0, 59)
_HOURS = _Field("hours", 0, 23)
_DAY_OF_MONTH = _Field("day-of-month", 1, 31, alone="; L, L-1 to L-30, LW and 1W to 31W must be the whole field")
_MONTH = _Field("month", 1, 12, _MONTHS)
_DAY_OF_WEEK = _Field("day-of-week", 1, 7, _WEEKDAYS, alone=_WEEKDAY_FORMS, steps=False)
_YEAR = _Field("year", 1970, 2199, wraps=False)


def _days(day_of_month: str, day_of_week: str) -> _Days:
    if (day_of_month == "?") == (day_of_week == "?"):
        reason = "exactly one of them must be ?, as in cron(0 18 * * ? *) or cron(0 18 ? * MON-FRI *)"
        raise ScheduleError(reason, "day-of-month and day-of-week")
    return _days_of_month(day_of_month) if day_of_week == "?" else _days_of_week(day_of_week)


def _days_of_month(text: str) -> _Days:
    if text == "L":
        return partial(_before_the_last, 0)
    if text == "LW":
        return _last_working_day
    if form := re.fullmatch(r"L-(30|[12][0-9]|0?[1-9])", text):
        return partial(_before_the_last, int(form[1]))
    if form := re.fullmatch(r"(.+)W", text):
        return partial(_nearest_working_day, _DAY_OF_MONTH.number(form[1]))
    return partial(_numbered, _DAY_OF_MONTH.values(text))


def _days_of_week(text: str) -> _Days:
    if text == "L":
        return partial(_on_weekdays, {_DAY_OF_WEEK.high})
    if form := re.fullmatch(r"(.+)L", text):
        return partial(_nth_weekday, _DAY_OF_WEEK.number(form[1]), -1)
    if form := re.fullmatch(r"(.+)#([1-5])", text):
        return partial(_nth_weekday, _DAY_OF_WEEK.number(form[1]), int(form[2]) - 1)
    return partial(_on_weekdays, _DAY_OF_WEEK.values(text))


def _numbered(days: Collection[int], year: int, month: int) -> list[int]:
    return [day for day in days if 1 <= day <= _last_day(year, month)]


def _before_the_last(count: int, year: int, month: int) -> list[int]:
    return _numbered([_last_day(year, month) - count], year, month)


def _nearest_working_day(day: int, year: int, month: int) -> list[int]:
    """The Monday to Friday closest to the day without leaving its month; none where the month has no such day."""
    last = _last_day(year, month)
    if day > last:
        return []
    weekday = calendar.weekday(year, month, day)
    if weekday == calendar.SATURDAY:
        return [day - 1 if day > 1 else day + 2]
    if weekday == calendar.SUNDAY:
        return [day + 1 if day < last else day - 2]
    return [day]


def _last_working_day(year: int, month: int) -> list[int]:
    return _nearest_working_day(_last_day(year, month), year, month)


def _on_weekdays(weekdays: Collection[int], year: int, month: int) -> list[int]:
    # AWS counts from Sunday, which is 1, Python from Monday, which is 0.
    wanted = {(weekday - 2) % 7 for weekday in weekdays}
    return [day for day in range(1, _last_day(year, month) + 1) if calendar.weekday(year, month, day) in wanted]


def _nth_weekday(weekday: int, index: int, year: int, month: int) -> list[int]:
    return _on_weekdays({weekday}, year, month)[index:][:1]


def _last_day(year: int, month: int) -> int:
    return calendar.monthrange(year, month)[1]
