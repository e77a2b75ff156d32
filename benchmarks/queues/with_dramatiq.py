"""The task in Dramatiq, on Redis; it keeps no results unless asked, and acknowledges a message after its task."""

from __future__ import annotations

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from benchmarks.queues.counted import broker, count

dramatiq.set_broker(RedisBroker(url=broker()))


@dramatiq.actor(actor_name="task")
def task(_number: int) -> None:
    """Do nothing."""
    count()


def put(number: int) -> None:
    """Return once the broker has it."""
    task.send(number)
