"""serverless.yml read back, for tests that look into it, and plugins that need everything there is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from botplatform.deploy.template import render
from botplatform.plugins import Plugins

# One way of each kind to be called, and each effect.
EVERYTHING = {
    "doors": """
        '''Locks doors.'''
        from botplatform import alexa, mqtt, slack

        USES = ["publish"]


        @slack.command("/lock {door}")
        @alexa.intent("LockIntent")
        def lock(ctx): ...


        @mqtt.topic("locks/{door}/state")
        @mqtt.topic("$share/group/alarms/#")
        def report(event, ctx): ...
    """,
    "watch": """
        '''Watches the account.'''
        from botplatform import cloudevents, cloudtrail, schedule

        USES = ["text", "emit"]


        @cloudtrail.event({"eventName": ["ConsoleLogin"], "additionalEventData": {"MFAUsed": [{"prefix": "N"}]}})
        @cloudtrail.event()
        def warn(event, ctx): ...


        @cloudevents.event("com.example.sold", {"data": {"price": [{"numeric": [">", 10.5]}]}})
        def sold(event, ctx): ...


        @schedule.on("cron(0 7 ? * MON-FRI *)", timezone="Europe/Berlin")
        def report(ctx): ...


        @schedule.on("rate(1 hour)")
        def look(ctx): ...
    """,
    "digest": """
        '''Posts a digest.'''
        from botplatform import mqtt

        USES = ["slack"]


        @mqtt.topic("locks/+/state")
        def collect(event, ctx): ...
    """,
    "lamp": """
        '''Keeps nothing.'''
        from botplatform import mqtt

        STATE = False


        @mqtt.topic("lamps/+/state")
        def light(event, ctx): ...
    """,
}


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms as the long ones."""


_Loader.add_constructor("!Ref", lambda loader, node: {"Ref": loader.construct_scalar(node)})
_Loader.add_constructor("!Sub", lambda loader, node: {"Fn::Sub": loader.construct_scalar(node)})
_Loader.add_constructor("!GetAtt", lambda loader, node: {"Fn::GetAtt": loader.construct_scalar(node).split(".", 1)})


def parsed(text: str) -> Any:
    """The value of a YAML text of CloudFormation's."""
    return yaml.load(text, _Loader)


def rendered(plugins: Plugins) -> dict[str, Any]:
    """What is in the serverless.yml of some plugins, none of which may have a mistake."""
    assert not plugins.mistakes
    found: dict[str, Any] = parsed(render(plugins))
    return found


def resources(template: dict[str, Any], kind: str = "") -> dict[str, Any]:
    """The properties of the resources of a kind (`IoT::TopicRule`), by logical id."""
    every: dict[str, Any] = template["resources"]["Resources"]
    return {name: it["Properties"] for name, it in every.items() if it["Type"].endswith(f"::{kind}" if kind else "")}


def walk(value: Any) -> Iterator[Any]:
    """A value and all that is in it."""
    yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from walk(inner)
