"""Runs by the clock and keeps no state."""

from botplatform import schedule


@schedule.on("cron(0 3 * * ? *)", timezone="Europe/Berlin")
def run() -> None:
    """Nothing is to be done."""
