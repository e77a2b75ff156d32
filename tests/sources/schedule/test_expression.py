"""Schedule expressions against other people's tables, against the clocks of every zone, and against brute force."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import islice, takewhile
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from botplatform.sources.schedule.expression import Schedule, ScheduleError, parse

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
BEFORE_ALL_YEARS = datetime(1969, 12, 31, tzinfo=UTC)

# The tables were made with aws-croniter, which reads L-2 in day-of-week as the last Monday of a month, where Quartz
# reads Saturday; AWS documents L there, and no L-n.
REFUSED_HERE = {"15 10 ? * L-2 2019-2022"}


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def cron(fields: str, timezone: str = "UTC") -> Schedule:
    return parse(f"cron({fields})", timezone)


def between(schedule: Schedule, start: datetime, end: datetime) -> list[datetime]:
    """The ticks after `start` and not after `end`."""
    return list(takewhile(lambda tick: tick <= end, schedule.after(start)))


# Other people's tables


@pytest.fixture(scope="module")
def tables(shared_data: Path) -> dict[str, list[Any]]:
    rows = _rows(shared_data / "oracles" / "cron" / "aws-croniter-tables.jsonl")
    return {row["test"]: row["cases"] for row in rows}


@pytest.fixture(scope="module")
def beemhq(shared_data: Path) -> list[dict[str, Any]]:
    return _rows(shared_data / "oracles" / "cron" / "beemhq-next.jsonl")


def _rows(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def _ticks(texts: list[str | None]) -> list[datetime]:
    return [utc(text) for text in texts if text is not None]


def test_the_next_ticks_are_those_of_beemhq(beemhq: list[dict[str, Any]]) -> None:
    for case in beemhq:
        ticks = cron(case["expr"]).after(utc(case["from"]))
        assert list(islice(ticks, len(case["next"]))) == _ticks(case["next"]), case["expr"]


def test_the_ticks_before_are_those_of_beemhq(beemhq: list[dict[str, Any]]) -> None:
    for case in beemhq:
        if "prev" in case:
            past = between(cron(case["expr"]), BEFORE_ALL_YEARS, utc(case["from"]))
            assert past[-1:] == _ticks(case["prev"] or []), case["expr"]


def test_the_next_ticks_are_those_of_aws_croniter(tables: dict[str, list[Any]]) -> None:
    cases = [(fields, start, expected) for fields, start, _, expected in tables["test_get_next_parameterized"]]
    cases += [(fields, start, expected) for fields, expected, start in tables["test_generate_next_occurrences"]]
    for fields, start, expected in cases:
        assert list(islice(cron(fields).after(utc(start)), len(expected))) == _ticks(expected), fields


def test_the_ticks_before_are_those_of_aws_croniter(tables: dict[str, list[Any]]) -> None:
    for fields, end, _, expected in tables["test_get_prev"]:
        latest_first = _ticks(expected)
        complete = len(latest_first) < len(expected)
        start = BEFORE_ALL_YEARS if complete else latest_first[-1] - MINUTE
        assert between(cron(fields), start, utc(end) - MINUTE) == latest_first[::-1], fields


def test_the_ticks_of_a_span_are_those_of_aws_croniter(tables: dict[str, list[Any]]) -> None:
    for start, end, fields, without_ends, expected in tables["test_get_all_schedule_bw_dates"]:
        ends = [utc(text).replace(second=0) for text in (start, end)]
        ticks = between(cron(fields), ends[0] - MINUTE, ends[1])
        assert [tick for tick in ticks if not (without_ends and tick in ends)] == _ticks(expected), fields


def test_the_last_tick_of_a_span_is_that_of_aws_croniter(tables: dict[str, list[Any]]) -> None:
    for fields, start, end, expected in tables["test_get_final_execution_time"]:
        ticks = between(cron(fields), utc(start) - MINUTE, utc(end) - MINUTE)
        assert ticks[-1:] == _ticks([expected]), (fields, start, end)


def test_what_aws_croniter_accepts_is_accepted_where_aws_documents_it(tables: dict[str, list[Any]]) -> None:
    refused = set()
    for fields in tables["test_valid_cron_expression"]:
        try:
            cron(fields)
        except ScheduleError:
            refused.add(fields)
    assert refused == REFUSED_HERE


def test_what_aws_croniter_refuses_is_refused(shared_data: Path) -> None:
    for case in _rows(shared_data / "oracles" / "cron" / "aws-croniter-invalid.jsonl"):
        with pytest.raises(ScheduleError):
            cron(case["expr"])


# The syntax


@pytest.mark.parametrize(
    ("fields", "start", "expected"),
    [
        ("0 18 ? * MON-FRI *", "2025-08-01T18:00", ["2025-08-04T18:00", "2025-08-05T18:00"]),
        ("0 18 ? * 1 *", "2025-08-01", ["2025-08-03T18:00"]),
        ("0 18 ? * L *", "2025-08-01", ["2025-08-02T18:00", "2025-08-09T18:00"]),
        ("15 10 ? * fril *", "2025-08-01", ["2025-08-29T10:15", "2025-09-26T10:15"]),
        ("0 9 ? * TUE#5 *", "2025-08-01", ["2025-09-30T09:00", "2025-12-30T09:00"]),
        ("0 0 L * ? *", "2024-02-01", ["2024-02-29", "2024-03-31"]),
        ("0 0 L-30 * ? *", "2025-02-01", ["2025-03-01", "2025-05-01"]),
        ("0 0 LW * ? *", "2025-08-01", ["2025-08-29", "2025-09-30", "2025-10-31", "2025-11-28"]),
        ("0 0 1W * ? *", "2025-11-01", ["2025-11-03", "2025-12-01", "2026-01-01", "2026-02-02"]),
        ("0 0 15W 11 ? *", "2025-11-01", ["2025-11-14", "2026-11-16"]),
        ("0 0 30W * ? *", "2025-02-01", ["2025-03-31", "2025-04-30", "2025-05-30"]),
        ("0 0 30-2 8 ? *", "2025-07-01", ["2025-08-01", "2025-08-02", "2025-08-30", "2025-08-31", "2026-08-01"]),
        ("0 22-4/3 1 1 ? 2026", "2025-07-01", ["2026-01-01T01:00", "2026-01-01T04:00", "2026-01-01T22:00"]),
        ("50-10/20 0 1 1 ? 2026", "2025-07-01", ["2026-01-01T00:10", "2026-01-01T00:50"]),
        ("59 23 31 DEC ? 2198/1", "2025-07-01", ["2198-12-31T23:59", "2199-12-31T23:59"]),
        ("0 0 ? FEB MON#5 *", "2025-07-01", ["2044-02-29", "2072-02-29"]),
    ],
)
def test_an_expression_fires_at(fields: str, start: str, expected: list[str]) -> None:
    assert list(islice(cron(fields).after(utc(start)), len(expected))) == _ticks(list(expected))


@pytest.mark.parametrize("fields", ["0 0 31 2 ? *", "0 0 L-30 2 ? *", "0 0 ? 2 MON#5 2025-2043", "0 0 31W APR ? *"])
def test_a_date_that_never_comes_ends(fields: str) -> None:
    assert list(cron(fields).after(utc("2025-01-01"))) == []


def test_the_ticks_end_with_the_years() -> None:
    assert list(cron("30 12 * 12 ? 2198-2199").after(utc("2199-12-30"))) == _ticks(
        ["2199-12-30T12:30", "2199-12-31T12:30"]
    )


def test_a_tick_is_strictly_after_the_instant() -> None:
    every_minute = cron("* * * * ? *")
    assert next(every_minute.after(utc("2025-01-01T00:00"))) == utc("2025-01-01T00:01")
    assert next(every_minute.after(utc("2025-01-01T00:00:59.999999"))) == utc("2025-01-01T00:01")


def test_a_tick_is_in_utc_whatever_the_zones() -> None:
    kolkata = datetime(2025, 1, 1, tzinfo=ZoneInfo("Asia/Kolkata"))
    tick = next(cron("0 9 * * ? *", "Europe/Berlin").after(kolkata))
    assert tick.isoformat() == "2025-01-01T08:00:00+00:00"


def test_a_naive_instant_is_a_bug_of_the_caller() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        cron("* * * * ? *").after(datetime(2025, 1, 1))


def test_a_schedule_is_a_value() -> None:
    assert parse("cron(0 9 * * ? *)", "Asia/Tokyo") == parse("cron(0 9 * * ? *)", "Asia/Tokyo")
    assert parse("cron(0 9 * * ? *)", "Asia/Tokyo") != parse("cron(0 9 * * ? *)", "Asia/Seoul")
    assert len({parse("rate(1 hour)"), parse("rate(1 hour)"), parse("rate(60 minutes)")}) == 2


@pytest.mark.parametrize(
    ("text", "where", "sentence"),
    [
        ("cron(0 18 ? * MON-FRI)", "", "there must be 6 fields, not 5"),
        ("0 18 ? * MON-FRI *", "", r"cron\(0 18 \? \* MON-FRI \*\)"),
        ("at(2022-11-20T13:00:00)", "", r"at\(\.\.\.\) fires once and is not supported"),
        ("every day", "", "it must be like cron"),
        (" rate(1 hour)", "", "it must be like cron"),
        ("cron(0 10 * * * *)", "day-of-month and day-of-week", r"exactly one of them must be \?"),
        ("cron(0 10 ? * ? *)", "day-of-month and day-of-week", r"exactly one of them must be \?"),
        ("cron(0 10 31 * MON *)", "day-of-month and day-of-week", r"exactly one of them must be \?"),
        ("cron(60 0 * * ? *)", "minutes", "'60' is not in 0-59"),
        ("cron(? 0 * * ? *)", "minutes", r"'\?' is not in 0-59"),
        ("cron(0/60 0 * * ? *)", "minutes", "step '60' is not in 1-59"),
        ("cron(0/0 0 * * ? *)", "minutes", "step '0' is not in 1-59"),
        ("cron(0/ 0 * * ? *)", "minutes", "step '' is not in 1-59"),
        ("cron(0 24 * * ? *)", "hours", "'24' is not in 0-23"),
        ("cron(0 1, * * ? *)", "hours", "'' is not in 0-23"),
        ("cron(0 -1 * * ? *)", "hours", "'' is not in 0-23"),
        ("cron(0 1-2-3 * * ? *)", "hours", "'2-3' is not in 0-23"),
        ("cron(0 L * * ? *)", "hours", "'L' is not in 0-23"),
        ("cron(0 ٣ * * ? *)", "hours", "'٣' is not in 0-23"),
        ("cron(0 0 0 * ? *)", "day-of-month", "'0' is not in 1-31"),
        ("cron(0 0 1,L * ? *)", "day-of-month", "'L' is not in 1-31; L, .* must be the whole field"),
        ("cron(0 0 L-31 * ? *)", "day-of-month", "L-1 to L-30"),
        ("cron(0 0 1W,15W * ? *)", "day-of-month", "'1W,15' is not in 1-31"),
        ("cron(0 0 32W * ? *)", "day-of-month", "'32' is not in 1-31"),
        ("cron(0 0 1#2 * ? *)", "day-of-month", "'1#2' is not in 1-31"),
        ("cron(0 0 * 13 ? *)", "month", "'13' is not in 1-12 or JAN-DEC"),
        ("cron(0 0 ? * 0 *)", "day-of-week", "'0' is not in 1-7 or SUN-SAT"),
        ("cron(0 0 ? * MON#6 *)", "day-of-week", r"MON#1 to MON#5"),
        ("cron(0 0 ? * 3#1,6#3 *)", "day-of-week", "must be the whole field"),
        ("cron(0 0 ? * 3W *)", "day-of-week", "'3W' is not in 1-7"),
        ("cron(0 0 ? * MON/2 *)", "day-of-week", "the days must be listed"),
        ("cron(0 0 * * ? 1969)", "year", "'1969' is not in 1970-2199"),
        ("cron(0 0 * * ? 2026-2025)", "year", "it must be 2025-2026"),
        ("rate(5 minute)", "", r"rate\(5 minutes\)"),
        ("rate(1 days)", "", r"rate\(1 day\)"),
        ("rate(0 minutes)", "", "it must be in minutes, hours or days"),
        ("rate(1.5 hours)", "", "it must be in minutes, hours or days"),
        ("rate(10 seconds)", "", "it must be in minutes, hours or days"),
    ],
)
def test_a_mistake_is_named_with_its_field(text: str, where: str, sentence: str) -> None:
    with pytest.raises(ScheduleError, match=sentence) as caught:
        parse(text)
    assert caught.value.where == where


@pytest.mark.parametrize("timezone", ["", "Europe", "Europe/Berln", "../UTC", "/etc/passwd", "a\0b"])
def test_an_unknown_zone_is_refused(timezone: str) -> None:
    with pytest.raises(ScheduleError, match="must be an IANA name") as caught:
        parse("rate(1 hour)", timezone)
    assert caught.value.where == "timezone"


def test_an_unknown_zone_is_answered_with_the_nearest() -> None:
    with pytest.raises(ScheduleError, match="such as 'America/New_York'"):
        parse("rate(1 hour)", "America/NewYork")


# Elapsed time


@pytest.mark.parametrize(
    ("text", "period"), [("rate(1 minute)", MINUTE), ("rate(7 minutes)", 7 * MINUTE), ("rate(5 days)", 5 * DAY)]
)
def test_a_rate_ticks_at_whole_multiples_since_the_epoch(text: str, period: timedelta) -> None:
    start = utc("2025-06-01T10:11:12")
    first, second = islice(parse(text).after(start), 2)
    assert (first - utc("1970-01-01")) % period == timedelta()
    assert start < first <= start + period
    assert second == first + period


def test_a_rate_tick_is_strictly_after_the_instant() -> None:
    assert next(parse("rate(1 hour)").after(utc("2025-06-01T10:00"))) == utc("2025-06-01T11:00")


def test_a_day_of_a_rate_is_24_hours_when_the_clocks_change() -> None:
    ticks = between(parse("rate(1 day)", "Europe/Berlin"), utc("2025-03-28T12:00"), utc("2025-03-31T12:00"))
    assert ticks == _ticks(["2025-03-29", "2025-03-30", "2025-03-31"])


def test_a_rate_ends_with_the_years() -> None:
    assert list(parse("rate(1 day)").after(utc("2199-12-30"))) == [utc("2199-12-31")]


def test_a_rate_too_long_for_the_years_never_ticks() -> None:
    assert list(parse("rate(999999999 days)").after(utc("2025-01-01"))) == []


# The clocks on the wall


@pytest.mark.parametrize(
    ("timezone", "fields", "start", "expected"),
    [
        ("America/New_York", "30 2 * * ? *", "2022-03-12T00:00", ["2022-03-12T07:30", "2022-03-14T06:30"]),
        ("America/St_Johns", "30 2 * * ? *", "2025-03-08T12:00", ["2025-03-10T05:00"]),
        ("Australia/Lord_Howe", "15 2 * * ? *", "2025-10-03T20:00", ["2025-10-05T15:15"]),
        ("Antarctica/Troll", "30 1,2,3 * * ? *", "2025-03-29T12:00", ["2025-03-30T01:30", "2025-03-30T23:30"]),
        ("Africa/Casablanca", "30 2 * * ? *", "2025-04-05T12:00", ["2025-04-07T01:30"]),
        ("Pacific/Apia", "0 12 * 12 ? *", "2011-12-29T12:00", ["2011-12-29T22:00", "2011-12-30T22:00"]),
        ("Pacific/Apia", "0 12 30 12 ? *", "2011-12-01T00:00", ["2012-12-29T22:00"]),
    ],
)
def test_a_skipped_local_time_does_not_run(timezone: str, fields: str, start: str, expected: list[str]) -> None:
    assert list(islice(cron(fields, timezone).after(utc(start)), len(expected))) == _ticks(list(expected))


@pytest.mark.parametrize(
    ("timezone", "fields", "start", "expected"),
    [
        ("America/New_York", "30 1 * * ? *", "2022-11-06T00:00", ["2022-11-06T05:30", "2022-11-07T06:30"]),
        ("Australia/Lord_Howe", "45 1 * * ? *", "2025-04-05T00:00", ["2025-04-05T14:45", "2025-04-06T15:15"]),
        ("Antarctica/Troll", "30 1,2 * * ? *", "2025-10-25T12:00", ["2025-10-25T23:30", "2025-10-26T00:30"]),
        ("Africa/Casablanca", "30 2 * * ? *", "2025-02-22T12:00", ["2025-02-23T01:30", "2025-02-24T02:30"]),
        ("Atlantic/Azores", "30 0 * * ? *", "2025-10-25T12:00", ["2025-10-26T00:30", "2025-10-27T01:30"]),
        ("America/Havana", "0 0 * * ? *", "2025-11-02T00:00", ["2025-11-02T04:00", "2025-11-03T05:00"]),
    ],
)
def test_a_repeated_local_time_runs_the_first_time(timezone: str, fields: str, start: str, expected: list[str]) -> None:
    assert list(islice(cron(fields, timezone).after(utc(start)), len(expected))) == _ticks(list(expected))


def test_within_the_repeated_hour_nothing_runs_again() -> None:
    within = utc("2022-11-06T06:10")  # 01:10 in New York, for the second time
    assert next(cron("30 1 * * ? *", "America/New_York").after(within)) == utc("2022-11-07T06:30")


def test_an_instant_written_as_a_skipped_local_time_is_still_that_instant() -> None:
    new_york = ZoneInfo("America/New_York")
    skipped = datetime(2022, 3, 13, 2, 30, fold=1, tzinfo=new_york)  # 06:30 UTC, when the clocks show 01:30
    assert next(cron("45 1 * * ? *", "America/New_York").after(skipped)) == utc("2022-03-13T06:45")


Matches = Callable[[datetime], bool]


def brute_force(matches: Matches, zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[datetime]:
    """Every minute after `start` up to `end` at which the clocks show a matching time they have not shown before."""
    shown = set()
    minute = start.replace(second=0, microsecond=0) - DAY / 4  # no zone repeats more than a few hours
    while (minute := minute + MINUTE) <= end:
        local = minute.astimezone(zone).replace(tzinfo=None)
        if matches(local) and local not in shown:
            shown.add(local)
            if minute > start:
                yield minute


def changes(zone: ZoneInfo, year: int) -> list[datetime]:
    """The UTC midnights before the clocks of the zone change, or one midnight if they never do."""
    midnights = [datetime(year, 1, 1, tzinfo=UTC) + number * DAY for number in range(365)]
    offsets = [midnight.astimezone(zone).utcoffset() for midnight in midnights]
    return [midnights[i] for i in range(364) if offsets[i] != offsets[i + 1]] or midnights[:1]


@pytest.mark.parametrize("year", [2011, 2026])
@pytest.mark.parametrize("timezone", sorted(available_timezones()))
def test_every_local_time_that_exists_runs_once_in_every_zone(timezone: str, year: int) -> None:
    zone = ZoneInfo(timezone)
    quarters = cron("0/15 * * * ? *", timezone)
    for change in changes(zone, year):
        start, end = change - DAY / 4, change + 1.25 * DAY
        expected = brute_force(lambda local: local.minute % 15 == 0, zone, start, end)
        assert between(quarters, start, end) == list(expected)


# Random expressions: each strategy draws what is written together with what it means, worked out another way

Field = tuple[str, set[int]]
DayRule = tuple[str, Callable[[date], bool]]
WEEKDAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]


@st.composite
def items(draw: st.DrawFn, low: int, high: int, wraps: bool = True) -> Field:
    everything = list(range(low, high + 1))
    first, last = draw(st.integers(low, high)), draw(st.integers(low, high))
    if not wraps:
        first, last = sorted((first, last))
    step = draw(st.integers(1, min(high, 30)))
    turned = everything[first - low :] + everything[: first - low]
    span = turned[: turned.index(last) + 1]
    return draw(
        st.sampled_from(
            [
                ("*", set(everything)),
                (f"{first:02}", {first}),
                (f"{first}-{last}", set(span)),
                (f"*/{step}", set(everything[::step])),
                (f"{first}/{step}", set(everything[first - low :: step])),
                (f"{first}-{last}/{step}", set(span[::step])),
            ]
        )
    )


def fields(low: int, high: int, wraps: bool = True) -> st.SearchStrategy[Field]:
    lists = st.lists(items(low, high, wraps), min_size=1, max_size=3)
    return lists.map(lambda parts: (",".join(text for text, _ in parts), set().union(*(values for _, values in parts))))


def weekday(day: date) -> int:
    return day.isoweekday() % 7 + 1


def working_days(of: date) -> list[int]:
    month = [of.replace(day=1) + number * DAY for number in range(31)]
    return [day.day for day in month if day.month == of.month and day.isoweekday() <= 5]


def days_of_month() -> st.SearchStrategy[DayRule]:
    def before_the_last(count: int) -> Callable[[date], bool]:
        return lambda day: (day + count * DAY).month == day.month != (day + (count + 1) * DAY).month

    def nearest(number: int) -> Callable[[date], bool]:
        def is_nearest(day: date) -> bool:
            exists = (day.replace(day=1) + (number - 1) * DAY).month == day.month
            return exists and day.day == min(working_days(day), key=lambda other: abs(other - number))

        return is_nearest

    return st.one_of(
        fields(1, 31).map(lambda drawn: (drawn[0], lambda day: day.day in drawn[1])),
        st.integers(1, 30).map(lambda count: (f"L-{count}", before_the_last(count))),
        st.integers(1, 31).map(lambda number: (f"{number}W", nearest(number))),
        st.just(("L", before_the_last(0))),
        st.just(("LW", lambda day: day.day == max(working_days(day)))),
    ).map(lambda rule: (f"{rule[0]} {{month}} ?", rule[1]))


def days_of_week() -> st.SearchStrategy[DayRule]:
    numbers = st.integers(1, 7)
    return st.one_of(
        st.just(("*", lambda day: True)),  # noqa: ARG005
        st.just(("L", lambda day: weekday(day) == 7)),
        st.sets(numbers, min_size=1).map(
            lambda drawn: (",".join(WEEKDAYS[number - 1] for number in drawn), lambda day: weekday(day) in drawn)
        ),
        numbers.map(
            lambda drawn: (f"{drawn}L", lambda day: weekday(day) == drawn and (day + 7 * DAY).month != day.month)
        ),
        st.tuples(numbers, st.integers(1, 5)).map(
            lambda drawn: (
                f"{WEEKDAYS[drawn[0] - 1]}#{drawn[1]}",
                lambda day: weekday(day) == drawn[0] and (day.day + 6) // 7 == drawn[1],
            )
        ),
    ).map(lambda rule: (f"? {{month}} {rule[0]}", rule[1]))


day_rules = days_of_month() | days_of_week()
every_day = st.just(("* {month} ?", lambda day: True))  # noqa: ARG005
around_changes = st.sampled_from(
    [
        ("America/New_York", utc("2025-03-08")),
        ("America/New_York", utc("2025-11-01")),
        ("Europe/Dublin", utc("2025-10-25")),
        ("Australia/Lord_Howe", utc("2025-04-04")),
        ("Australia/Lord_Howe", utc("2025-10-03")),
        ("Antarctica/Troll", utc("2025-10-25")),
        ("Africa/Casablanca", utc("2025-02-22")),
        ("Pacific/Apia", utc("2011-12-28")),
        ("Asia/Kathmandu", utc("2025-12-30")),
    ]
)


@settings(deadline=None)
@given(
    minutes=fields(0, 59),
    hours=fields(0, 23),
    days=every_day | day_rules,
    months=fields(1, 12),
    years=fields(1970, 2199, wraps=False) | st.just(("*", set(range(1970, 2200)))),
    around=around_changes,
    seconds=st.integers(0, 2 * 24 * 3600),
)
def test_the_ticks_of_a_few_days_are_those_of_brute_force(
    minutes: Field,
    hours: Field,
    days: DayRule,
    months: Field,
    years: Field,
    around: tuple[str, datetime],
    seconds: int,
) -> None:
    def matches(local: datetime) -> bool:
        return (
            local.minute in minutes[1]
            and local.hour in hours[1]
            and local.month in months[1]
            and local.year in years[1]
            and days[1](local.date())
        )

    timezone, midnight = around
    start, end = midnight + timedelta(seconds=seconds), midnight + 3 * DAY
    schedule = cron(f"{minutes[0]} {hours[0]} {days[0].format(month=months[0])} {years[0]}", timezone)
    assert between(schedule, start, end) == list(brute_force(matches, ZoneInfo(timezone), start, end))


@settings(deadline=None)
@given(days=day_rules, year=st.integers(1970, 2199))
def test_the_days_of_a_year_are_those_of_brute_force(days: DayRule, year: int) -> None:
    schedule = cron(f"0 0 {days[0].format(month='*')} {year}")
    every = [datetime(year, 1, 1, tzinfo=UTC) + number * DAY for number in range(366)]
    expected = [midnight for midnight in every if midnight.year == year and days[1](midnight.date())]
    assert list(schedule.after(every[0] - MINUTE)) == expected
