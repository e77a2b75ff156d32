"""Looks at each temperature and keeps no state."""

from botplatform import Context, Event, mqtt

STATE = False


@mqtt.topic("sensors/{room}/temperature")
def look(event: Event, ctx: Context) -> None:
    """Look at the reading."""
    assert (ctx.params["room"], event.data["celsius"]) == ("kitchen", 21)
