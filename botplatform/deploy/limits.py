"""How far the handlers of a function may go, in Lambda's terms, and what Lambda cannot keep of what they say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import ceil
from typing import TYPE_CHECKING

from botplatform.durations import words
from botplatform.router import Handler

if TYPE_CHECKING:
    from botplatform.deploy.functions import Function

# AWS Lambda Developer Guide, "Lambda quotas": the seconds a function may run.
LONGEST_TIMEOUT = 900
# AWS Lambda API Reference, PutFunctionEventInvokeConfig: how often an asynchronous call is tried again.
MOST_RETRIES = 2
# How often a message of the queue is taken where no handler says.
RECEIVES = 5
# Seconds that a function takes besides its handler: to start, to commit, and to perform effects.
_BESIDES = 10


def timeout(handlers: Iterable[Handler], default: int) -> int:
    """The seconds a function of these handlers needs: longer than the default where one of them says so."""
    deadlines = [handler.limits.deadline or 0 for handler in handlers]
    return min(LONGEST_TIMEOUT, max(default, *(ceil(deadline) + _BESIDES for deadline in deadlines)))


def retries(handlers: Iterable[Handler]) -> int:
    """How often a call of a function that failed is tried again: as the most patient of its handlers wants."""
    wanted = [handler.limits.retries for handler in handlers]
    return max((MOST_RETRIES if count is None else min(count, MOST_RETRIES) for count in wanted), default=MOST_RETRIES)


def receives(handlers: Iterable[Handler]) -> int:
    """How often a message of the queue is taken before it becomes a dead letter."""
    return max([RECEIVES, *(1 + (handler.limits.retries or 0) for handler in handlers)])


def concurrency(function: Function) -> int | None:
    """How many calls of a function run at a time: as few as each of its handlers wants, None where one does not say."""
    wanted = [handler.limits.concurrency for handler in function.handlers]
    if function.shared or not wanted or None in wanted:
        return None
    return min(count for count in wanted if count is not None)


def notes(functions: Sequence[Function]) -> list[str]:
    """What AWS does not keep of the handlers' limits, a sentence each."""
    found = (note for function in functions for handler in function.handlers for note in _notes(function, handler))
    return list(dict.fromkeys(found))


def _notes(function: Function, handler: Handler) -> Iterator[str]:
    limits, who = handler.limits, f"{handler.name} in the function {function.name}"
    if limits.deadline and ceil(limits.deadline) >= function.timeout:
        ends = words(function.timeout)
        yield f'{who}: deadline="{words(limits.deadline)}" is not kept, for Lambda ends the function after {ends}'
    if limits.retries and function.name != "queue" and limits.retries != retries(function.handlers):
        tries = f"{retries(function.handlers)} times"
        yield f"{who}: retries={limits.retries} is not kept, for Lambda tries a call of it again {tries}"
    if limits.concurrency and concurrency(function) != limits.concurrency:
        whole = f"to {concurrency(function)}" if concurrency(function) else "not at all"
        why = f"Lambda limits whole functions, this one {whole}"
        yield f"{who}: concurrency={limits.concurrency} is not kept, for {why}"
