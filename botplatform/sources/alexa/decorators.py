"""What a plugin writes to listen to Alexa."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from botplatform import codec
from botplatform.event import Event
from botplatform.reply import Reply
from botplatform.subscription import F, Subscription, check_text, limits, mounted, packages_of, subscribe

if TYPE_CHECKING:
    from typing import Unpack

    from botplatform.subscription import LimitsGiven

# Alexa Skills Kit, "Create the Interaction Model": letters and underscores, and a period in built-in names.
_NAME = r"(AMAZON\.)?[A-Za-z_]+"
_SLOT = r"\{([^{}]*)\}"


def intent(
    name: str,
    *,
    samples: Sequence[str] = (),
    slots: Mapping[str, str] | None = None,
    **limited: Unpack[LimitsGiven],
) -> Callable[[F], F]:
    """Answer an intent; `samples` are what people say, `slots` the type of each `{slot}` in them.

    `ctx.params` holds what was said for each slot ("" for one that was not filled). Raises ValueError for a sample
    with a slot that is not among `slots`.
    """
    check_text(name, 'alexa.intent("TemperatureIntent")')
    if not re.fullmatch(_NAME, name):
        raise ValueError(f"{name!r} is no intent name: letters and underscores only")
    types = dict(slots or {})
    for sample in samples:
        for slot in re.findall(_SLOT, sample):
            if slot not in types:
                known = ", ".join(sorted(types)) or "none"
                raise ValueError(f"unknown slot {slot!r} in the sample {sample!r} (slots: {known})")
    return subscribe(
        Subscription(
            source="alexa",
            summary=f"intent {name}",
            pattern={"type": ["com.amazon.alexa.IntentRequest"], "subject": [name]},
            bind=partial(_heard, dict.fromkeys(types, "")),
            exclusive=f"the Alexa intent {name}",
            options={"intent": name, "samples": tuple(samples), "slots": types},
            limits=limits(**limited),
        )
    )


def launch(**limited: Unpack[LimitsGiven]) -> Callable[[F], F]:
    """Answer when the skill is opened without an intent."""
    pattern = {"type": ["com.amazon.alexa.LaunchRequest"]}
    claim = "the Alexa launch request"
    return subscribe(Subscription("alexa", "launch", pattern, exclusive=claim, limits=limits(**limited)))


def session_ended(**limited: Unpack[LimitsGiven]) -> Callable[[F], F]:
    """Hear that a session ended; nothing can be answered any more."""
    pattern = {"type": ["com.amazon.alexa.SessionEndedRequest"]}
    return subscribe(Subscription("alexa", "session ended", pattern, limits=limits(**limited)))


def mount(skill: Any) -> Callable[[Event], Reply | None]:
    """Let an existing ASK `SkillBuilder` answer everything from Alexa that it has a handler for.

    The requests are verified here. What the skill itself does outside is not part of any transaction.
    """
    invoke: list[Callable[[Any, Any], Any]] = []

    def mounted_alexa_skill(event: Event) -> Reply | None:
        """Hand the request to the mounted skill."""
        from ask_sdk_runtime.exceptions import DispatchException

        if not invoke:
            invoke.append(skill.lambda_handler())
        try:
            answer = invoke[0](event.data, None)
        except DispatchException:  # what the SDK raises where the skill has no handler for a request
            return None
        return Reply(native=codec.decode(codec.encode(answer))) if answer else None

    pattern, options = {"type": [{"prefix": "com.amazon.alexa."}]}, {"packages": packages_of(skill)}
    subscription = Subscription("alexa", "what an ASK skill handles", pattern, fallback=True, options=options)
    return mounted(mounted_alexa_skill, subscription)


def _heard(nothing: dict[str, str], event: Event) -> dict[str, str]:
    """What was said for each slot, the value it resolved to, else the words themselves; or else `nothing`."""
    heard = nothing.copy()
    slots = event.data["request"]["intent"].get("slots")
    if isinstance(slots, dict):
        for name, slot in slots.items():
            if isinstance(slot, dict):
                heard[name] = _resolved(slot) if "resolutions" in slot else _words(slot)
    return heard


def _resolved(slot: dict[str, Any]) -> str:
    # Alexa Skills Kit, "Entity resolution": the first authority that matched holds the canonical value.
    try:
        for authority in slot["resolutions"]["resolutionsPerAuthority"]:
            if authority["status"]["code"] == "ER_SUCCESS_MATCH":
                return str(authority["values"][0]["value"]["name"])
    except (KeyError, IndexError, TypeError):
        pass
    return _words(slot)


def _words(slot: dict[str, Any]) -> str:
    value = slot.get("value")
    return value if isinstance(value, str) else ""
