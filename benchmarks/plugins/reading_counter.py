"""Counts the readings that arrived from thermometers."""

from botplatform import Context, mqtt


@mqtt.topic("sensors/{sensor}/temperature")
def count(ctx: Context) -> None:
    ctx.state.add("readings")
