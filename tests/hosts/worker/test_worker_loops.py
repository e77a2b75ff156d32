"""A loop ends in the dead letters, however many messages and machines it goes through."""

from __future__ import annotations

from tests.handlers import happened
from tests.hosts.worker.stage import Stage
from tests.mosquitto import eventually

LOOP = '''
    """Emits an event to itself, each only at the second try."""

    from pathlib import Path

    from botplatform import Context, Event, Retry, cloudevents

    USES = ["emit"]


    @cloudevents.event("com.example.happened")
    def echo(event: Event, ctx: Context) -> None:
        tried = Path(f"tried {event.id}")
        if not tried.exists():
            tried.touch()
            raise Retry("not yet", after=0)
        ctx.state.add("echoes")
        ctx.emit(Event(type="com.example.happened"))
'''


def test_a_handler_that_emits_to_itself_through_the_queue_is_stopped(stage: Stage) -> None:
    stage.plugin("loop", LOOP)
    for _ in range(2):
        stage.worker(BOTPLATFORM_CHAIN_LIMIT="3")
    stage.send(happened("first"))
    eventually(lambda: stage.left(stage.dead_letters) == 1 and stage.left() == 0, seconds=60)

    [letter] = stage.letters()
    assert letter["reason"] == f"a loop: loop.echo passed 3 times in {' > '.join(['loop.echo'] * 3)}"
    assert letter["event"]["handlerchain"] == " ".join(["loop.echo"] * 3)
    assert letter["event"]["correlationid"] == "first"
    assert stage.state("loop") == {"echoes": 3}
