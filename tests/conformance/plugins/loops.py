"""Emits events that come back to it, at once or by way of another handler, and passes one on through ten handlers."""

from botplatform import Context, Event, cloudevents

USES = ["emit"]
LEGS = 10


@cloudevents.event("example.echo")
def echo(ctx: Context) -> None:
    ctx.state.add("echoes")
    ctx.emit(Event(type="example.echo"))


@cloudevents.event("example.ping")
def ping(ctx: Context) -> None:
    ctx.state.add("pings")
    ctx.emit(Event(type="example.pong"))


@cloudevents.event("example.pong")
def pong(ctx: Context) -> None:
    ctx.emit(Event(type="example.ping"))


def leg(number: int):
    @cloudevents.event(f"example.leg.{number}")
    def run(event: Event, ctx: Context) -> None:
        ctx.state[f"leg {number}"] = event.extensions.get("handlerchain", "")
        if number < LEGS:
            ctx.emit(Event(type=f"example.leg.{number + 1}"))

    return run


leg_1, leg_2, leg_3, leg_4, leg_5, leg_6, leg_7, leg_8, leg_9, leg_10 = map(leg, range(1, LEGS + 1))
