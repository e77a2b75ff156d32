"""Random deliveries, failures, conflicts and crashes on a store, compared at each step with a model.

The model is a dict that each event changes once, all at once, in the order of the commits.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from botplatform import Context, Event, Rejected, Reply, Retry, codec
from botplatform.engine import Engine, Failed
from botplatform.plugins import Plugins
from botplatform.router import Match
from botplatform.source import EffectRequest
from botplatform.store import Abandoned, Committed, PendingEffect, Run, Store, Work
from botplatform.stores.memory import MemoryStore
from botplatform.stores.sqlite import SqliteStore
from tests.handlers import happened, match_of
from tests.stores.conftest import Clock
from tests.stores.scripts import Script, Step, Values, come_out, is_there, play

SOURCES = Plugins().sources

STEPS = st.builds(
    Step,
    st.sampled_from(["increment", "read", "add", "append", "create", "put", "lend", "delete", "text", "increment"]),
    st.sampled_from(["a", "a", "b"]),
    st.integers(1, 9),
)
SCRIPTS = st.lists(STEPS, max_size=4).map(lambda steps: list(_without_second_thoughts(steps)))


def _without_second_thoughts(script: Script) -> Iterator[Step]:
    """What does not replace a value it added to: whether that would have been possible is then never known."""
    added: set[str] = set()
    for step in script:
        if step.key not in added or step.act not in ("put", "lend", "delete"):
            yield step
        if step.act in ("add", "append"):
            added.add(step.key)


class Fault(NamedTuple):
    """What goes wrong in a delivery before a step of its script; `other` chooses the work that gets in between."""

    kind: str
    other: int = 0


FAULTS = st.dictionaries(
    st.integers(0, 4),
    st.builds(
        Fault,
        st.sampled_from(["fails", "asks to be retried", "rejects", "meanwhile", "is abandoned", "is answered", "dies"]),
        st.integers(0, 9),
    ),
    max_size=3,
)


class Died(BaseException):
    """The process is no more."""


class Task(NamedTuple):
    """An event for a handler, and what that does."""

    event: Event
    match: Match
    script: Script

    @property
    def work(self) -> Work:
        return Work(self.event.source, self.event.id, self.match.handler.name)


class Model:
    """What there should be."""

    def __init__(self) -> None:
        self.values: Values = {}
        self.replies: dict[Work, str] = {}
        self.requested: dict[Work, list[EffectRequest]] = {}
        self.pending: dict[str, int] = {}  # the attempts of each, by its key

    def request(self, work: Work, requests: list[EffectRequest]) -> None:
        asked = self.requested.setdefault(work, [])
        for request in requests:
            self.pending["|".join((*work, str(len(asked))))] = 0
            asked.append(request)


class OnMemory:
    """A process with a store in memory; what dies with it is only what it was doing."""

    def __init__(self, store: Callable[[Clock], Store] = MemoryStore) -> None:
        self._open = store

    def start(self, clock: Clock) -> Store:
        return self._open(clock)

    def restart(self, store: Store, clock: Clock) -> Store:  # noqa: ARG002
        return store

    def end(self, store: Store) -> None:
        store.close()


class OnSqlite:
    """A process with a store on disk: after its death there is what the files had at that moment."""

    files: tuple[str, ...] = ("state.db", "state.db-wal")

    def __init__(self, store: type[SqliteStore] = SqliteStore) -> None:
        self._open = store
        self._home = Path(tempfile.mkdtemp())
        self._lives = 0

    def start(self, clock: Clock) -> Store:
        return self._open(self._folder / "state.db", clock, synchronous="OFF")

    def restart(self, store: Store, clock: Clock) -> Store:
        left = self._folder
        self._lives += 1
        self._folder.mkdir()
        for name in self.files:
            shutil.copyfile(left / name, self._folder / name)
        store.close()
        return self.start(clock)

    def end(self, store: Store) -> None:
        store.close()
        shutil.rmtree(self._home)

    @property
    def _folder(self) -> Path:
        return self._home / str(self._lives)


class Deliveries(RuleBasedStateMachine):
    """One process after the other handles what happens, and does not always survive it."""

    tasks: Bundle[Task] = Bundle("tasks")

    def __init__(self, process: OnMemory | OnSqlite) -> None:
        super().__init__()
        self.process = process
        self.clock = Clock()
        self.store = process.start(self.clock)
        self.engine = Engine(self.store, SOURCES, self.clock)
        self.model = Model()
        self.known: list[Task] = []
        self.outside: Counter[str] = Counter()
        self.gaps: Counter[str] = Counter()
        self.settled: list[PendingEffect] = []

    @rule(target=tasks, script=SCRIPTS, command=st.booleans())
    def happen(self, script: Script, command: bool) -> Task:
        """Something new, of which somebody wants to hear the reply if it is a command."""
        id_ = str(len(self.known))
        task = Task(_command(id_) if command else happened(id_), self._match(id_), script)
        self.known.append(task)
        return task

    @rule(task=tasks, answered=st.booleans(), faults=FAULTS)
    def deliver(self, task: Task, answered: bool, faults: dict[int, Fault]) -> None:
        """It arrives, perhaps once more."""
        try:
            self._deliver(task, Run(answered=answered), dict(faults))
        except Died:
            self.crash()

    @rule(scripts=st.tuples(SCRIPTS, SCRIPTS), position=st.integers(0, 4))
    def race(self, scripts: tuple[Script, Script], position: int) -> None:
        """One event is handled while another one is."""
        first, second = (self.happen(script, command=False) for script in scripts)
        meanwhile = {position: Fault("meanwhile", self._news().index(second))}
        self._deliver(first, Run(), meanwhile)

    @rule(choice=st.integers(0, 99), how=st.sampled_from(["works", "fails", "is given up", "dies before the mark"]))
    def perform(self, choice: int, how: str) -> None:
        """One of the pending effects is tried."""
        pending = self.store.pending()
        if pending:
            self._perform(pending[choice % len(pending)], how)

    @rule(choice=st.integers(0, 99))
    def hear_of_it_late(self, choice: int) -> None:
        """Whoever took too long over an effect says that it failed, when that is settled."""
        if self.settled:
            self.store.postponed(self.settled[choice % len(self.settled)], "no answer", given_up=False)

    @rule()
    def crash(self) -> None:
        """The process dies, between two deliveries or in one, and the next one begins with what is on disk."""
        self.store = self.process.restart(self.store, self.clock)
        self.engine = Engine(self.store, SOURCES, self.clock)

    @rule(seconds=st.sampled_from([1, 59, 61]))
    def wait(self, seconds: int) -> None:
        """Time passes."""
        self.clock.now += seconds

    @invariant()
    def the_state_is_the_models(self) -> None:
        stored = {key: codec.decode(value.json or b"") for key, value in self.store.scan("demo", "")}
        assert stored == {k: v[0] for k, v in self.model.values.items() if is_there(v, self.clock.now)}

    @invariant()
    def what_is_done_and_only_that_has_a_marker(self) -> None:
        outcomes = {task.work: self.store.outcome(task.work) for task in self.known}
        replies = {work: (outcome.reply or {})["text"] for work, outcome in outcomes.items() if outcome}
        assert replies == self.model.replies

    @invariant()
    def the_effects_pending_are_the_models(self) -> None:
        pending = self.store.pending()
        assert {effect.key: effect.attempts for effect in pending} == self.model.pending
        assert len({effect.number for effect in pending}) == len(pending)

    def teardown(self) -> None:
        """In the end, each effect that was asked for has happened once, and once more for each death in its gap."""
        try:
            for effect in self.store.pending():
                self._perform(effect, "works")
            asked = [_name(work, request) for work, all_ in self.model.requested.items() for request in all_]
            assert self.outside == Counter(asked) + self.gaps
        finally:
            self.process.end(self.store)

    def _deliver(self, task: Task, run: Run, faults: dict[int, Fault]) -> None:
        delivery = Delivery(self, task, run, faults)
        try:
            committed = self.engine.run(task.event, task.match._replace(handler=delivery.handler()), run)
        except Abandoned:
            assert run.abandoned
        except Failed:
            assert delivery.may_fail()
        else:
            delivery.check(committed)

    def _perform(self, effect: PendingEffect, how: str) -> None:
        assert effect.key in self.model.pending
        if how == "fails":
            self.store.postponed(effect, "no answer", given_up=False)
            self.model.pending[effect.key] += 1
            return
        name = _name(effect.work, effect.request)
        self.outside[name] += 1
        if how == "dies before the mark":
            self.gaps[name] += 1
            self.crash()
            return
        if how == "is given up":  # after it happened, without our knowing: it has to be the last time
            self.store.postponed(effect, "unknown number", given_up=True)
        else:
            self.store.performed(effect, {})
        del self.model.pending[effect.key]
        self.settled.append(effect)

    def _news(self) -> list[Task]:
        """What is not done yet."""
        return [task for task in self.known if task.work not in self.model.replies]

    def _match(self, id_: str) -> Match:
        return match_of(lambda: None, ["text"])._replace(captured={"work": id_})


class Delivery:
    """One arrival of an event: what goes wrong in it, and what may come of it."""

    def __init__(self, machine: Deliveries, task: Task, run: Run, faults: dict[int, Fault]) -> None:
        self._machine = machine
        self._task = task
        self._run = run
        self._faults = faults
        self._was_done = task.work in machine.model.replies
        self._ran = self._failed = self._rejected = self._overtaken = False

    def handler(self) -> Any:
        """The handler that plays the task's script."""

        def handle(ctx: Context) -> str:
            self._ran = True
            return play(self._task.script, ctx, self._reached)

        return self._task.match.handler._replace(function=handle, arguments=("ctx",))

    def may_fail(self) -> bool:
        """Whether it was bound to; one that was overtaken may have run into what it saw half of."""
        return self._failed or self._overtaken or self._expected() is None

    def check(self, committed: Committed) -> None:
        """What was committed is what the model says, which learns of it."""
        model, work = self._machine.model, self._task.work
        assert committed.outcome.duplicate == (work in model.replies)
        assert not (self._was_done and self._ran)
        if work not in model.replies:
            self._commit()
        self._follow_up(model.replies[work])
        assert committed.outcome.reply == Reply(model.replies[work]).to_dict()
        assert [effect.key for effect in committed.effects] == [
            key for key in model.pending if key.rpartition("|")[0] == "|".join(work)
        ]

    def _reached(self, position: int) -> None:
        fault = self._faults.pop(position, None)
        if fault:
            getattr(self, f"_{fault.kind.replace(' ', '_')}")(fault)

    def _fails(self, _: Fault) -> None:
        self._failed = True
        raise ValueError("a bug")

    def _asks_to_be_retried(self, _: Fault) -> None:
        self._failed = True
        raise Retry("not yet")

    def _rejects(self, _: Fault) -> None:
        self._failed, self._rejected = self._run.answered, not self._run.answered
        raise Rejected("no")

    def _meanwhile(self, fault: Fault) -> None:
        self._overtaken = True
        others = self._machine._news() or self._machine.known
        self._machine._deliver(others[fault.other % len(others)], Run(), {})

    def _is_abandoned(self, _: Fault) -> None:
        assert self._run.abandon()

    def _is_answered(self, _: Fault) -> None:
        self._run.answered = True

    def _dies(self, _: Fault) -> None:
        raise Died

    def _expected(self) -> tuple[Values, str] | None:
        """The values and the reply of this delivery, committed now; None where it cannot be."""
        if self._rejected:
            return self._machine.model.values, "No"
        try:
            return come_out(self._task.script, self._machine.model.values, self._machine.clock.now)
        except TypeError:
            return None

    def _commit(self) -> None:
        model, work = self._machine.model, self._task.work
        expected = self._expected()
        assert expected
        assert not self._failed
        assert not self._run.abandoned
        model.values, model.replies[work] = expected
        texts = [step for step in self._task.script if step.act == "text" and not self._rejected]
        model.request(work, [_text(self._task, step) for step in texts])

    def _follow_up(self, reply: str) -> None:
        model, task = self._machine.model, self._task
        source = self._machine.engine.source_of(task.event)
        follow_up = source.follow_up(task.event, Reply(reply)) if source.follow_up else None
        if self._run.answered and follow_up and follow_up not in model.requested[task.work]:
            model.request(task.work, [follow_up])


def _command(id_: str) -> Event:
    data = {"command": "/temp", "text": "attic", "response_url": f"https://hooks.slack.com/{id_}"}
    return happened(id_, type="com.slack.command", subject="/temp", data=data)


def _text(task: Task, step: Step) -> EffectRequest:
    return EffectRequest("text", {"to": "owner", "body": f"{task.event.id} {step.value}"}, "owner")


def _name(work: Work, request: EffectRequest) -> str:
    """What happens outside, by what it is: another key does not make it another effect."""
    return f"{work.id} {request.name} {codec.encode(request.arguments).decode()}"
