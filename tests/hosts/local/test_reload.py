"""What a running platform does when somebody edits its plugins."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from botplatform.hosts.local import simulate
from botplatform.hosts.local.platform import Platform
from botplatform.hosts.mqtt.connection import Connection
from tests.hosts.local.running import from_slack, running, state, written
from tests.hosts.mqtt.clients import subscribed
from tests.mosquitto import eventually, publish

SAYS = '''"""Says something."""

from botplatform import Context, slack


@slack.command("/say")
def say(ctx: Context) -> str:
    ctx.state.add("said")
    return {words!r}
'''
HEARS = '''"""Remembers the last message."""

from botplatform import Context, Event, mqtt


@mqtt.topic({topic!r})
def hear(event: Event, ctx: Context) -> None:
    ctx.state[event.subject] = event.data
'''


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    with running(tmp_path, {"speaker": SAYS.format(words="one")}) as platform:
        yield platform


def said(platform: Platform) -> str:
    return str(from_slack(platform, simulate.slack_command("/say")).json["text"])


def edit(tmp_path: Path, source: str, name: str = "speaker") -> None:
    written(tmp_path, {name: source})


def test_a_changed_plugin_serves_and_keeps_its_state(tmp_path: Path, platform: Platform) -> None:
    assert said(platform) == "one"
    edit(tmp_path, SAYS.format(words="two"))
    eventually(lambda: said(platform) == "two")
    assert state(platform, "speaker")["said"] >= 2


def test_a_broken_change_leaves_the_old_version_serving_and_says_why(
    tmp_path: Path, platform: Platform, caplog: pytest.LogCaptureFixture
) -> None:
    edit(tmp_path, SAYS.format(words="two").replace("slack.command", "slack.comand"))
    eventually(lambda: platform.plugins.mistakes)
    assert said(platform) == "one"
    wrong = "speaker.py:6: slack has no 'comand'; did you mean 'command'?"
    eventually(lambda: any(record.getMessage().endswith(wrong) for record in caplog.records))


def test_a_broken_change_that_is_mended_serves(tmp_path: Path, platform: Platform) -> None:
    edit(tmp_path, "def")
    eventually(lambda: platform.plugins.mistakes)
    edit(tmp_path, SAYS.format(words="three"))
    eventually(lambda: said(platform) == "three")
    assert platform.plugins.mistakes == []


def test_a_broken_plugin_that_is_still_broken_after_another_edit_goes_on_serving(
    tmp_path: Path, platform: Platform
) -> None:
    for source in ("def", "class"):
        edit(tmp_path, source)
        platform.reload()
        assert said(platform) == "one"


def test_a_new_plugin_serves_and_a_deleted_one_does_no_more(tmp_path: Path, platform: Platform) -> None:
    edit(tmp_path, SAYS.format(words="shouted").replace("/say", "/shout"), "shouter")
    (tmp_path / "plugins" / "speaker.py").unlink()
    eventually(lambda: [*platform.plugins.loaded] == ["shouter"])
    eventually(lambda: said(platform) == "I do not know `/say`. I know `/shout`.")


def test_the_plugin_folder_may_go_away_and_come_back(
    tmp_path: Path, platform: Platform, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.rmtree(tmp_path / "plugins")
    eventually(lambda: any("does not exist" in record.getMessage() for record in caplog.records))
    assert said(platform) == "one"
    edit(tmp_path, SAYS.format(words="two"))
    eventually(lambda: said(platform) == "two")


def test_subscriptions_to_topics_follow(tmp_path: Path) -> None:
    with running(tmp_path, {"ear": HEARS.format(topic="old/{name}")}) as platform:
        assert platform.devices is not None
        edit(tmp_path, HEARS.format(topic="new/{name}"), "ear")
        platform.reload()
        subscribed(platform.devices.client)
        port = Connection(platform.mqtt_url, "tests").port
        publish(port, "old/one", "1")
        publish(port, "new/one", "2")
        eventually(lambda: state(platform, "ear"))
        assert state(platform, "ear") == {"new/one": 2}
