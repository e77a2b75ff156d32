"""What a plugin writes to run by the clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from botplatform.subscription import F, Subscription, check_text, limits, subscribe
from botplatform.values import NamedTuple

if TYPE_CHECKING:
    from typing import Unpack

    from botplatform.subscription import LimitsGiven

Missed = Literal["skip", "last", "all"]


class Times(NamedTuple):
    """An expression and its time zone as written; read when somebody asks, since on AWS EventBridge knows the time."""

    text: str
    timezone: str

    def after(self, instant: datetime) -> Iterator[datetime]:
        """The ticks after the aware `instant`, in UTC; raises ScheduleError for a bad expression or zone."""
        from botplatform.sources.schedule.expression import parse

        return parse(self.text, self.timezone).after(instant)


def on(
    expression: str, *, timezone: str = "UTC", missed: Missed = "skip", **limited: Unpack[LimitsGiven]
) -> Callable[[F], F]:
    """Run at `cron(0 7 ? * MON-FRI *)` in a time zone (`Europe/Berlin`), or at `rate(5 minutes)`.

    `missed` says what to do about ticks that fell into a downtime: leave them out, catch up with the last of them, or
    with all. A bad expression or zone is found when the plugin is loaded.
    """
    check_text(expression, 'schedule.on("cron(0 7 * * ? *)")')
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
                options={"name": name, "schedule": Times(expression, timezone), "missed": missed},
                limits=limits(**limited),
            )
        )(function)

    return mark
