"""What those who bring events by themselves, the clock and the devices, want of a host, whichever it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

from botplatform.engine import Engine
from botplatform.event import Event
from botplatform.router import Router
from botplatform.store import NOTHING, StateKey, Value, Write
from botplatform.values import NamedTuple


class Arrival(NamedTuple):
    """An event that came in, with what `Intake.submit` wants to know of it."""

    event: Event
    on_settled: Callable[[], None] | None = None
    also: Mapping[StateKey, Write] = NOTHING


class Notes(Protocol):
    """State outside any unit: what a host has to remember of its own. Every method may raise StateUnavailable."""

    def read(self, key: StateKey) -> Value:
        """One value and its version."""

    def scan(self, plugin: str, prefix: str) -> Iterator[tuple[str, Value]]:
        """The values whose keys begin with `prefix`, in order of their keys."""

    def write(self, writes: Mapping[StateKey, Write], wait: bool = True) -> None:
        """Change values, in the order of the calls; with `wait`, they are durable by the time this returns."""


class Intake(Protocol):
    """Takes events in, from any thread."""

    @property
    def router(self) -> Router:
        """Who listens to what."""

    @property
    def engine(self) -> Engine:
        """What runs the events; its clock is the time."""

    @property
    def store(self) -> Notes:
        """Where to remember things."""

    def submit(
        self,
        event: Event,
        on_settled: Callable[[], None] | None = None,
        also: Mapping[StateKey, Write] = NOTHING,
        durable: bool = False,
    ) -> object:
        """Hand an event to its handlers and return at once.

        `on_settled` is called, from any thread, when the event is durable; `also` are writes for the same commit.
        With `durable`, it is durable by the time this returns.
        Raises Retry when it cannot be taken in now: nothing of it was, and whoever has it is to come again with it.
        """

    def submit_all(self, arrivals: Sequence[Arrival]) -> int:
        """Do what `submit` does for as many events as there is room for, from the first on; returns how many.

        The thread that calls this calls `help` as soon as it can. Raises Retry when there is room for none.
        """

    def help(self, take_over: Callable[[], None]) -> bool:
        """Run on this thread what was handed in, as far as it is quick.

        When it turns out not to be, `take_over` is called from another thread, has to be quick, and sees to it that
        somebody else does what this one is for; it then returns False, whenever that will be.
        """

    def count(self, what: str, times: int = 1) -> None:
        """Count something for people to see."""
