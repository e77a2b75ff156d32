"""Keeps the stock of articles; an order that says so takes its time, as one that asks another system would."""

import time

from botplatform import Context, Event, cloudevents


@cloudevents.event("com.example.ordered")
def book(event: Event, ctx: Context) -> None:
    time.sleep(event.data["seconds"])
    ctx.state.add(event.data["article"])
