"""Publishing to MQTT, through the connection the host holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botplatform import codec
from botplatform.effect import Effect, Host, Publication
from botplatform.errors import Retry


def effect(host: Host | None) -> Effect:
    """The effect `publish`: arguments `topic`, `payload` or, of bytes, `payload_base64`, `qos`, `retain`, `chain`."""

    def perform(arguments: Mapping[str, Any], key: str) -> Mapping[str, Any]:
        if host is None:
            raise Retry("no host to publish through")
        payload = payload_of(arguments)
        how = (arguments["qos"], arguments["retain"], key, arguments.get("chain", ""))
        host.publish(Publication(arguments["topic"], payload, *how))
        return {"bytes": len(payload)}

    return Effect("publish", perform, "MQTT")


def payload_of(arguments: Mapping[str, Any]) -> bytes:
    """The bytes that the arguments of a publish ask for."""
    if "payload_base64" in arguments:
        return codec.from_base64(arguments["payload_base64"], "payload_base64")
    return str(arguments["payload"]).encode()
