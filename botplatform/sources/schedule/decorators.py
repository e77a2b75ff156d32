"""What a plugin writes to run by the clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from botplatform.sources.schedule.expression import parse
from botplatform.subscription import F, Subscription, check_text, subscribe

Missed = Literal["skip", "last", "all"]


def on(expression: str, *, timezone: str = "UTC", missed: Missed = "skip") -> Callable[[F], F]:
    """Run at `cron(0 7 ? * MON-FRI *)` in a time zone (`Europe/Berlin`), or at `rate(5 minutes)`.

    `missed` says what to do about ticks that fell into a downtime: leave them out, catch up with the last of them, or
    with all. Raises ScheduleError for a bad expression or zone.
    """
    check_text(expression, 'schedule.on("cron(0 7 * * ? *)")')
    times = parse(expression, timezone)
    if missed not in ("skip", "last", "all"):
        raise ValueError(f'missed is "skip", "last" or "all", not {missed!r}')

    def mark(function: F) -> F:
        name = f"{function.__module__.rpartition('.')[2]}.{function.__name__}"
        summary = f"{expression} {timezone}" if expression.startswith("cron") else expression
        return subscribe(
            Subscription(
                source="schedule",
                summary=summary,
                pattern={"type": ["dev.botplatform.tick"], "subject": [name]},
                exclusive=f"the schedule {name}",
                options={"name": name, "schedule": times, "missed": missed},
            )
        )(function)

    return mark
