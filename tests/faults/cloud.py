"""What a plugin on AWS is to do once for each event, and what came of it when its processes die."""

from __future__ import annotations

from typing import Any, NamedTuple

from moto.sns.models import sns_backends

from botplatform import Event
from tests.faults.report import Fault
from tests.handlers import happened
from tests.hosts.worker.stage import Stage

TELLER = '''
    """Counts what happened, and tells somebody."""

    from botplatform import Context, Event, cloudevents

    USES = ["text"]


    @cloudevents.event("com.example.happened")
    def tell(event: Event, ctx: Context) -> None:
        ctx.state["latest"] = max(ctx.state.get("latest", 0), event.data)
        ctx.state.add("count")
        ctx.state.add(f"event {event.id}")
        ctx.text("+15550100", f"{event.id} happened")
'''
ACCOUNT = "123456789012"  # moto's own


class Point(NamedTuple):
    """Where a process dies: before or after one of the first `nths` requests of an operation.

    `doubles` says that this may be between a text and its mark, so that the text goes out once more.
    """

    operation: str
    moment: str
    nths: int = 3
    doubles: bool = False

    def __str__(self) -> str:
        return f"{self.moment} {self.operation}"


# The mark is a GetItem and a PutItem.
POINTS = [
    Point("GetItem", "before", doubles=True),
    Point("GetItem", "after", doubles=True),
    Point("TransactWriteItems", "before"),
    Point("TransactWriteItems", "after"),
    Point("Publish", "before"),
    Point("Publish", "after", doubles=True),
    Point("PutItem", "before", doubles=True),
    Point("PutItem", "after"),
]
NEVER = Point("Nothing", "before")


def texts() -> list[str]:
    """The texts that went out, in their order."""
    return [body for _, body in sns_backends[ACCOUNT]["us-east-1"].sms_messages.values()]


def forget_texts() -> None:
    """Begin anew with what `texts` gives."""
    sns_backends[ACCOUNT]["us-east-1"].sms_messages.clear()


class Ledger:
    """Events with numbers from 0 on, and what the plugin made of them; who died, and of what."""

    def __init__(self, stage: Stage) -> None:
        self.sent = 0
        self._stage = stage
        self._dynamodb = stage.amazon.client("dynamodb")
        self._lives: list[tuple[Point, list[str]]] = []
        self._told = 0

    def next(self, many: int) -> list[Event]:
        """The next events to hand over."""
        self.sent += many
        return [happened(str(number), data=number) for number in range(self.sent - many, self.sent)]

    def died(self, point: Point) -> None:
        """Note that a process died, and what it had told before."""
        self._lives.append((point, self._told_since()))
        self._told += len(self._lives[-1][1])

    def settled(self) -> bool:
        """Whether all is counted, and no effect is left to be performed."""
        # `Store.pending` would take what it finds into its own hands.
        pending = self._dynamodb.scan(TableName=self._stage.table, IndexName="pending")["Count"]
        return pending == 0 and int(self._state().get("count", 0)) >= self.sent

    def fault(self, point: str, runs: int, *recovery: float) -> Fault:
        """What came of everything; who did not die has no excuse to tell anything twice."""
        times = [self._state().get(f"event {number}", 0) for number in range(self.sent)]
        lost = times.count(0) + self.sent - len(set(texts()))
        doubled = sum(max(0, n - 1) for n in times)
        return Fault(point, runs, lost, doubled, _again(texts()), recovery, unexcused=_again(self._told_since()))

    def faults(self, who: str) -> list[Fault]:
        """What came of each point: a process may have told one thing that is told again, if it died just then."""
        later = set(self._told_since())
        found: dict[Point, Fault] = {}
        for point, told in reversed(self._lives):
            again = _again(told) + len(later & {*told})
            later |= {*told}
            fault = Fault(f"{who} dies {point}", 1, duplicated_effects=again, unexcused=max(0, again - point.doubles))
            found[point] = found[point] + fault if point in found else fault
        return [*found.values()]

    def _told_since(self) -> list[str]:
        """What was told since the last death."""
        return texts()[self._told :]

    def _state(self) -> dict[str, Any]:
        return self._stage.state("teller")


def _again(told: list[str]) -> int:
    """How many of them had been told before."""
    return len(told) - len(set(told))
