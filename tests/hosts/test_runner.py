"""An event handled on the spot costs what is asked of it, and no more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botplatform import Event, Reply, codec
from botplatform.engine import Engine
from botplatform.hosts.runner import Entry, Handled, Runner
from botplatform.router import Router
from botplatform.source import MASK
from botplatform.sources.alexa import SOURCE as ALEXA
from botplatform.sources.cloudevents import SOURCE as CLOUDEVENTS
from botplatform.store import Run
from botplatform.stores.forgetful import Forgetful
from tests.handlers import happened, match_of

NOW = 1_800_000_000.0
SECRET = {"context": {"System": {"apiAccessToken": "hunter2", "user": [{"accessToken": "hunter3"}]}}}


def greet(event: Event) -> str:
    event.data["changed"] = True
    return "Hello."


def handled(function: Callable[..., Any], event: Event, log: Callable[[Callable[[], Entry]], None]) -> Handled:
    engine = Engine(Forgetful(), {"alexa": ALEXA, "cloudevents": CLOUDEVENTS}, lambda: NOW)
    runner = Runner(engine, Router(), {}, lambda *_: None, log)
    return runner.finish(event, [runner.run(event, match_of(function), Run())])


def test_the_entry_of_the_log_is_made_by_whoever_writes_it_down() -> None:
    made: list[Callable[[], Entry]] = []
    event = happened(type="com.amazon.alexa.LaunchRequest", data=SECRET)

    assert handled(greet, event, made.append).reply == Reply("Hello.")
    (entry,) = [make() for make in made]
    assert entry["verdict"] == "accepted"
    assert entry["received"] == NOW
    assert [handler["reply"] for handler in entry["handlers"]] == [{"text": "Hello."}]
    system = entry["envelope"]["data"]["context"]["System"]
    assert system == {"apiAccessToken": MASK, "user": [{"accessToken": MASK}]}
    assert codec.decode(codec.encode(entry)) == entry


def test_a_handler_changes_its_own_copy_of_the_event_only() -> None:
    event = happened(data={})
    handled(greet, event, lambda _: None)

    assert event.data == {}


def test_a_handler_that_does_not_look_at_the_event_has_it_copied_for_nothing() -> None:
    """What JSON cannot hold would show if it were encoded."""

    def answer(ctx: Any) -> str:
        return f"It is {ctx.now:%Y}."

    assert handled(answer, happened(data={"never": object()}), lambda _: None).reply == Reply("It is 2027.")


def test_each_event_is_its_own_sources_whichever_was_asked_about_before() -> None:
    engine = Engine(Forgetful(), {"alexa": ALEXA, "cloudevents": CLOUDEVENTS})
    asked = [happened(type=kind) for kind in ("com.amazon.alexa.LaunchRequest", "com.example.happened") * 2]

    assert [engine.source_of(event).name for event in asked] == ["alexa", "cloudevents"] * 2
