"""Plugins that several tests run."""

from __future__ import annotations

COUNTER = '''
    """Counts what happened."""

    from botplatform import Context, Event, cloudevents


    @cloudevents.event("com.example.happened")
    def count(event: Event, ctx: Context) -> None:
        ctx.state.add("count")
        ctx.state.append("ids", event.id)
'''

# What it is told is in the event's data.
OBEDIENT = '''
    """Does what an event says."""

    import os
    import time
    from pathlib import Path

    from botplatform import Context, Event, Rejected, Retry, cloudevents

    USES = ["text", "emit"]


    @cloudevents.event("com.example.happened")
    def obey(event: Event, ctx: Context) -> None:
        told = event.data
        Path(f"began {event.id} {time.monotonic_ns()}").touch()
        if told.get("reject"):
            raise Rejected(told["reject"])
        if told.get("fail") and ctx.state.get("failed", 0) < told["fail"]:
            Path(f"failed {event.id} {time.monotonic_ns()}").touch()
            raise Retry("not yet", after=told.get("after"))
        while told.get("until") and not Path(told["until"]).exists():
            time.sleep(0.02)
        if told.get("text"):
            ctx.text("+15550100", told["text"])
        if told.get("emit"):
            ctx.emit(Event(type="com.example.followed", data=told["emit"]))
        ctx.state.append("done", event.id)


    @cloudevents.event("com.example.followed")
    def follow(event: Event, ctx: Context) -> None:
        ctx.state.append("followed", event.data)
'''

TICKER = '''
    """Counts hours."""

    from botplatform import Context, Event, schedule


    @schedule.on("rate(1 hour)", missed="all")
    def hour(event: Event, ctx: Context) -> None:
        ctx.state.append("hours", event.data["time"])
'''
