"""A Chalice application with one handler of an EventBridge rule."""

from __future__ import annotations

from chalice import Chalice
from chalice.app import CloudWatchEvent

app = Chalice(app_name="cold_start")


@app.on_cw_event({"detail": {"eventName": ["CreateAccessKey"]}})
def handle(event: CloudWatchEvent) -> str:
    """Answer with who did what."""
    return str(event.detail["eventName"])
