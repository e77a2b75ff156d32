"""Adds up what meters report, by the id that each report has, and texts the owner each time one reports a lot."""

from botplatform import Context, Event, mqtt

USES = ["text"]


@mqtt.topic("meters/{meter}/report", id_field="report")
def add(event: Event, ctx: Context) -> None:
    ctx.state.add(ctx.params["meter"], event.data["kwh"])
    if event.data["kwh"] >= 1000:
        ctx.text("owner", f"{event.data['kwh']} kWh in the {ctx.params['meter']}!")
