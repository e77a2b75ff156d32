"""The work under way in this process, and the deliveries that are to be told what comes of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from botplatform.event import Event
from botplatform.hosts.local.delivery import Delivery, Result
from botplatform.store import Work

if TYPE_CHECKING:
    from botplatform.hosts.local.task import Task


class Underway:
    """Knows every task from when it is started until it is over.

    `on_again(event)` is called for each delivery of an event that was done before.
    """

    def __init__(self, on_again: Callable[[Event], None]) -> None:
        self._on_again = on_again
        self._lock = threading.Lock()
        self._tasks: dict[Work, Task] = {}
        self._put_off = 0  # those of them that are not in memory
        self.ahead = 0  # those of them that were told ahead of their commits

    def __len__(self) -> int:
        return len(self._tasks)

    def in_memory(self) -> int:
        """How many tasks hold their events in memory."""
        return len(self._tasks) - self._put_off

    def begin(self, tasks: Sequence[Task]) -> list[Task]:
        """Take tasks on and return those to be run: deliveries of what is under way share what comes of that."""
        new, known = [], []
        with self._lock:
            for task in tasks:
                running = self._tasks.setdefault(task.work, task)
                if running is task:
                    new.append(task)
                else:
                    running.deliveries = [*running.deliveries, *task.deliveries]
                    known.append(running)
                for delivery in task.deliveries:
                    delivery.tasks.append(running)
        for running in known:
            # It may be put off for long, and is durable: nobody has to wait for it.
            if running.event is None:
                self.tell(running, Result(running.handler, "waiting"))
        return new

    def begin_put_off(self, task: Task) -> bool:
        """Take a task on that is in the inbox; False when the same work is under way."""
        with self._lock:
            new = self._tasks.setdefault(task.work, task) is task
            self._put_off += new
            return new

    def leave_to_inbox(self, task: Task) -> None:
        """Take a task's event, which the inbox has, out of memory."""
        with self._lock:
            if self._tasks.get(task.work) is task:
                self._put_off += task.leave_to_inbox()

    def tell(self, task: Task, result: Result, over: bool = False) -> None:
        """Tell a task's deliveries what came of it, and forget it if it is over."""
        with self._lock:
            if over and self._tasks.get(task.work) is task:
                del self._tasks[task.work]
                if task.event is None:
                    self._put_off -= 1
            settled = _told(task, result)
        self._settle(settled)
        if over and task.ahead:
            with self._lock:
                self.ahead -= 1

    def tell_ahead(self, task: Task, result: Result) -> bool:
        """Tell a task's deliveries what will come of it; False where its reply is already left to its commit."""
        with self._lock:
            if task.ahead is not None:
                return False
            task.ahead = True
            self.ahead += 1
            settled = _told(task, result)
        self._settle(settled)
        return True

    def unanswered(self, deliveries: Iterable[Delivery]) -> list[tuple[Task, Delivery]]:
        """The tasks that some deliveries wait for; their replies are left to their commits from now on."""
        with self._lock:
            found = [
                (task, delivery) for delivery in deliveries for task in delivery.tasks if delivery in task.deliveries
            ]
            for task, _ in found:
                task.ahead = task.ahead or False
            return found

    def leave_to_commit(self, task: Task) -> bool:
        """Leave a task's reply to its commit from now on; False where it was told ahead."""
        with self._lock:
            task.ahead = task.ahead or False
            return not task.ahead

    def late(self, before: float) -> list[Delivery]:
        """The deliveries of what began before a time by `time.monotonic`, where their senders want no reply."""
        with self._lock:
            tasks = [task for task in self._tasks.values() if task.began < before]
            return [delivery for task in tasks for delivery in task.deliveries if delivery.wants_no_reply]

    def _settle(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            if delivery.again:
                self._on_again(delivery.event)
            delivery.settle()


def _told(task: Task, result: Result) -> list[Delivery]:
    """Add a result to what each of a task's deliveries has, and return those that have all."""
    deliveries, task.deliveries = task.deliveries, ()
    for delivery in deliveries:
        delivery.results.append(result)
        delivery.open -= 1
        if result.again:
            delivery.again = True
    return [delivery for delivery in deliveries if not delivery.open]
