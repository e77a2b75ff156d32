"""`botplatform worker`: starts a worker, says what it does, and lets it finish what runs on Ctrl-C."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

from botplatform.hosts.allocation import collect_seldom, share_freed_memory
from botplatform.hosts.worker.queue import Queue
from botplatform.hosts.worker.worker import Worker


def serve(worker: Worker, say: Callable[[str], object]) -> None:
    """Run a worker until SIGINT or SIGTERM; a second one ends the process at once. Raises BotplatformError.

    `say` shows people a line or more.
    """
    share_freed_memory()
    stopping = threading.Event()

    def stop(number: int, _: FrameType | None) -> None:
        if stopping.is_set():
            os._exit(128 + number)
        stopping.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    worker.start()
    collect_seldom()
    say("\n".join(banner(worker)))
    while not stopping.wait(3600):
        pass
    say("finishing what runs …")
    worker.stop()


def banner(worker: Worker) -> Iterator[str]:
    """What somebody wants to know when a worker is up."""
    settings, plugins = worker.settings, worker.plugins
    schedules = [s for handler in plugins.handlers for s in handler.subscriptions if s.source == "schedule"]
    bus = settings.raw.get("BOTPLATFORM_BUS")
    yield "botplatform worker is up"
    yield from (f"  queue    {_described(queue)}" for queue in worker.queues)
    yield f"  table    {settings.raw['BOTPLATFORM_TABLE']}"
    yield f"  events   that plugins emit go to the {f'bus {bus}' if bus else f'queue {worker.queues[0].name}'}"
    if worker.devices:
        yield f"  mqtt     {worker.devices.broker} as {worker.devices.client_id}, in the group {settings.mqtt_group}"
    yield from (f"  clock    {s.options['name']} {s.summary}" for s in schedules)
    yield f"  plugins  {', '.join(plugins.loaded) or 'none'}"
    yield from (f"  mistake  {mistake}" for mistake in plugins.mistakes)
    yield "Ctrl-C lets it finish what runs, and again ends it at once."


def _described(queue: Queue) -> str:
    if not queue.dead_letters:
        return f"{queue.name} (no dead-letter queue: what cannot be handled stays in it)"
    return f"{queue.name} (what fails {queue.attempts} times goes to {queue.dead_letters.rpartition('/')[2]})"
