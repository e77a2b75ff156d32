"""Requests of people who wait: verified, handled, and answered in time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from botplatform.errors import BotplatformError, Rejected, TooLarge, Unauthorized
from botplatform.event import Event
from botplatform.hosts.answers import answer
from botplatform.hosts.aws_lambda.attempt import Attempt
from botplatform.hosts.aws_lambda.calls import Continuation, Question
from botplatform.hosts.aws_lambda.environment import Environment
from botplatform.hosts.aws_lambda.http import Request, Response
from botplatform.hosts.aws_lambda.invocation import Invocation
from botplatform.hosts.records import Receipt, must_be_signed, recognized
from botplatform.hosts.runner import Runner
from botplatform.reply import Reply
from botplatform.source import Raw, Source

# Slack's Events API allows 3 seconds for an acknowledgement.
ACKNOWLEDGE_WITHIN = 2.5
# Amazon API Gateway, "Quotas for HTTP APIs": whoever posts events is cut off after 30 seconds.
RECEIPT_WITHIN = 25.0
# Slack sends a few KB.
SIGNED_LIMIT = 1024 * 1024


class Answering:
    """Answers requests over HTTP and questions of Alexa's, with the settings of the function."""

    def __init__(self, runner: Runner, settings: Environment) -> None:
        self._runner = runner
        self._settings = settings
        self._doors: dict[str, Callable[[Request, Invocation], Response]] = {
            "slack": self._slack,
            "events": self._events,
        }

    def respond(self, request: Request, invocation: Invocation) -> Response:
        """The response to an HTTP request: `POST /slack`, `POST /events`, `GET /health`, under any prefix."""
        name = request.path.rstrip("/").rpartition("/")[2]
        door = self._doors.get(name)
        if name == "health":
            return Response(200, {"status": "ok"})
        if door is None or (name == "slack" and "slack" not in self._sources):
            return _error(404, f"there is nothing at {request.path}")
        if request.method != "POST":
            return _error(405, f"{name} takes POST, not {request.method}", {"allow": "POST"})
        try:
            return door(request, invocation)
        except BotplatformError as error:
            return _error(*answer(error))

    def ask_alexa(self, question: Question, invocation: Invocation) -> Mapping[str, Any]:
        """The answer to Alexa; raises Rejected for what is not a request to our skill."""
        from botplatform.sources.alexa.source import REPLY_WITHIN

        source = self._source("alexa")
        event = self._only(source, question.raw)
        self._check_skill(event)
        return self._answered(
            source, event, invocation, invocation.deadline(source.reply_within(event) or REPLY_WITHIN)
        )

    @property
    def _sources(self) -> Mapping[str, Source]:
        return self._runner.engine.sources

    def _source(self, name: str) -> Source:
        if name not in self._sources:
            raise Rejected(f"this function does not listen to {name}: BOTPLATFORM_SOURCES names what it does")
        return self._sources[name]

    def _slack(self, request: Request, invocation: Invocation) -> Response:
        if len(request.raw.body) > SIGNED_LIMIT:
            raise TooLarge(f"the body is too large: /slack takes {SIGNED_LIMIT >> 20} MiB")
        source = self._source("slack")
        try:
            self._verify(request.raw)
        except Unauthorized as refused:
            self._runner.reject("slack", refused)
            raise
        event = self._only(source, request.raw)
        if source.handshake(event):
            return Response(200, source.render(event, None) or None)
        within = source.reply_within(event) or ACKNOWLEDGE_WITHIN
        # Slack takes an empty body as "seen"; {} would be shown as an error under a command.
        rendered = self._answered(source, event, invocation, invocation.deadline(within, request.arrived))
        return Response(200, rendered or None)

    def _verify(self, raw: Raw) -> None:
        """Check Slack's signature; with the secret as it is now, where it has been changed meanwhile."""
        from botplatform.sources.slack.signature import verify

        name = "SLACK_SIGNING_SECRET"
        if not self._settings.get(name):
            raise Unauthorized(f"{name} is not set: nothing from Slack can be verified")
        now = datetime.fromtimestamp(self._runner.engine.clock(), UTC)
        try:
            verify(self._settings[name], raw.headers, raw.body, now)
        except Unauthorized:
            if not self._settings.renew(name):
                raise
            verify(self._settings[name], raw.headers, raw.body, now)

    def _check_skill(self, event: Event) -> None:
        """Alexa alone may invoke the function, but for anybody's skill."""
        from botplatform.sources.alexa.source import application

        ours = self._settings.get("ALEXA_SKILL_ID", "").split(",")
        if application(event.data) not in [skill.strip() for skill in ours if skill.strip()]:
            raise Unauthorized(f"the skill {application(event.data)} is not in ALEXA_SKILL_ID")

    def _only(self, source: Source, raw: Raw) -> Event:
        event = next(source.normalize(raw))
        if isinstance(event, Rejected):
            self._runner.reject(source.name, event)
            raise event
        return event

    def _answered(self, source: Source, event: Event, invocation: Invocation, deadline: float) -> Mapping[str, Any]:
        """Handle an event of somebody who waits, and render the answer there is at the deadline."""
        waits = source.reply_within(event) is not None
        reply, unfinished = self._settle(event, invocation, deadline, answered=not waits)
        return source.render(event, reply or (source.late if waits and unfinished else None))

    def _settle(
        self, event: Event, invocation: Invocation, deadline: float, answered: bool
    ) -> tuple[Reply | None, list[str]]:
        """The reply there is at the deadline, and the handlers that go on in another invocation."""
        event = self._runner.identified(event)
        attempt = Attempt(self._runner, event, self._runner.router.route(event), answered)
        unfinished = attempt.finish(deadline, lambda: self._owner(event).meanwhile(event))
        if unfinished and self._is_worth_going_on(event):
            invocation.go_on(Continuation(event, frozenset(unfinished)))
        return attempt.reply, unfinished

    def _is_worth_going_on(self, event: Event) -> bool:
        """Not for handlers that keep nothing and whose reply nobody can be told any more."""
        return "BOTPLATFORM_TABLE" in self._settings or self._owner(event).name != "alexa"

    def _events(self, request: Request, invocation: Invocation) -> Response:
        self._check_token(request.raw)
        receipt, deadline = Receipt(), invocation.deadline(RECEIPT_WITHIN)
        source = recognized(self._sources, request.raw)
        for event in source.normalize(request.raw):
            refused = event if isinstance(event, Rejected) else must_be_signed(event, self._owner(event))
            if refused:
                self._runner.reject(source.name, refused)
                receipt.rejected.append(refused)
            elif isinstance(event, Event):
                self._settle(event, invocation, deadline, answered=True)
                receipt.accepted += 1
        if not receipt.accepted and len(receipt.rejected) == 1:
            raise receipt.rejected[0]
        return Response(202, receipt.to_dict())

    def _owner(self, event: Event) -> Source:
        return self._runner.engine.source_of(event)

    def _check_token(self, raw: Raw) -> None:
        from hmac import compare_digest

        token = self._settings.get("BOTPLATFORM_EVENTS_TOKEN", "")
        given = raw.headers.get("authorization", "").removeprefix("Bearer ")
        if not token or not compare_digest(given.encode(), token.encode()):
            raise Unauthorized("BOTPLATFORM_EVENTS_TOKEN is missing or wrong")


def _error(status: int, reason: str, headers: Mapping[str, str] | None = None) -> Response:
    return Response(status, {"error": reason}, headers or {})
