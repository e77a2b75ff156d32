"""What does an intent of Alexa's cost, from the bytes of a request to those of its reply, beside the least possible?"""

from __future__ import annotations

import importlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import msgspec

from benchmarks.bars import BY_HAND, at_most
from benchmarks.cold_start.plugins import warm_room
from benchmarks.measure import Contender, Figures, Race, Wrong
from benchmarks.per_event import COST
from benchmarks.servers import ROOT, installed
from botplatform import codec
from botplatform.engine import Engine
from botplatform.errors import Rejected
from botplatform.event import Event
from botplatform.handlers import handlers_in
from botplatform.hosts.runner import Handled, Result, Runner
from botplatform.reply import Reply, told
from botplatform.router import Match, Router
from botplatform.source import Raw
from botplatform.sources.alexa.source import SOURCE
from botplatform.sources.cloudevents import SOURCE as CLOUDEVENTS
from botplatform.store import Committed, Outcome, Run
from botplatform.stores.forgetful import Forgetful
from botplatform.work import CHAIN, WITHHOLD, Context, Unit

CALLS = 2000
SAMPLE = ROOT / "events" / "alexa" / "temperature-kitchen.json"
ROOMS = ("kitchen", "cellar", "attic", "bath")
ANSWER = "It is warm in the {}."
NOTED = f"{BY_HAND}, a run noted"
TITLE = "alexa_intent: an IntentRequest in process, from bytes to bytes"

Answer = Callable[[bytes], bytes]
Stage = Callable[[bytes], Any]


def races() -> Iterator[Race]:
    """Without the signature: a skill that is a Lambda function has none to check. Then the same stage by stage."""
    codec.use_msgspec()
    stages = _stages()
    *_, answer = stages.values()
    contenders = [
        Contender("the floor", partial(_measure, _least), "msgspec decodes, one look-up finds the handler, it encodes"),
        Contender(
            BY_HAND, partial(_measure, _by_hand()), "an event, its route and slots, a reply; nothing else of a run"
        ),
        Contender(
            NOTED,
            partial(_measure, _noted_by_hand()),
            "and that it was not given up, its time, outcome, result and log entry; no layers, no errors",
        ),
        Contender("the platform", partial(_measure, answer), "normalize, route, run, log, render, encode"),
    ]
    absent = {}
    if installed("ask_sdk_core"):
        contenders.append(Contender("ask_sdk_core", partial(_measure, _asks_sdk()), "its SkillBuilder, Python's json"))
    else:
        absent["ask_sdk_core"] = "it is not installed (benchmarks/README.md)"
    bars = [at_most("the platform", 3, of="the floor"), at_most("the platform", 1 / 15, of="ask_sdk_core")]
    yield Race(TITLE, contenders, absent, bars)
    timed = [Contender(name, partial(_timed, stage)) for name, stage in {"the floor": _least, **stages}.items()]
    yield Race("alexa_intent: stage by stage, each with those above it", timed)


def _stages() -> dict[str, Stage]:
    """What a function does with a request, without a thread that answers in time; the last stage gives the answer."""
    handlers = handlers_in("warm_room", warm_room, warm_room.__file__)
    engine = Engine(Forgetful(), {"alexa": SOURCE, "cloudevents": CLOUDEVENTS}, time.time, list)
    runner = Runner(engine, Router(handlers), {}, bury=_lost, log=lambda _: None)

    def read(body: bytes) -> Event:
        event = next(SOURCE.normalize(Raw(body)))
        if isinstance(event, Rejected):
            raise event
        return runner.identified(event)

    def routed(body: bytes) -> Sequence[Match]:
        return runner.router.route(read(body))

    def run(body: bytes) -> Sequence[Result]:
        event = read(body)
        return [runner.run(event, match, Run()) for match in runner.router.route(event)]

    def answered(body: bytes) -> bytes:
        event = read(body)
        results = [runner.run(event, match, Run()) for match in runner.router.route(event)]
        return codec.encode(SOURCE.render(event, runner.finish(event, results).reply))

    return {
        "it is decoded": codec.received,
        "an event is made of it": read,
        "it is routed": routed,
        "its slots are bound, its handler is run": run,
        "it is logged, the reply rendered and encoded": answered,
    }


def _by_hand() -> Answer:
    """What an answer takes that is routed as an event, with nothing that could be given up, timed, kept or logged."""
    router, store = Router(handlers_in("warm_room", warm_room, warm_room.__file__)), Forgetful()

    def answer(body: bytes) -> bytes:
        event = next(SOURCE.normalize(Raw(body)))
        if isinstance(event, Rejected):
            raise event
        (match,) = router.route(event)
        unit = Unit(store, match.handler.plugin, 0.0)
        said = match.handler.function(Context(event, match.handler, unit, match.params(event), tuple))
        return codec.encode(SOURCE.render(event, Reply(said)))

    return answer


def _noted_by_hand() -> Answer:
    """The same, and each thing once that a run notes: what is left of the platform's time is what is between them."""
    handlers, store, clock = handlers_in("warm_room", warm_room, warm_room.__file__), Forgetful(), time.time
    router = Router(handlers)

    def answer(body: bytes) -> bytes:
        event = next(SOURCE.normalize(Raw(body)))
        if isinstance(event, Rejected):
            raise event
        (match,) = router.route(event)
        run = Run()
        if CHAIN in event.extensions or WITHHOLD in event.extensions:
            raise Wrong("no event of a plugin's, and no replay")
        began = time.perf_counter()
        unit = Unit(store, match.handler.plugin, clock())
        said = told(match.handler.function(ctx=Context(event, match.handler, unit, match.params(event), tuple)))
        outcome = Outcome._make((said, run.attempt, time.perf_counter() - began, (), False))
        if said is None or not run.begin_commit():
            raise Wrong("it answered nothing, or was given up")
        reply, committed = Reply.from_dict(said), Committed._make((outcome, (), ()))
        result = Result._make((match.handler.name, "done", reply, "", None, False, committed, (), clock()))
        handled = Handled._make((event, [result], None, clock(), SOURCE.secrets))
        _ignore(handled.entry)
        return codec.encode(SOURCE.render(event, handled.reply))

    return answer


def _ignore(log: object) -> None:
    """Keep no log, as the platform's row does not either."""
    del log


def _lost(*letter: object) -> None:
    raise Wrong(f"a handler failed: {letter}")


def _least(body: bytes) -> bytes:
    """What an answer takes that looks at nothing it does not need."""
    request = msgspec.json.decode(body)["request"]
    return msgspec.json.encode(_INTENTS[request["intent"]["name"]](request["intent"]["slots"]))


def _say(slots: dict[str, Any]) -> dict[str, Any]:
    speech = {"type": "PlainText", "text": ANSWER.format(slots["room"]["value"])}
    response = {"shouldEndSession": True, "outputSpeech": speech}
    return {"version": "1.0", "sessionAttributes": {}, "response": response}


_INTENTS = {"TemperatureIntent": _say}


def _asks_sdk() -> Answer:
    handle = importlib.import_module("benchmarks.cold_start.handlers.with_ask_sdk").handle
    return lambda body: json.dumps(handle(json.loads(body), None)).encode()


def _timed(stage: Stage) -> Figures:
    """Have requests gone through as far as a stage, and nothing kept of it."""
    bodies = [body for _, body in _asked()]
    began = time.process_time()
    for body in bodies:
        stage(body)
    return {COST: (time.process_time() - began) / len(bodies) * 1e6}


def _measure(answer: Answer) -> Figures:
    """Have requests answered one after the other; each has to be given the words for its room."""
    asked = _asked()
    bodies = [body for _, body in asked]
    began = time.process_time()
    replies = [answer(body) for body in bodies]
    seconds = time.process_time() - began
    for (room, _), reply in zip(asked, replies, strict=True):
        _check(reply, ANSWER.format(room))
    return {COST: seconds / len(bodies) * 1e6}


def _asked() -> list[tuple[str, bytes]]:
    """Rooms that are asked about, and the requests, each with an id of its own."""
    return [(room, _request(number, room)) for number, room in enumerate(ROOMS * (CALLS // len(ROOMS)))]


def _request(number: int, room: str) -> bytes:
    request = json.loads(SAMPLE.read_bytes())
    request["request"]["requestId"] = f"amzn1.echo-api.request.{number}"
    request["request"]["intent"]["slots"]["room"]["value"] = room
    return json.dumps(request, separators=(",", ":")).encode()


def _check(reply: bytes, words: str) -> None:
    speech = json.loads(reply)["response"]["outputSpeech"]
    said = speech.get("text") or speech.get("ssml", "")
    if words not in said:
        raise Wrong(f"wanted {words!r} to be said, got {reply!r}")
