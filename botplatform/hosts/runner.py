"""Events handled on the spot: routed, committed, and their effects performed before whoever brought them hears of it.

For hosts whose senders keep an event until it is done, and bring it again otherwise: Lambda's triggers, and SQS.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal

from botplatform.effect import Effect, perform
from botplatform.engine import Engine, Failed
from botplatform.errors import Rejected, Retry, StateUnavailable
from botplatform.event import Event
from botplatform.hosts.aside import Aside
from botplatform.reply import APOLOGY, Reply
from botplatform.router import Match, Router
from botplatform.source import shown
from botplatform.state import told
from botplatform.store import Abandoned, Committed, PendingEffect, Run, StateKey, Write
from botplatform.values import NamedTuple

# After so many tries an effect is given up: with the sweep's backoff that is most of a day.
EFFECT_ATTEMPTS = 10
# Seconds in which the outside has to take an effect.
EFFECT_DEADLINE = 30.0
# Of the entries of the log, so that what reads them later knows them.
VERSION = 1

Status = Literal["done", "waiting", "dead"]
Entry = Mapping[str, Any]


class Result(NamedTuple):
    """What came of an event in one handler.

    `done` (`again`: by an earlier delivery), `waiting` for another try (`after` so many seconds, if the handler said),
    or `dead`: kept as a dead letter. `asked` says that the handler itself wanted another try. `committed` is what it
    did by `finished` (Unix time), `effects` what came of those it asked for.
    """

    handler: str
    status: Status
    reply: Reply | None = None
    reason: str = ""
    after: float | None = None
    asked: bool = False
    committed: Committed | None = None
    effects: Sequence[Entry] = ()
    finished: float = 0.0

    @property
    def again(self) -> bool:
        """Whether it was done by an earlier delivery."""
        return self.committed is not None and self.committed.outcome.duplicate

    @property
    def entry(self) -> Entry:
        """The same as the log has it."""
        if self.committed:
            return _outcome_entry(self.handler, self.committed, self.finished, self.effects)
        # To be asked for another try is no failure.
        asked = {"asked": True} if self.asked else {}
        return {"handler": self.handler, "status": self.status, "reason": self.reason, **asked}


class Handled(NamedTuple):
    """What came of one event in all its handlers by `finished` (Unix time).

    `unmatched` is the answer where none listens to it, `secrets` are the names of fields that nobody may be shown.
    """

    event: Event
    results: Sequence[Result]
    unmatched: Reply | None
    finished: float
    secrets: frozenset[str]

    @property
    def reply(self) -> Reply | None:
        """The first reply any handler gave."""
        for result in self.results:
            if result.reply:
                return result.reply
        return self.unmatched

    def entry(self) -> Entry:
        """The same as the log has it."""
        event = self.event
        about = {"source": event.source, "id": event.id, "type": event.type, "subject": event.subject}
        handlers, envelope = [result.entry for result in self.results], shown(event, self.secrets)
        verdict, reason = ("accepted", "") if handlers else ("unmatched", "no handler listens to it")
        return _entry(self.finished, verdict, reason, **about, handlers=handlers, envelope=envelope)

    @property
    def waiting(self) -> list[Result]:
        """The handlers that have to be given the event once more."""
        return [result for result in self.results if result.status == "waiting"]


def ignore(reply: Reply | None) -> None:
    """Hear of a reply, and do nothing with it."""
    del reply


class Runner:
    """Runs events through their handlers, on the thread that calls; safe to use from any thread.

    A host gives each event its id (`identified`), runs the handlers it concerns (`run`), and has it logged (`finish`).
    `effects` are those it can perform, by name, each within `effect_deadline` seconds. `bury(event, handler, reason)`
    keeps a dead letter, and returns once it is durable. `log` is given what makes the entry of each event, as the tools
    show it (JSON values, secrets masked): that takes longer than a quick handler, and not everybody keeps all.
    """

    def __init__(
        self,
        engine: Engine,
        router: Router,
        effects: Mapping[str, Effect],
        bury: Callable[[Event, str, str], None],
        log: Callable[[Callable[[], Entry]], None],
        effect_deadline: float = EFFECT_DEADLINE,
    ) -> None:
        self.engine = engine
        self.router = router
        self.effects = effects
        self._effect_deadline = effect_deadline
        self._bury = bury
        self._log = log

    def identified(self, event: Event) -> Event:
        """The event under the id its sender gave it, where a subscription says where to look for one."""
        source = self.engine.source_of(event)
        return source.identify(event, self.router.known(source.name)) if source.identify else event

    def run(
        self,
        event: Event,
        match: Match,
        run: Run,
        also: Mapping[StateKey, Write] = MappingProxyType({}),
        on_commit: Callable[[Reply | None], None] = ignore,
    ) -> Result:
        """Give an event to one of its handlers; `also` are further writes for its commit.

        `on_commit` hears the reply once it holds, before the effects are performed. Nothing a handler does raises; what
        could not be finished is `waiting`, and safe to be given the event again.
        """
        name = match.handler.name
        try:
            committed = self.engine.run(event, match, run, also)
        except Abandoned:
            return Result(name, "waiting", reason="goes on in another run")
        except StateUnavailable as error:
            return Result(name, "waiting", reason=str(error))
        except Failed as failed:
            return self._failed(event, match, failed, run)
        outcome = committed.outcome
        reply = Reply.from_dict(outcome.reply) if outcome.reply else None
        on_commit(reply)
        effects = self.perform(committed.effects, run) if committed.effects else ()
        return Result._make((name, "done", reply, "", None, False, committed, effects, self.engine.clock()))

    def overdue(self, event: Event, match: Match, run: Run, deadline: float) -> Result:
        """What becomes of a run that was abandoned, for it took longer than `deadline` seconds: it has failed."""
        return self._failed(event, match, Failed(f"it ran for more than {deadline:g} s"), run)

    def give_up(self, event: Event, handler: str, reason: str) -> Result:
        """Keep what a handler could not do as a dead letter; it goes on waiting while that cannot be kept."""
        try:
            self._bury(event, handler, reason)
        except Retry as retry:
            return Result(handler, "waiting", reason=f"{reason}; the dead letter could not be kept: {retry}")
        return Result(handler, "dead", reason=reason)

    def finish(self, event: Event, results: Sequence[Result]) -> Handled:
        """Log what came of an event in all its handlers; without any, nothing listens to it."""
        source = self.engine.source_of(event)
        unmatched = None if results else source.unmatched(event, self.router.known(source.name))
        handled = Handled._make((event, results, unmatched, self.engine.clock(), source.secrets))
        self._log(handled.entry)
        return handled

    def reject(self, source: str, rejected: Rejected) -> None:
        """Log an input that was no event."""
        self._write("rejected", str(rejected), source=source)

    def perform(self, pending: Iterable[PendingEffect], run: Run | None = None) -> list[Entry]:
        """Perform committed effects in their order; behind one that failed, those of its destination wait with it.

        What fails stays pending in the store, for a sweep; so does what `run` leaves to another. Returns what came of
        each, as the log shows it.
        """
        held: set[tuple[str, str]] = set()
        return [self._perform(effect, held, run is not None and run.left) for effect in pending]

    def sweep(self) -> list[Entry]:
        """Perform what is pending in the store, left by a process that died or by a destination that was away."""
        return self.perform(self.engine.store.pending())

    def _failed(self, event: Event, match: Match, failed: Failed, run: Run) -> Result:
        """Where nobody waits it may be tried again; who waits is told at once, and the event kept as a dead letter."""
        name, retries = match.handler.name, match.handler.limits.retries
        exhausted = retries is not None and run.attempt > retries
        if run.answered and not failed.final and not exhausted:
            return Result(name, "waiting", reason=failed.reason, after=failed.after, asked=failed.asked)
        result = self.give_up(event, name, failed.reason)
        return result._replace(reply=None if run.answered or result.status != "dead" else APOLOGY)

    def _perform(self, effect: PendingEffect, held: set[tuple[str, str]], left: bool) -> Entry:
        store, destination = self.engine.store, (effect.request.name, effect.request.order or effect.key)
        if left:
            return _effect_entry(effect, "pending", {"reason": "left to another run"})
        if destination in held:
            return _effect_entry(effect, "pending", {"reason": "waits behind an earlier one"})
        result = self._taken(effect)
        if isinstance(result, Retry | Rejected):
            reason, given_up = str(result), isinstance(result, Rejected) or effect.attempts + 1 >= EFFECT_ATTEMPTS
            if not given_up:
                held.add(destination)
            self._note(lambda: store.postponed(effect, reason, given_up))
            return _effect_entry(effect, "given up" if given_up else "pending", {"reason": reason})
        self._note(lambda: store.performed(effect, result))
        return _effect_entry(effect, "performed", result)

    def _taken(self, effect: PendingEffect) -> Mapping[str, Any] | Retry | Rejected:
        """What came of an effect; whether one that hangs happened is not known, so it is tried again."""

        def taken() -> Mapping[str, Any] | Retry | Rejected:
            try:
                return perform(self.effects, effect)
            except (Retry, Rejected) as failed:
                return failed

        try:
            return Aside(taken, f"effect {effect.key}").result(self._effect_deadline)
        except TimeoutError:
            return Retry(f"no answer in {self._effect_deadline:g} s")

    def _note(self, note: Callable[[], None]) -> None:
        """Write down what came of an effect; while the state cannot be written, the sweep does it over."""
        try:
            note()
        except StateUnavailable as error:
            self._write("trouble", str(error))

    def _write(self, verdict: str, reason: str, **about: Any) -> None:
        received = self.engine.clock()
        self._log(lambda: _entry(received, verdict, reason, **about))


def _entry(received: float, verdict: str, reason: str, **about: Any) -> Entry:
    return {"botplatform": VERSION, "received": received, "verdict": verdict, "reason": reason, **about}


def _outcome_entry(handler: str, committed: Committed, now: float, effects: Sequence[Entry]) -> Entry:
    outcome = committed.outcome
    return {
        "handler": handler,
        "status": "done",
        "again": outcome.duplicate,
        "finished": now,
        "took": outcome.took,
        "attempts": outcome.attempts,
        "reply": outcome.reply,
        "suppressed": list(outcome.suppressed),
        "effects": list(effects),
        "changes": [told(change) for change in committed.changes if not change.key.plugin.startswith("@")],
    }


def _effect_entry(effect: PendingEffect, status: str, result: Mapping[str, Any]) -> Entry:
    request = effect.request
    return {
        "number": effect.number,
        "name": request.name,
        "arguments": request.shown(),
        "status": status,
        "attempts": effect.attempts + (status != "pending"),
        "result": dict(result),
    }
