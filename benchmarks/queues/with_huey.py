"""The task in huey, on SQLite or Redis; no results are kept."""

from __future__ import annotations

from huey import RedisHuey, SqliteHuey

from benchmarks.queues.counted import broker, count

_url = broker()
queue = RedisHuey(url=_url, results=False) if _url.startswith("redis:") else SqliteHuey(filename=_url, results=False)


@queue.task()
def task(_number: int) -> None:
    """Do nothing."""
    count()


def put(number: int) -> None:
    """Return once the queue has it."""
    task(number)
