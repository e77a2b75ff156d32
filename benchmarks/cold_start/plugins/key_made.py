"""Notices each access key that is made; keeps no state."""

from botplatform import Event, cloudtrail


@cloudtrail.event({"eventName": ["CreateAccessKey"]})
def notice(event: Event) -> None:
    """Look at who did what."""
    assert event.data["eventName"] == "CreateAccessKey"
