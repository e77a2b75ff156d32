"""Tells of each large order by an event of its own, and texts the owner about that."""

from botplatform import Context, Event, cloudevents

USES = ["emit", "text"]


@cloudevents.event("example.order.placed", matching={"data": {"total": [{"numeric": [">=", 1000]}]}})
def tell(event: Event, ctx: Context) -> None:
    ctx.state.add("orders", 1)
    ctx.emit(Event(type="example.order.large", data={"order": event.data["order"]}))


@cloudevents.event("example.order.large")
def warn(event: Event, ctx: Context) -> None:
    ctx.text("owner", f"Order {event.data['order']} is a large one.")
