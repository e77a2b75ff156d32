"""A message as it came over MQTT."""

from __future__ import annotations

from botplatform.values import NamedTuple


class Message(NamedTuple):
    """One PUBLISH packet as received: MQTT 5.0, 3.3.

    `packet_id` is 1 to 65,535, or 0 with QoS 0, which has none. `duplicate` is the DUP flag: the broker may have sent
    it before. `properties` are the MQTT 5 user properties in the order they were sent; a name may be there twice.
    """

    topic: str
    payload: bytes
    qos: int
    retain: bool
    duplicate: bool
    packet_id: int
    properties: tuple[tuple[str, str], ...] = ()
