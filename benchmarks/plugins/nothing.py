"""Hears of tasks, and does nothing."""

from botplatform import cloudevents


@cloudevents.event("com.example.task")
def handle() -> None:
    """What remains is the platform's own work: that it was done, once."""
