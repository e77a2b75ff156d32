"""One event through one handler: run it, commit all it asked for at once, and say what became of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from botplatform.errors import Conflict, Rejected, Retry, StateUnavailable
from botplatform.event import Event
from botplatform.reply import Reply, as_reply
from botplatform.router import Match
from botplatform.source import EffectRequest, Source
from botplatform.store import Abandoned, Commit, Committed, Outcome, Run, StateKey, Store, Work, Write
from botplatform.work import REPLAY_OF, WITHHOLD, Context, PluginInfo, Unit, chain_of

# A handler that keeps losing its commit to others is not unlucky but contended: better fail, and be tried later.
CONFLICTS = 20
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

    def source_of(self, event: Event) -> Source:
        """The source an event belongs to; CloudEvents takes what no other one owns."""
        return next((source for source in self.sources.values() if source.owns(event)), self.sources["cloudevents"])

    def run(
        self, event: Event, match: Match, run: Run | None = None, also: Mapping[StateKey, Write] | None = None
    ) -> Committed:
        """Handle `event` once: run the handler and commit, or return what an earlier run committed.

        `also` are further writes for the same commit. Raises Failed (nothing happened), Abandoned or
        StateUnavailable.
        """
        work = Work(event.source, event.id, match.handler.name)
        run = run or Run()
        done = self.store.outcome(work)
        committed = Committed(done) if done else self._attempt(event, match, work, run, also or {})
        if done or (committed.outcome.duplicate and run.answered):
            return self._again(event, work, committed, run)
        return committed

    def _again(self, event: Event, work: Work, known: Committed, run: Run) -> Committed:
        """What another run left to do: effects still pending, and its reply where the sender was told to wait."""
        reply = Reply.from_dict(known.outcome.reply) if known.outcome.reply else None
        follow_up = self._follow_up(event, reply)
        again = self.store.commit(Commit(work, event, known.outcome, follow_up=follow_up, run=run))
        more = [effect for effect in again.effects if effect not in known.effects]
        return again._replace(effects=[*known.effects, *more])

    def _follow_up(self, event: Event, reply: Reply | None) -> EffectRequest | None:
        """What brings the reply to whoever was answered without it; nobody waits for that of a replay."""
        if reply is None or REPLAY_OF in event.extensions:
            return None
        return self.source_of(event).follow_up(event, reply)

    def _attempt(self, event: Event, match: Match, work: Work, run: Run, also: Mapping[StateKey, Write]) -> Committed:
        self._refuse_loop(event, match.handler.name)
        for lost in range(CONFLICTS):
            try:
                return self._transaction(event, match, work, run, also)
            except Abandoned:
                raise
            except Conflict:
                time.sleep(_jitter(0.001 * 2 ** min(lost, 6)))
        raise Failed(f"lost its commit to others {CONFLICTS} times")

    def _refuse_loop(self, event: Event, handler: str) -> None:
        passed = chain_of(event)
        size = sum(map(len, passed)) + len(passed)
        if size > CHAIN_SIZE:
            raise Failed(f"a loop, or made up: the handlers that led here have {size} characters", final=True)
        if passed.count(handler) >= self.chain_limit:
            raise Failed(f"a loop: {handler} passed {self.chain_limit} times in {' > '.join(passed)}", final=True)

    def _transaction(
        self, event: Event, match: Match, work: Work, run: Run, also: Mapping[StateKey, Write]
    ) -> Committed:
        """Run the handler and commit; whatever else goes wrong than the store becomes Failed."""
        try:
            commit = self._run_handler(event, match, work, run)
            return self.store.commit(commit._replace(writes={**commit.writes, **also}))
        except (Failed, Conflict, StateUnavailable):
            raise
        except Retry as asked:
            raise Failed(str(asked), after=asked.after, asked=True) from asked
        except (Exception, SystemExit) as bug:
            # The one broad except of the house: a plugin's bug is its own, and must not reach anything else. Some show
            # only at the commit, as a reply that is no JSON, or a number added to a text.
            self.report_bug(event, match.handler.name)
            raise Failed(f"{type(bug).__name__}: {bug}{_place(bug, match.handler.file)}") from bug

    def report_bug(self, event: Event, handler: str) -> None:
        """Log the exception that is being handled, which a handler raised on an event."""
        from logging import getLogger

        getLogger(__name__).exception("%s failed on %r", handler, event)

    def _run_handler(self, event: Event, match: Match, work: Work, run: Run) -> Commit:
        """Run the handler once and collect what it asked for, committing nothing."""
        began = time.perf_counter()
        unit = Unit(self.store, match.handler.plugin, self.clock())
        try:
            reply = self._call(event, match, unit)
        except Rejected as rejected:
            if run.answered:
                raise Failed(str(rejected), final=True) from rejected
            # Somebody waits: what they got wrong is the answer, and nothing else of the run counts.
            unit, reply = Unit(self.store, match.handler.plugin, self.clock()), Reply(_sentence(rejected))
        if event.extensions.get(WITHHOLD) is True:
            unit.withhold_effects()
        outcome = Outcome(
            reply=reply.to_dict() if reply else None,
            attempts=run.attempt,
            took=time.perf_counter() - began,
            suppressed=tuple(unit.suppressed),
        )
        follow_up = self._follow_up(event, reply)
        return Commit(work, event, outcome, unit.reads(), unit.writes(), unit.effects, follow_up, run, unit.found())

    def _call(self, event: Event, match: Match, unit: Unit) -> Reply | None:
        """Call the handler with an event of its own; raises Rejected where its subscription does not fit."""
        if match.rejected:
            raise match.rejected
        handler = match.handler
        source = self.sources.get(match.subscription.source)
        own = source.prepare(event.fresh(), match.subscription) if source else event.fresh()
        declared = (handler.uses, self.plugins, handler.keeps_state)
        ctx = Context(own, handler.name, unit, self.clock(), match.params, *declared)
        given = {"event": own, "ctx": ctx}
        return as_reply(handler.function(**{name: given[name] for name in handler.arguments}))


def _jitter(longest: float) -> float:
    from random import uniform

    return uniform(0, longest)


def _sentence(rejected: Rejected) -> str:
    return rejected.reason[:1].upper() + rejected.reason[1:]


def _place(bug: BaseException, file: str) -> str:
    """Where in the plugin it happened, as far as the plugin's own file was on the way."""
    from traceback import extract_tb

    frames = [frame for frame in extract_tb(bug.__traceback__) if frame.filename.endswith(file)]
    return f" ({file}:{frames[-1].lineno})" if frames else ""
