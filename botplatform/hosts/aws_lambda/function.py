"""A function: its parts chosen by its settings, and every call handed to the part that knows it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from botplatform import codec
from botplatform.engine import CHAIN_LIMIT, Engine
from botplatform.errors import Rejected
from botplatform.hosts.aws import AwsHost
from botplatform.hosts.aws_lambda import http, loading
from botplatform.hosts.aws_lambda.answering import Answering
from botplatform.hosts.aws_lambda.calls import Batch, Call, Continuation, Notice, Question, Sweep, recognize, shape
from botplatform.hosts.aws_lambda.delivering import Delivering
from botplatform.hosts.aws_lambda.environment import Environment
from botplatform.hosts.aws_lambda.invocation import Invocation
from botplatform.hosts.runner import VERSION, Entry, Runner
from botplatform.router import Router
from botplatform.store import Store

# Amazon CloudWatch Logs, "PutLogEvents": an event of the log has at most 256 KB.
LINE_LIMIT = 250_000
_LISTS = ("BOTPLATFORM_LOAD", "BOTPLATFORM_SOURCES", "BOTPLATFORM_EFFECTS", "BOTPLATFORM_HOOKS")


class Function:
    """Answers what Lambda calls it with; everything it needs is in `environment`, which the template wrote.

    `BOTPLATFORM_LOAD` are its plugins, `BOTPLATFORM_SOURCES` what it listens to in them, `BOTPLATFORM_EFFECTS` what it
    performs, `BOTPLATFORM_HOOKS` modules that bring more of these. `clock` gives the Unix time in seconds. Raises
    ImportError or PluginMistake for a plugin that cannot be loaded.
    """

    def __init__(self, environment: Mapping[str, str], clock: Callable[[], float] = time.time) -> None:
        self._settings = settings = Environment(environment, clock)
        plugins, listens_to, performs, hooked = (loading.names(settings.get(name, "")) for name in _LISTS)
        handlers = list(loading.load_handlers(plugins, listens_to))
        host, hooks = AwsHost(settings, clock), loading.Hooks(hooked)
        sources = loading.load_sources(listens_to, hooks)
        chain_limit = int(settings.get("BOTPLATFORM_CHAIN_LIMIT") or CHAIN_LIMIT)
        engine = Engine(_store(settings, clock), sources, clock, lambda: loading.infos(handlers), chain_limit)
        effects = loading.load_effects(performs, settings, host, hooks)
        self._runner = Runner(engine, Router(handlers), effects, host.bury, lambda entry: write(entry()))
        self._answering = Answering(self._runner, settings)
        self._delivering = Delivering(self._runner, host)

    def __call__(self, value: Any, context: Any = None) -> Any:
        """Do what a call asks for; raises Rejected, with the shape it got, for what it does not take."""
        invocation = Invocation(context, self._settings, time.monotonic())
        try:
            return self._answer(self._recognized(value), value, invocation)
        except Rejected as refused:
            raise type(refused)(f"{refused}; the function was called with {shape(value)}") from None

    def _recognized(self, value: Any) -> Call:
        try:
            return recognize(value)
        except Rejected as refused:
            self._runner.reject("an unknown source", refused)
            raise

    def _answer(self, call: Call, value: Any, invocation: Invocation) -> Any:
        match call:
            case http.Request():
                return call.answer(self._answering.respond(call, invocation))
            case Question():
                return self._answering.ask_alexa(call, invocation)
            case Batch():
                return self._delivering.take_batch(call, invocation)
            case Notice():
                return self._delivering.take(call, value)
            case Continuation():
                return self._delivering.go_on(call)
            case Sweep():
                return self._sweep()

    def _sweep(self) -> dict[str, int]:
        """Finish the effects that were left behind; returns how many became what."""
        effects = self._runner.sweep()
        if effects:
            write({"botplatform": VERSION, "received": time.time(), "verdict": "swept", "effects": effects})
        statuses = [effect["status"] for effect in effects]
        return {status: statuses.count(status) for status in statuses}


def write(entry: Entry) -> None:
    """Write an entry of the log as one line, which CloudWatch Logs keeps."""
    line = codec.encode(entry)
    if len(line) > LINE_LIMIT:
        entry = {**entry, "envelope": None, "reason": f"{entry['reason']} (too long to be shown)".strip()}
        line = codec.encode(entry)
    if len(line) > LINE_LIMIT:
        handlers = [{**handler, "changes": []} for handler in entry["handlers"]]
        line = codec.encode({**entry, "handlers": handlers})
    sys.stdout.write(f"{line.decode()}\n")


def _store(settings: Mapping[str, str], clock: Callable[[], float]) -> Store:
    """The table, or, for a function whose plugins keep nothing, nothing at all."""
    table = settings.get("BOTPLATFORM_TABLE")
    if not table:
        from botplatform.stores.forgetful import Forgetful

        return Forgetful()
    from botplatform.aws import client
    from botplatform.stores.dynamodb import DynamoStore

    return DynamoStore(table, client("dynamodb", settings), clock)
