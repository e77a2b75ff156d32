"""Adds up what meters report, by the id that each report has."""

from botplatform import Context, Event, mqtt


@mqtt.topic("meters/{meter}/report", id_field="report")
def add(event: Event, ctx: Context) -> None:
    ctx.state.add(ctx.params["meter"], event.data["kwh"])
