"""Counts events, all of them and those of each sender."""

from botplatform import Context, Event, cloudevents


@cloudevents.event("com.example.counted")
def count(event: Event, ctx: Context) -> None:
    ctx.state.add("events")
    ctx.state.add(f"of {event.data['sender']}")
