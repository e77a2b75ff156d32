"""A function loads the plugins it is told by name, and of them only what it listens to."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from botplatform.errors import PluginMistake
from botplatform.hosts.aws_lambda.entry import handle
from botplatform.hosts.aws_lambda.loading import PACKAGE, Hooks, infos, load_handlers, load_sources
from tests.hosts.aws_lambda.conftest import ROOT, MakeFunction

LAMP = '''
"""Switches a lamp. And more."""

from botplatform import Context, Event, mqtt, schedule, slack


@slack.command("/lamp {state}")
@mqtt.topic("lamp/{name}")
def switched(event: Event) -> str:
    return "switched"


@schedule.on("rate(1 day)")
def tick(event: Event, ctx: Context) -> None:
    print([plugin.summary for plugin in ctx.plugins])
'''
WEATHER = '''
"""Brings a source and an effect of its own."""

from botplatform import hookimpl
from botplatform.effect import Effect
from botplatform.source import Source

SOURCE = Source(
    name="weather",
    recognizes=lambda value: "weather" in value,
    normalize=lambda raw: iter(()),
    suggest=lambda event: "",
    owns=lambda event: False,
)


@hookimpl
def sources():
    return [SOURCE]


@hookimpl
def effects(settings, host):
    return [Effect("forecast", lambda arguments, key: {}, settings["WHERE"])]
'''


def test_only_the_subscriptions_to_its_sources_are_kept(function: MakeFunction) -> None:
    function({}, "mqtt", lamp=LAMP)

    (handler,) = load_handlers(["lamp"], ["mqtt"])
    assert [subscription.summary for subscription in handler.subscriptions] == ["lamp/{name}"]


def test_cloudevents_come_last_and_each_source_once() -> None:
    assert list(load_sources(["cloudevents", "mqtt", "mqtt"], Hooks([]))) == ["mqtt", "cloudevents"]


def test_a_plugin_that_is_not_in_the_bundle_is_named(function: MakeFunction) -> None:
    function({}, "mqtt", lamp=LAMP)

    with pytest.raises(ModuleNotFoundError, match=r"botplatform_plugins\.missing"):
        list(load_handlers(["missing"], ["mqtt"]))


def test_a_mistake_in_a_plugin_is_said_with_its_place(function: MakeFunction) -> None:
    bad = LAMP.replace("(event: Event)", "(event: Event, room: str)")

    with pytest.raises(PluginMistake, match=r"^botplatform_plugins/bad.py:\d+: switched\(\) takes an argument 'room'"):
        function({}, "mqtt", bad=bad)


def test_plugins_say_of_themselves_what_the_bundle_has_of_all(function: MakeFunction, tmp_path: Path) -> None:
    function({}, "mqtt", lamp=LAMP)
    assert [(info.name, len(info.subscriptions)) for info in infos(load_handlers(["lamp"], ["mqtt"]))] == [("lamp", 1)]

    subscription = {"source": "alexa", "summary": "LampIntent", "options": {"samples": ["light"]}}
    about = [{"name": "other", "summary": "In another function.", "subscriptions": [subscription]}]
    (tmp_path / PACKAGE / "plugins.json").write_text(json.dumps(about))

    (other,) = infos(())
    assert (other.name, other.summary) == ("other", "In another function.")
    assert other.subscriptions[0].options["samples"] == ["light"]


def test_sources_and_effects_of_plugins_are_loaded_where_they_are_named(function: MakeFunction) -> None:
    function({}, "", weather=WEATHER)
    hooks = Hooks([f"{PACKAGE}.weather"])

    assert list(load_sources(["weather"], hooks)) == ["weather", "cloudevents"]
    assert hooks.effects({"WHERE": "Berlin"}, None)["forecast"].destination == "Berlin"  # type: ignore[arg-type]


def test_the_entry_can_be_imported_anywhere_and_then_takes_nothing() -> None:
    with pytest.raises(Exception, match="no source recognizes this"):
        handle({"topic": "a", "payload": 1}, None)


def test_a_function_imports_only_what_its_handlers_need(tmp_path: Path) -> None:
    """No Slack, no AWS, no search for plugins: what is not imported costs nothing."""
    (tmp_path / PACKAGE).mkdir()
    (tmp_path / PACKAGE / "lamp.py").write_text(LAMP)
    script = (
        "import sys\n"
        "from botplatform.hosts.aws_lambda.entry import handle\n"
        "handle({'topic': 'lamp/desk', 'payload_base64': 'e30=', 'id': '1', 'timestamp': 1}, None)\n"
        "unwanted = 'pluggy botocore boto3 slack_sdk msgspec dataclasses inspect http.client'.split()\n"
        "unwanted += ['botplatform.effects.slack', 'botplatform.sources.cloudtrail', 'botplatform.plugins']\n"
        "print([name for name in unwanted if name in sys.modules], file=sys.stderr)\n"
    )
    environment = {"BOTPLATFORM_LOAD": "lamp", "BOTPLATFORM_SOURCES": "mqtt", "PYTHONPATH": f"{tmp_path}:{ROOT}"}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)

    assert done.stderr == "[]\n"
    assert json.loads(done.stdout)["handlers"][0]["status"] == "done"
