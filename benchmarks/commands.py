"""Slash commands as Slack sends them, to the platform and to whatever is measured beside it."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from botplatform.hosts.local import simulate
from botplatform.sources.slack import signature

SECRET = "made for benchmarks"
# Commands of one user are handled in their order, so these are the people who type at the same time.
USERS = 64
ANSWER = {"response_type": "ephemeral", "text": "It is 21 °C in the kitchen."}


def named(number: int) -> str:
    """The name of one of many commands: /temp, /temp1, …"""
    return f"/temp{number or ''}"


def commands(count: int, typed: str = "/temp kitchen") -> list[bytes]:
    """So many different forms, of many users in turn."""
    return [simulate.slack_command(typed, f"U{number % USERS}") for number in range(count)]


def of_many(count: int, names: int) -> list[bytes]:
    """So many different forms, of as many different commands in turn."""
    return [simulate.slack_command(f"{named(number % names)} kitchen", f"U{number % USERS}") for number in range(count)]


def signed(body: bytes) -> dict[str, str]:
    """The headers with which Slack would send a form now."""
    headers = {"content-type": "application/x-www-form-urlencoded"}
    return {**headers, **signature.sign(SECRET, body, datetime.now(UTC))}


def echo(body: bytes) -> bytes:
    """What the echo app answers: the body as text in a JSON object."""
    return json.dumps({"response_type": "ephemeral", "text": body.decode()}).encode()
