"""What becomes of a device's messages, with a real broker and a whole platform."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from botplatform.effect import Publication
from botplatform.hosts.local.platform import Platform
from botplatform.stores.sqlite.inbox import Waiting
from tests.handlers import happened
from tests.hosts.local.running import log, request, running, state
from tests.hosts.mqtt.clients import MakeBroker, subscribed
from tests.mosquitto import Mosquitto, eventually, issue_certificates, password_file

# `slow/…` waits until the test has written a file.
PLUGIN = '''"""Counts what devices say."""

import time
from pathlib import Path

from botplatform import Context, Event, mqtt


@mqtt.topic("counted/{{name}}")
def count(event: Event, ctx: Context) -> None:
    ctx.state.append(ctx.params["name"], event.data)


@mqtt.topic("slow/{{name}}")
def wait(event: Event, ctx: Context) -> None:
    ctx.log.warning("waiting")
    while not Path({gate!r}).exists():
        time.sleep(0.01)
    ctx.state.add("waited")


@mqtt.topic("numbered/{{name}}", id_field="message")
def by_field(event: Event, ctx: Context) -> None:
    ctx.state.add("by field")


@mqtt.topic("labelled/{{name}}", id_property="message")
def by_property(event: Event, ctx: Context) -> None:
    ctx.state.add("by property")
'''

Start = Callable[[Mosquitto], Platform]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a platform whose broker is this one; `tmp_path / "open"` lets its slow handler go on."""
    with ExitStack() as leaving:

        def start(mosquitto: Mosquitto) -> Platform:
            plugins = {"devices": PLUGIN.format(gate=str(tmp_path / "open"))}
            platform = leaving.enter_context(running(tmp_path, plugins, MQTT_URL=mosquitto.url))
            leaving.callback((tmp_path / "open").touch)
            return platform

        yield start


@pytest.fixture
def platform(start: Start, mosquitto: Mosquitto) -> Platform:
    platform = start(mosquitto)
    listens(platform)
    return platform


def listens(platform: Platform) -> None:
    """Wait until the broker has read all that the platform sent it: subscriptions and acknowledgements."""
    assert platform.devices is not None
    subscribed(platform.devices.client)


def seen(platform: Platform) -> dict[str, object]:
    """What the handlers have stored, once nothing is under way."""
    eventually(lambda: not platform.busy())
    return state(platform, "devices")


def deliveries(platform: Platform) -> list[int]:
    """How often each event in the log was delivered."""
    return [entry["deliveries"] for entry in log(platform)]


def restart(mosquitto: Mosquitto, platform: Platform) -> None:
    """Stop the broker and start it again; returns when the platform listens."""
    assert platform.devices is not None
    client = platform.devices.client
    mosquitto.stop()
    eventually(lambda: not client.connected)
    mosquitto.start()
    listens(platform)


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_messages_of_a_device_reach_a_handler_in_order(platform: Platform, mosquitto: Mosquitto, qos: int) -> None:
    mosquitto.publish("counted/one", "1", "2", "3", qos=qos)
    eventually(lambda: state(platform, "devices") == {"one": [1, 2, 3]})
    events = [(entry["source"], entry["subject"], entry["type"]) for entry in log(platform)]
    assert events == 3 * [(mosquitto.url, "counted/one", "org.mqtt.message")]


def test_a_message_is_not_acknowledged_before_it_is_handled(
    tmp_path: Path, platform: Platform, mosquitto: Mosquitto, caplog: pytest.LogCaptureFixture
) -> None:
    platform.dispatcher.patience = 3600
    mosquitto.publish("slow/one", "1")
    eventually(lambda: "waiting" in caplog.messages)
    restart(mosquitto, platform)
    eventually(lambda: platform.dispatcher.counts["events"] == 2)
    (tmp_path / "open").touch()
    assert seen(platform) == {"waited": 1}


def test_a_message_whose_handler_is_slow_is_acknowledged_once_it_is_in_the_inbox(
    tmp_path: Path, platform: Platform, mosquitto: Mosquitto
) -> None:
    platform.dispatcher.patience = 0.05
    mosquitto.publish("slow/one", "1")
    eventually(lambda: platform.store.inbox.waiting())
    listens(platform)
    restart(mosquitto, platform)
    (tmp_path / "open").touch()
    assert (seen(platform), deliveries(platform)) == ({"waited": 1}, [1])


def test_a_handler_that_is_quick_as_a_rule_and_takes_long_once_holds_no_other_topic_up(
    tmp_path: Path, platform: Platform, mosquitto: Mosquitto
) -> None:
    (tmp_path / "open").touch()
    mosquitto.publish("slow/one", *map(str, range(20)))
    eventually(lambda: seen(platform) == {"waited": 20})
    (tmp_path / "open").unlink()
    mosquitto.publish("slow/one", "20")
    mosquitto.publish("counted/one", "1", "2", "3")
    eventually(lambda: state(platform, "devices") == {"waited": 20, "one": [1, 2, 3]})
    listens(platform)

    (tmp_path / "open").touch()
    eventually(lambda: seen(platform) == {"waited": 21, "one": [1, 2, 3]})


def test_messages_there_is_no_room_for_wait_and_arrive_once_and_in_order(tmp_path: Path, mosquitto: Mosquitto) -> None:
    plugins = {"devices": PLUGIN.format(gate="")}
    with running(tmp_path, plugins, MQTT_URL=mosquitto.url, BOTPLATFORM_INBOX_LIMIT="1") as platform:
        listens(platform)
        platform.dispatcher.give_up(Waiting(happened("dead"), "gone.handler", 5, 0.0))
        mosquitto.publish("counted/one", *map(str, range(30)))
        mosquitto.publish("counted/two", *map(str, range(30)))
        eventually(lambda: platform.dispatcher.counts["refused: the limit of inbox is reached"] > 2)
        assert state(platform, "devices") == {}

        platform.store.inbox.drop([letter.number for letter in platform.store.inbox.dead_letters()])
        everything = {"one": [*range(30)], "two": [*range(30)]}
        eventually(lambda: state(platform, "devices") == everything)
        assert deliveries(platform) == [1] * 61


def test_a_message_is_acknowledged_once_it_is_handled(platform: Platform, mosquitto: Mosquitto) -> None:
    mosquitto.publish("counted/one", "1")
    eventually(lambda: seen(platform) == {"one": [1]})
    listens(platform)
    restart(mosquitto, platform)
    mosquitto.publish("counted/one", "2")
    eventually(lambda: seen(platform) == {"one": [1, 2]})
    assert deliveries(platform) == [1, 1]


def test_while_there_is_no_room_for_messages_of_the_embedded_broker_it_still_takes_ours(tmp_path: Path) -> None:
    with running(tmp_path, {"devices": PLUGIN.format(gate="")}, BOTPLATFORM_INBOX_LIMIT="1") as platform:
        listens(platform)
        platform.dispatcher.give_up(Waiting(happened("dead"), "gone.handler", 5, 0.0))
        for number in range(200):  # a hundred are all the broker sends without an acknowledgement
            platform.publish(Publication("counted/one", b"%d" % number))
        assert state(platform, "devices") == {}

        platform.store.inbox.drop([letter.number for letter in platform.store.inbox.dead_letters()])
        eventually(lambda: state(platform, "devices") == {"one": [*range(200)]})


def test_what_came_while_the_platform_was_away_is_handled_when_it_is_back(
    tmp_path: Path, mosquitto: Mosquitto, start: Start
) -> None:
    with running(tmp_path, {"devices": PLUGIN.format(gate="")}, MQTT_URL=mosquitto.url) as platform:
        listens(platform)
    mosquitto.publish("counted/one", "1", "2")
    platform = start(mosquitto)
    eventually(lambda: state(platform, "devices") == {"one": [1, 2]})


def test_a_broker_that_is_down_at_the_start_is_waited_for(tmp_path: Path, start: Start) -> None:
    mosquitto = Mosquitto(tmp_path)
    platform = start(mosquitto)
    assert request(f"{platform.url}/health", method="GET").json == {"status": "ok"}
    mosquitto.start()
    try:
        listens(platform)
        mosquitto.publish("counted/one", "1")
        eventually(lambda: seen(platform) == {"one": [1]})
    finally:
        mosquitto.stop()


def test_a_payload_that_is_no_json_is_a_dead_letter_with_the_reason(platform: Platform, mosquitto: Mosquitto) -> None:
    mosquitto.publish("counted/one", "ERR 7", "8")
    eventually(lambda: seen(platform) == {"one": [8]})
    [dead] = platform.store.inbox.dead_letters()
    reason = "the payload on counted/one is not JSON: JSON is malformed: invalid character (byte 0)"
    assert (dead.handler, dead.reason, dead.event.data) == ("devices.count", reason, b"ERR 7")
    restart(mosquitto, platform)
    assert deliveries(platform) == [1, 1]


def test_a_message_that_its_device_repeats_counts_once_by_its_id_field(
    platform: Platform, mosquitto: Mosquitto
) -> None:
    one, two = '{"message": 1}', '{"message": 2}'
    mosquitto.publish("numbered/a", one, one, two)
    mosquitto.publish("numbered/b", one)
    eventually(lambda: platform.dispatcher.counts["events"] == 4)
    assert seen(platform) == {"by field": 3}


def test_a_message_that_its_device_repeats_counts_once_by_its_user_property(
    platform: Platform, mosquitto: Mosquitto
) -> None:
    for label in ("first", "first", "second"):
        labelled = ["-V", "mqttv5", "-D", "publish", "user-property", "message", label]
        mosquitto.publish("labelled/a", "1", more=labelled)
    eventually(lambda: platform.dispatcher.counts["events"] == 3)
    assert seen(platform) == {"by property": 2}


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_settings_alone_connect_a_broker_with_users_its_own_authority_and_client_certificates(
    tmp_path: Path, broker: MakeBroker, version: str
) -> None:
    certificates = issue_certificates(tmp_path)
    mosquitto = broker(
        f"cafile {certificates.ca}",
        f"certfile {certificates.server}",
        f"keyfile {certificates.server}",
        "require_certificate true",
        f"password_file {password_file(tmp_path, 'bot', 'p@ss/word')}",
        scheme="mqtts",
    )
    settings = {
        "MQTT_URL": mosquitto.url.replace("//", "//bot:p%40ss%2Fword@"),
        "MQTT_CA_FILE": str(certificates.ca),
        "MQTT_CERT_FILE": str(certificates.client),
        "MQTT_KEY_FILE": str(certificates.client),
        "MQTT_VERSION": version,
    }
    with running(tmp_path, {"devices": PLUGIN.format(gate="")}, **settings) as platform:
        eventually(lambda: platform.devices and platform.devices.client.connected)
        listens(platform)
        platform.publish(Publication("counted/lamp", b"1"))
        eventually(lambda: state(platform, "devices") == {"lamp": [1]})
        assert "p@ss" not in repr(platform.settings) + repr(platform.devices)
