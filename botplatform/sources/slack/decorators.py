"""What a plugin writes to listen to Slack."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from botplatform.event import Event
from botplatform.reply import Reply
from botplatform.sources.slack.command import CommandTemplate
from botplatform.subscription import F, Limits, Subscription, check_text, limits, mounted, packages_of, subscribe

if TYPE_CHECKING:
    from typing import Unpack

    from botplatform.subscription import LimitsGiven


def command(template: str, **limited: Unpack[LimitsGiven]) -> Callable[[F], F]:
    """Answer a slash command: `/temp`, `/temp {room}`, `/move {what} {where}`; the last parameter takes all the rest.

    A command has one handler. Raises ValueError for a bad template.
    """
    check_text(template, 'slack.command("/temp {room}")')
    parsed = CommandTemplate.parse(template)
    return subscribe(
        Subscription(
            source="slack",
            summary=template,
            pattern={"type": ["com.slack.command"], "subject": [parsed.command]},
            bind=lambda event: parsed.bind(event.data.get("text", "")),
            exclusive=f"the slash command {parsed.command}",
            options={"command": parsed.command},
            limits=limits(**limited),
        )
    )


def event(
    type_: str, matching: Mapping[str, Any] | None = None, *, bots: bool = False, **limited: Unpack[LimitsGiven]
) -> Callable[[F], F]:
    """Hear of an Events API event (`app_mention`, `message`, `reaction_added`); a reply is posted in its channel.

    `matching` is an EventBridge pattern over the inner event. What bots say is left out (two bots that answer each
    other never end) unless `bots` is set.
    """
    check_text(type_, 'slack.event("app_mention")')
    inner: dict[str, Any] = {} if bots else {"bot_id": [{"exists": False}]}
    pattern: dict[str, Any] = {"type": [f"com.slack.event.{type_}"]}
    inner.update(matching or {})
    if inner:
        pattern["data"] = {"event": inner}
    return subscribe(Subscription("slack", f"event {type_}", pattern, limits=limits(**limited)))


def action(action_id: str, **limited: Unpack[LimitsGiven]) -> Callable[[F], F]:
    """Hear of a button, menu or other block action by its `action_id`."""
    return _interaction("block_actions", "action", action_id, limits(**limited))


def shortcut(callback_id: str, **limited: Unpack[LimitsGiven]) -> Callable[[F], F]:
    """Hear of a global or message shortcut by its `callback_id`."""
    kinds = ["com.slack.shortcut", "com.slack.message_action"]
    pattern = {"type": kinds, "subject": [callback_id]}
    claim = f"the Slack shortcut {callback_id}"
    return subscribe(
        Subscription("slack", f"shortcut {callback_id}", pattern, exclusive=claim, limits=limits(**limited))
    )


def view(callback_id: str, **limited: Unpack[LimitsGiven]) -> Callable[[F], F]:
    """Hear of a submitted view by its `callback_id`; answer with `Reply(native={"response_action": …})`."""
    return _interaction("view_submission", "view", callback_id, limits(**limited))


def _interaction(type_: str, called: str, subject: str, limits: Limits) -> Callable[[F], F]:
    pattern = {"type": [f"com.slack.{type_}"], "subject": [subject]}
    claim = f"the Slack {called} {subject}"
    return subscribe(Subscription("slack", f"{called} {subject}", pattern, exclusive=claim, limits=limits))


def mount(app: Any) -> Callable[[Event], Reply | None]:
    """Let an existing Bolt `App` answer everything from Slack that it has a listener for.

    The requests are verified here, so the app skips its own check. What the app itself sends is not part of any
    transaction: a redelivered event may make it send twice.
    """

    def mounted_slack_app(event: Event) -> Reply | None:
        """Hand the event to the mounted Bolt app."""
        from slack_bolt import BoltRequest

        response = app.dispatch(BoltRequest(mode="socket_mode", body=event.data))
        if response.status == 404 and event.type == "com.slack.command":
            return Reply(f"I do not know `{event.subject}`.")
        return _from_bolt(response.status, response.body)

    pattern, options = {"type": [{"prefix": "com.slack."}]}, {"packages": packages_of(app)}
    subscription = Subscription("slack", "what a Bolt app listens to", pattern, fallback=True, options=options)
    return mounted(mounted_slack_app, subscription)


def _from_bolt(status: int, body: Any) -> Reply | None:
    from botplatform import codec

    if status != 200 or not body:
        return None
    if isinstance(body, dict):
        return Reply(native=body)
    return Reply(native=codec.decode(body)) if str(body).startswith("{") else Reply(str(body))
