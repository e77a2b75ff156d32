"""One group of jobs: those that are run one after the other in one thread, and committed together."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from botplatform.hosts.jobs import Answer, Later
from botplatform.hosts.lanes import Lane, Running
from botplatform.hosts.local.member import Came, Member
from botplatform.hosts.local.overlay import Overlay
from botplatform.store import Commit

Left = tuple[Lane[Member], Member, Answer | Later]
"""What is left to do of a job."""


@dataclass(slots=True, eq=False)
class Group:
    """Jobs on their way from where they wait to one commit.

    `lent` is what to call when it takes the thread it was lent too long; `kept` says that this was so.
    """

    overlay: Overlay
    waiting: deque[tuple[Lane[Member], Member]]
    kinds: set[Hashable]  # of each, it counts as one run
    lanes: dict[Lane[Member], None] = field(default_factory=dict)  # in which one has begun
    stopped: set[Lane[Member]] = field(default_factory=set)  # in which no other one is to begin
    running: tuple[Lane[Member], Member] | None = None
    began: float = 0.0
    ran: list[tuple[Lane[Member], Member, Commit]] = field(default_factory=list)
    ahead: list[tuple[Lane[Member], Member, Commit]] = field(default_factory=list)  # of what ran, what was told ahead
    left: list[Left] = field(default_factory=list)  # what was not to be committed
    slow: Running[Member] | None = None
    postponed: list[Left] = field(default_factory=list)  # what became of that
    late: bool = False  # its commit takes long
    lent: Callable[[], None] | None = None
    kept: bool = False

    def begin(self) -> tuple[Lane[Member], Member] | None:
        """The next job, None when there is none."""
        self.running = None
        while self.waiting and not self.running:
            following = self.waiting.popleft()
            lane = following[0]
            if lane not in self.stopped:
                self.overlay.begin(seen=lane in self.lanes)
                self.lanes[lane] = None
                self.running, self.began = following, time.monotonic()
        return self.running

    def took(self, lane: Lane[Member], job: Member, came: Came) -> None:
        """Note what came of a job; when those before it come to nothing, what depends on them has to, too."""
        if isinstance(came, Commit):
            came.chained = self.overlay.seen
            self.ran.append((lane, job, came))
            if came.writes:
                self.overlay.write(came.writes)
        else:
            self.left.append((lane, job, came))
            self.stopped.add(lane)

    def tell_ahead(self) -> None:
        """Have told what needs no commit to be told; only what was told is waited for by nobody."""
        ran, self.ran = self.ran, []
        for lane, job, commit in ran:
            ahead = job.tell_ahead(commit)
            if ahead:
                self.ahead.append((lane, job, ahead))
            else:
                self.ran.append((lane, job, commit))

    def keep_thread(self) -> None:
        """Have somebody else do what the thread that was lent is for."""
        if self.lent:
            lent, self.lent, self.kept = self.lent, None, True
            lent()
