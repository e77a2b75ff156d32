"""What the handlers of the model test do: scripts, played on a Context and, as it should come out, on a dict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from botplatform import Context

LENT = 60.0


class Step(NamedTuple):
    """One thing a handler does."""

    act: str
    key: str = ""
    value: int = 0


Script = Sequence[Step]
# A value and the time at which it is gone, if there is one.
Values = dict[str, tuple[Any, float | None]]

ON_CONTEXT: dict[str, Callable[[Context, Step], Any]] = {
    "add": lambda ctx, step: ctx.state.add(step.key, step.value),
    "append": lambda ctx, step: ctx.state.append(step.key, step.value),
    "create": lambda ctx, step: ctx.state.create(step.key, step.value),
    "put": lambda ctx, step: ctx.state.set(step.key, step.value),
    "lend": lambda ctx, step: ctx.state.set(step.key, step.value, expires=f"{LENT:g}s"),
    "delete": lambda ctx, step: ctx.state.__delitem__(step.key),
    "increment": lambda ctx, step: ctx.state.__setitem__(step.key, _number(ctx.state.get(step.key)) + 1),
    "read": lambda ctx, step: ctx.state.get(step.key),
    "text": lambda ctx, step: ctx.text("owner", f"{ctx.params['work']} {step.value}"),
}


def play(script: Script, ctx: Context, reached: Callable[[int], None]) -> str:
    """Do it as a handler and say what was read; `reached` is told each position before its step, and the end."""
    said = ["read"]
    for position, step in enumerate(script):
        reached(position)
        value = ON_CONTEXT[step.act](ctx, step)
        said += [str(value)] if step.act == "read" else []
    reached(len(script))
    return " ".join(said)


def come_out(script: Script, before: Values, now: float) -> tuple[Values, str]:
    """The values after a script, were it alone in the world, and what it says; raises TypeError as the store would."""
    values = {key: value for key, value in before.items() if is_there(value, now)}
    said = ["read"]
    for step in script:
        value, expires = values.get(step.key, (None, None))
        if step.act == "read":
            said.append(str(value))
        elif step.act == "delete":
            values.pop(step.key, None)
        elif step.act != "text":
            values[step.key] = _changed(step, value, expires, now)
    return values, " ".join(said)


def is_there(value: tuple[Any, float | None], now: float) -> bool:
    """Whether a value has not expired."""
    return value[1] is None or value[1] > now


def _changed(step: Step, value: Any, expires: float | None, now: float) -> tuple[Any, float | None]:
    if step.act in ("put", "lend"):
        return step.value, now + LENT if step.act == "lend" else None
    if step.act == "increment":
        return _number(value) + 1, None
    if step.act == "create":
        return (step.value if value is None else value), expires
    if step.act == "add":
        return (0 if value is None else value) + step.value, expires
    return ([] if value is None else value) + [step.value], expires


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0
