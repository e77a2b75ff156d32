"""What AWS carries for the handlers, over the wire to an AWS that is really there."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from botplatform import Event, Rejected, Retry
from botplatform.effect import Publication
from botplatform.hosts.aws import ENTRY_LIMIT, LONGEST_CHAIN, PUBLISH_LIMIT, AwsHost
from botplatform.hosts.aws_lambda.loading import Hooks, load_effects
from tests.hosts.aws_lambda.conftest import Aws

EVENT = Event(type="com.example.made", source="/here", id="1", time=datetime(2026, 1, 5, tzinfo=UTC), data={"n": 1})


@pytest.fixture
def host(aws: Aws) -> AwsHost:
    return AwsHost({**aws.settings, "BOTPLATFORM_BUS": "here"}, lambda: 5.0)


@pytest.fixture
def bus(aws: Aws) -> Iterator[None]:
    events = aws.client("events")
    events.create_event_bus(Name="here")
    yield
    events.delete_event_bus(Name="here")


def test_a_message_is_published(host: AwsHost, aws: Aws) -> None:
    host.publish(Publication("locks/front/set", b"\x00open", 2, True))

    assert aws.published == [("locks/front/set", b"\x00open")]


def test_the_chain_goes_along_as_a_user_property(host: AwsHost, aws: Aws) -> None:
    for chain in ("a.b c.d", "", "a" * (LONGEST_CHAIN + 1)):
        host.publish(Publication("locks/front/set", b"open", chain=chain))

    sent, *without = aws.user_properties
    assert json.loads(b64decode(sent)) == [{"botplatform-chain": "a.b c.d"}]
    assert without == ["", ""]


def test_a_message_over_the_limit_of_iot_core_is_rejected(host: AwsHost, aws: Aws) -> None:
    host.publish(Publication("big", b"x" * PUBLISH_LIMIT))
    with pytest.raises(Rejected, match="131073 bytes for big: AWS IoT Core takes 131072 at most"):
        host.publish(Publication("big", b"x" * (PUBLISH_LIMIT + 1)))

    assert len(aws.published) == 1


@pytest.mark.usefixtures("bus")
def test_an_emitted_event_is_put_on_the_bus_as_the_envelope_it_is(host: AwsHost, aws: Aws) -> None:
    host.accept(EVENT)

    (entry,) = aws.put
    assert (entry["Source"], entry["DetailType"], entry["EventBusName"]) == (EVENT.source, EVENT.type, "here")
    assert Event.from_json(entry["Detail"]) == EVENT
    assert EVENT.time
    assert entry["Time"] == EVENT.time.timestamp()


@pytest.mark.usefixtures("bus")
def test_an_event_over_the_limit_of_eventbridge_is_rejected(host: AwsHost) -> None:
    room = ENTRY_LIMIT - len(EVENT.replace(data="").to_json()) - len("/herecom.example.made") - 14

    host.accept(EVENT.replace(data="x" * room))
    with pytest.raises(Rejected, match="event 1 has 262145 bytes: EventBridge takes 262144 at most"):
        host.accept(EVENT.replace(data="x" * (room + 1)))


def test_without_a_bus_nothing_can_be_emitted(aws: Aws) -> None:
    with pytest.raises(Rejected, match="BOTPLATFORM_BUS is not set"):
        AwsHost(aws.settings).accept(EVENT)


@pytest.mark.usefixtures("bus")
def test_an_entry_that_eventbridge_does_not_take_is_tried_again(host: AwsHost) -> None:
    with pytest.raises(Retry, match=r"^EventBridge: "):
        host.accept(EVENT.replace(source=""))


def test_a_dead_letter_holds_all_that_is_needed_to_try_again(aws: Aws) -> None:
    queue = aws.client("sqs").create_queue(QueueName="letters")["QueueUrl"]
    AwsHost({**aws.settings, "BOTPLATFORM_DEAD_LETTERS": queue}, lambda: 5.0).bury(EVENT, "shop.count", "no cake")

    about = {"handler": "shop.count", "reason": "no cake", "time": 5.0}
    assert aws.letters(queue) == [{"botplatform": 1, "event": json.loads(EVENT.to_json()), **about}]


@pytest.mark.parametrize("service", ["iotdata", "events", "sqs"])
def test_what_is_away_for_now_is_tried_again(service: str, aws: Aws) -> None:
    aws.refuses.add(service)
    host = AwsHost({**aws.settings, "BOTPLATFORM_BUS": "here", "BOTPLATFORM_DEAD_LETTERS": "http://127.0.0.1:1/q"})
    ask = {
        "iotdata": lambda: host.publish(Publication("a", b"", 0)),
        "events": lambda: host.accept(EVENT),
        "sqs": lambda: host.bury(EVENT, "h", "r"),
    }[service]

    with pytest.raises(Retry):
        ask()


def test_what_would_go_to_an_outbox_is_given_up_for_there_is_none(host: AwsHost) -> None:
    effects = load_effects(["slack"], {}, host, Hooks([]))

    with pytest.raises(Rejected, match="is SLACK_BOT_TOKEN set"):
        effects["slack"].perform({"channel": "C0", "text": "hello"}, "k")
