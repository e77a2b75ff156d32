"""Counts what arrives from each source, and asks for every kind of effect now and then."""

from botplatform import Context, Event, alexa, cloudevents, cloudtrail, mqtt, schedule, slack

USES = ["emit", "publish", "text"]


@mqtt.topic("sensors/{sensor}/temperature")
def hear(event: Event, ctx: Context) -> None:
    ctx.state[f"latest {ctx.params['sensor']}"] = event.data["celsius"]
    ctx.state.add("mqtt")


@slack.command("/temp {sensor}")
def answer(ctx: Context) -> str:
    ctx.state.add("slack")
    return f"It is {ctx.state.get('latest ' + ctx.params['sensor'])} °C."


@alexa.intent("TemperatureIntent", samples=["how warm is it in the {room}"], slots={"room": "AMAZON.Room"})
def say(ctx: Context) -> str:
    ctx.state.add("alexa")
    return f"It is warm in the {ctx.params['room']}."


@cloudtrail.event({"eventName": ["ConsoleLogin"]})
def watch(ctx: Context) -> None:
    ctx.state.add("cloudtrail")
    ctx.text("owner", "Somebody signed in.", once_per="1h")


@cloudevents.event("com.example.ordered")
def take(ctx: Context) -> None:
    ctx.state.add("cloudevents")
    ctx.publish("orders/latest", "taken")
    ctx.emit(Event(type="com.example.paid"))


@cloudevents.event("com.example.paid")
def paid(ctx: Context) -> None:
    ctx.state.add("emitted")


@schedule.on("rate(1 minute)")
def tick(ctx: Context) -> None:
    ctx.state.add("ticks")
