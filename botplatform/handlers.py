"""The handlers in a plugin's module, and what the module declares at its top."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from botplatform.errors import PluginMistake
from botplatform.router import Handler
from botplatform.subscription import Limits, Subscription, subscriptions_of

# The flags of a code object (the standard library's `inspect`, "Code Objects Bit Flags").
_VARARGS, _VARKEYWORDS, _GENERATOR, _COROUTINE, _ASYNC_GENERATOR = 0x04, 0x08, 0x20, 0x80, 0x200
_NO_PLAIN_FUNCTION = _GENERATOR | _COROUTINE | _ASYNC_GENERATOR


def handlers_in(plugin: str, module: Any, file: str) -> Iterator[Handler]:
    """The handlers a module defines; those it merely imports belong to where they come from.

    Raises PluginMistake for what an author has to change; `file` is what it calls the module's file.
    """
    uses, keeps_state = _uses(module, file), _keeps_state(module, file)
    found: list[Any] = []
    for name, function in vars(module).items():
        # A handler may have a second name: it is still one handler.
        if subscriptions_of(function) and belongs_to(function, module) and function not in found:
            found.append(function)
            line = function.__code__.co_firstlineno
            arguments = _arguments(name, function, file, line)
            subscriptions = tuple(reversed(_ordered(subscriptions_of(function))))
            keeps = keeps_state and "ctx" in arguments
            limits = _limits(name, subscriptions, file)
            yield Handler(
                f"{plugin}.{name}", plugin, function, arguments, subscriptions, uses, file, line, keeps, limits
            )


def belongs_to(function: Any, module: Any) -> bool:
    """Whether a function is defined in a module, and not only imported there."""
    return getattr(function, "__module__", None) == getattr(module, "__name__", None)


def _ordered(subscriptions: tuple[Subscription, ...]) -> tuple[Subscription, ...]:
    return tuple(sorted(subscriptions, key=lambda s: s.line or 0, reverse=True))


def _limits(name: str, subscriptions: tuple[Subscription, ...], file: str) -> Limits:
    """What the decorators of one handler say together; two of them must not say different things."""
    together: dict[str, Any] = {}
    for subscription in subscriptions:
        for limit, value in zip(Limits._fields, subscription.limits, strict=True):
            before = together.get(limit, value)
            if value is not None and before != value:
                raise PluginMistake(
                    f"{name}() has two values for {limit}: {before} and {value}", file, subscription.line
                )
            if value is not None:
                together[limit] = value
    return Limits(**together)


def _uses(module: Any, file: str) -> frozenset[str]:
    uses = getattr(module, "USES", ())
    if isinstance(uses, str) or not isinstance(uses, Collection) or not all(isinstance(name, str) for name in uses):
        raise _mistake('USES is a list of effects: USES = ["text"]', file, "USES")
    return frozenset(uses)


def _keeps_state(module: Any, file: str) -> bool:
    """Whether the plugin may use `ctx.state`: not if it says so."""
    declared = getattr(module, "STATE", True)
    if declared not in (True, False):
        raise _mistake("STATE is False for a plugin that keeps no state", file, "STATE")
    return bool(declared)


def _mistake(reason: str, file: str, name: str) -> PluginMistake:
    from botplatform import mistakes

    return PluginMistake(reason, file, mistakes.line_of(file, name))


def _arguments(name: str, function: Any, file: str, line: int) -> tuple[str, ...]:
    parameters = _parameters(function)
    wrong = [parameter for parameter in parameters if parameter not in ("event", "ctx")]
    if wrong:
        raise PluginMistake(f"{name}() takes an argument {wrong[0]!r}; a handler takes event and ctx", file, line)
    if function.__code__.co_flags & _NO_PLAIN_FUNCTION:
        raise PluginMistake(f"{name}() is async or a generator; a handler is a plain function", file, line)
    return parameters


def _parameters(function: Any) -> tuple[str, ...]:
    """What `inspect.signature` says; importing that takes a Lambda longer than all that is asked of it here."""
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    code = function.__code__
    collecting = bool(code.co_flags & _VARARGS) + bool(code.co_flags & _VARKEYWORDS)
    return tuple(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount + collecting])
