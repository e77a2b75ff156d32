"""Needs something that is never there."""

from botplatform import Context, Retry, mqtt


@mqtt.topic("unlucky/{number}")
def fail(ctx: Context) -> None:
    raise Retry(f"the other side of {ctx.params['number']} is away")
