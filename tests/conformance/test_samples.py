"""Every sample in `events/`, in the order that tells a story, does on every stage what `fixtures/samples.json` says."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from botplatform import codec
from botplatform.demo import outcome, samples
from botplatform.event import Event
from botplatform.source import Raw
from botplatform.sources import cloudevents, cloudtrail
from tests.conformance.stage import Stage

ROOT = Path(__file__).parents[2]


def test_every_sample_does_the_same_on_every_stage(stage: Stage) -> None:
    differences = {}
    for sample in samples(ROOT / "fixtures"):
        before = len(seen(stage))
        send(stage, sample["file"])
        stage.settle()
        found = [without_help(outcome(entry)) for entry in seen(stage)[before:]]
        wanted = [without_help(event) for event in expected(stage, sample)]
        if found != wanted:
            differences[sample["file"]] = {"found": found, "wanted": wanted}
    assert not differences, codec.encode(differences).decode()


def seen(stage: Stage) -> list[dict[str, Any]]:
    """The log without what plugins told devices, which comes back where the platform listens to everything."""
    return [entry for entry in stage.log() if not (entry.get("subject") or "").endswith("/set")]


def send(stage: Stage, file: str) -> None:
    """Send a sample by the way its source comes to us."""
    source, body = file.partition("/")[0], (ROOT / "events" / file).read_bytes()
    match source:
        case "slack":
            stage.slack(body)
        case "alexa":
            stage.alexa(said_now(body))
        case "mqtt":
            message = codec.decode(body)
            stage.mqtt(message["topic"], message["payload"])
        case "schedule":
            stage.tick(**codec.decode(body))
        case "cloudtrail":
            for event in cloudtrail.normalize(Raw(body)):
                if isinstance(event, Event):
                    stage.cloudtrail(event.data)
        case "cloudevents":
            media_type = cloudevents.BATCH if body.startswith(b"[") else cloudevents.STRUCTURED
            for event in cloudevents.normalize(Raw(body, {"content-type": media_type})):
                assert isinstance(event, Event)
                stage.cloudevent(codec.decode(event.to_json()))


def said_now(body: bytes) -> bytes:
    """A request to Alexa with the time it has to have to be believed."""
    request = codec.decode(body)
    request["request"]["timestamp"] = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return codec.encode(request)


def expected(stage: Stage, sample: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What should come of a sample, without what came back and what AWS keeps from us because no rule asks for it."""
    source = sample["file"].partition("/")[0]
    for number, event in enumerate(sample["events"]):
        came_back = number > 0 and source in ("slack", "alexa")
        if event["verdict"] != "unmatched" or (stage.hears(source) and not came_back):
            yield event


def without_help(told: dict[str, Any]) -> dict[str, Any]:
    """What came of an event, but not what the help lists: here there are further plugins."""
    handlers = {
        name: {"status": done["status"]} if name == "help.answer" else done for name, done in told["handlers"].items()
    }
    return {**told, "handlers": handlers}
