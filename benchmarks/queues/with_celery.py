"""The task in Celery, on Redis; no results are kept, and a message is acknowledged after its task."""

from __future__ import annotations

from celery import Celery

from benchmarks.queues.counted import broker, count

app = Celery("benchmark", broker=broker())
# Celery's guide, "Optimizing": a worker with short tasks fetches many at once.
app.conf.update(
    task_ignore_result=True,
    task_acks_late=True,
    worker_prefetch_multiplier=128,
    worker_send_task_events=False,
    broker_connection_retry_on_startup=True,
)


@app.task(name="task")
def task(_number: int) -> None:
    """Do nothing."""
    count()


def put(number: int) -> None:
    """Return once the broker has it."""
    task.delay(number)
