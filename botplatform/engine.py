"""One event through one handler: run it, commit all it asked for at once, and say what became of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from botplatform.errors import Conflict, Rejected, Retry, StateUnavailable
from botplatform.event import Event
from botplatform.reply import Reply, told
from botplatform.router import Match
from botplatform.source import EffectRequest, Source
from botplatform.store import Abandoned, Commit, Committed, Outcome, Readable, Run, StateKey, Store, Work, Write
from botplatform.work import CHAIN, REPLAY_OF, WITHHOLD, Context, PluginInfo, Unit, chain_of

# A handler that keeps losing its commit to others is not unlucky but contended: better fail, and be tried later.
CONFLICTS = 20
_TEXT = {"text"}
# How often one handler may pass in the chain of events that led to an event: more is a loop.
CHAIN_LIMIT = 8
# How many characters such a chain may have; a hundred handlers have passed by then, or somebody made it up.
CHAIN_SIZE = 8 * 1024


class Failed(Exception):
    """A run came to nothing; `final` says that trying again cannot help.

    `asked` says that the handler wants to be tried again, and `after` in how many seconds, if it said so.
    """

    def __init__(self, reason: str, after: float | None = None, final: bool = False, *, asked: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.after = after
        self.final = final
        self.asked = asked


class Engine:
    """Runs handlers as transactions on a store; safe to use from any thread.

    `sources` are all that are known, by name; `clock` gives the Unix time in seconds; `plugins` what is loaded. A
    handler that passed `chain_limit` times in the chain that led to an event is not given that event.
    """

    def __init__(
        self,
        store: Store,
        sources: Mapping[str, Source],
        clock: Callable[[], float] = time.time,
        plugins: Callable[[], Sequence[PluginInfo]] = tuple,
        chain_limit: int = CHAIN_LIMIT,
    ) -> None:
        self.store = store
        self.sources = sources
        self.clock = clock
        self.plugins = plugins
        self.chain_limit = chain_limit
        self._owner_of_the_rest = sources["cloudevents"]
        self._last_owned = sources, "", "", self._owner_of_the_rest

    def source_of(self, event: Event) -> Source:
        """The source an event belongs to; CloudEvents takes what no other one owns."""
        sources, (known, kind, name, owner) = self.sources, self._last_owned
        if kind != event.type or name != event.source or known is not sources:  # mostly it is of the same as the last
            owner = next((source for source in sources.values() if source.owns(event)), self._owner_of_the_rest)
            self._last_owned = sources, event.type, event.source, owner
        return owner

    def run(
        self, event: Event, match: Match, run: Run | None = None, also: Mapping[StateKey, Write] | None = None
    ) -> Committed:
        """Handle `event` once: run the handler and commit, or return what an earlier run committed.

        `also` are further writes for the same commit. Raises Failed (nothing happened), Abandoned or
        StateUnavailable.
        """
        run = run or Run()
        if self.store.keeps or also:
            return self._run_once(event, match, run, also)
        unit = self._handled(event, match, run, self.store)
        if unit.only_answers and run.begin_commit():
            return Committed._make((unit.outcome, (), ()))
        return self._commit(unit.commit(_work(event, match), event, run), match)

    def _run_once(self, event: Event, match: Match, run: Run, also: Mapping[StateKey, Write] | None) -> Committed:
        work = _work(event, match)
        done = self.store.outcome(work)
        committed = Committed(done) if done else self._persist(work, event, match, run, also)
        if done or (run.answered and committed.outcome.duplicate):
            again = self.store.commit(self.repeat(event, work, committed.outcome, run))
            more = [effect for effect in again.effects if effect not in committed.effects]
            return again._replace(effects=[*committed.effects, *more])
        return committed

    def repeat(self, event: Event, work: Work, known: Outcome, run: Run) -> Commit:
        """The commit of work that is done: it finds the effects still pending.

        It also asks for the reply, where the sender was told to wait for it.
        """
        return Commit(work, event, known, follow_up=partial(self._follow_up, event, known.reply), run=run)

    def _follow_up(self, event: Event, reply: Mapping[str, Any] | None) -> EffectRequest | None:
        """What brings the reply to whoever was answered without it; nobody waits for that of a replay."""
        if not reply or REPLAY_OF in event.extensions:
            return None
        follow_up = self.source_of(event).follow_up
        return follow_up(event, Reply.from_dict(reply)) if follow_up else None

    def _persist(
        self, work: Work, event: Event, match: Match, run: Run, also: Mapping[StateKey, Write] | None
    ) -> Committed:
        """Attempt it until its commit meets no other."""
        for lost in range(1, CONFLICTS + 1):
            try:
                commit = self.attempt(work, event, match, run, self.store)
                if also:
                    commit.also = also
                return self._commit(commit, match)
            except Abandoned:
                raise
            except Conflict:
                time.sleep(pause_after(lost))
        raise Failed(f"lost its commit to others {CONFLICTS} times")

    def _commit(self, commit: Commit, match: Match) -> Committed:
        """Commit it; what shows only now to be a mistake of the handler's is Failed."""
        try:
            return self.store.commit(commit)
        except (Conflict, StateUnavailable):
            raise
        except Exception as bug:
            raise self.failure(bug, commit.event, match) from bug

    def _refuse_loop(self, event: Event, handler: str) -> None:
        passed = chain_of(event)
        size = sum(map(len, passed)) + len(passed)
        if size > CHAIN_SIZE:
            raise Failed(f"a loop, or made up: the handlers that led here have {size} characters", final=True)
        if passed.count(handler) >= self.chain_limit:
            raise Failed(f"a loop: {handler} passed {self.chain_limit} times in {' > '.join(passed)}", final=True)

    def attempt(self, work: Work, event: Event, match: Match, run: Run, store: Readable) -> Commit:
        """Run the handler once on what `store` has, and return what it wants committed as the outcome of `work`.

        Raises Failed, Conflict when it is to be run again, or StateUnavailable; nothing has happened then.
        """
        return self._handled(event, match, run, store).commit(work, event, run)

    def _handled(self, event: Event, match: Match, run: Run, store: Readable) -> Unit:
        """What one run of the handler came to; raises the same."""
        if CHAIN in event.extensions:
            self._refuse_loop(event, match.handler.name)
        try:
            return self._run_handler(event, match, run, store)
        except (Failed, Conflict, StateUnavailable):
            raise
        except (Exception, SystemExit) as bug:
            # The one broad except of the house: a plugin's bug is its own, and must not reach anything else.
            raise self.failure(bug, event, match) from bug

    def failure(self, bug: BaseException, event: Event, match: Match) -> Failed:
        """What a run comes to by `bug`, which is logged unless the handler asked to be tried again.

        Some show only at the commit, as a reply that is no JSON, or a number added to a text.
        """
        if isinstance(bug, Retry):
            return Failed(str(bug), after=bug.after, asked=True)
        self.report_bug(event, match.handler.name, bug)
        return Failed(f"{type(bug).__name__}: {bug}{_place(bug, match.handler.file)}")

    def report_bug(self, event: Event, handler: str, bug: BaseException) -> None:
        """Log what a handler raised on an event."""
        from logging import getLogger

        getLogger(__name__).error("%s failed on %r", handler, event, exc_info=bug)

    def _run_handler(self, event: Event, match: Match, run: Run, store: Readable) -> Unit:
        """Run the handler once and collect what it asked for, committing nothing."""
        plugin, began = match.handler.plugin, time.perf_counter()
        unit = Unit(store, plugin, self.clock())
        try:
            reply = self._call(event, match, unit)
        except Rejected as rejected:
            if run.answered:
                raise Failed(str(rejected), final=True) from rejected
            # Somebody waits: what they got wrong is the answer, and nothing else of the run counts.
            unit, reply = Unit(store, plugin, self.clock()), {"text": _sentence(rejected)}
        took = time.perf_counter() - began
        if event.extensions.get(WITHHOLD) is True:
            unit.withhold_effects()
        unit.outcome = Outcome._make((reply, run.attempt, took, tuple(unit.suppressed), False))
        # Somebody who waits now may be answered without the reply later, but only where a store hears of it.
        if reply and (self.store.keeps or run.answered):
            follow_up = partial(self._follow_up, event, reply)
            # What is more than text is made now: a mistake in it is the handler's.
            unit.follow_up = follow_up if reply.keys() == _TEXT else follow_up()
        return unit

    def _call(self, event: Event, match: Match, unit: Unit) -> dict[str, Any] | None:
        """What the handler answers, called with what it takes; raises Rejected where its subscription does not fit."""
        handler, params = match.handler, match.params(event)
        function, arguments = handler.function, handler.arguments
        wants_event, wants_ctx = "event" in arguments, "ctx" in arguments
        source = self.sources.get(match.subscription.source)
        if wants_event:
            event = event.fresh()  # its own: whoever is given it may change its data
        if source and source.prepare:
            event = source.prepare(event, match.subscription)
        if not wants_ctx:
            return told(function(event=event) if wants_event else function())
        ctx = Context(event, handler, unit, params, self.plugins)
        return told(function(event=event, ctx=ctx) if wants_event else function(ctx=ctx))


def _work(event: Event, match: Match) -> Work:
    return Work(event.source, event.id, match.handler.name)


def pause_after(lost: int) -> float:
    """Seconds to wait when a commit was lost to others for the `lost`-th time, so as not to meet them again."""
    from random import uniform

    return uniform(0, 0.001 * 2 ** min(lost - 1, 6))


def _sentence(rejected: Rejected) -> str:
    return rejected.reason[:1].upper() + rejected.reason[1:]


def _place(bug: BaseException, file: str) -> str:
    """Where in the plugin it happened, as far as the plugin's own file was on the way."""
    from traceback import extract_tb

    frames = [frame for frame in extract_tb(bug.__traceback__) if frame.filename.endswith(file)]
    return f" ({file}:{frames[-1].lineno})" if frames else ""
