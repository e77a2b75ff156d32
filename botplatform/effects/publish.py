"""Publishing to MQTT, through the connection the host holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botplatform.effect import Effect, Host
from botplatform.errors import Retry


def effect(host: Host | None) -> Effect:
    """The effect `publish`: arguments `topic`, `payload` (text), `qos`, `retain`."""

    def perform(arguments: Mapping[str, Any], key: str) -> Mapping[str, Any]:
        del key  # MQTT has no place for it: a broker that got the same message twice cannot tell
        if host is None:
            raise Retry("no host to publish through")
        payload = arguments["payload"].encode()
        host.publish(arguments["topic"], payload, arguments["qos"], arguments["retain"])
        return {"bytes": len(payload)}

    return Effect("publish", perform, "MQTT")
