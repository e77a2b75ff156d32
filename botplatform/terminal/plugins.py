"""The plugins: what each listens to and may do, and who would handle an event."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from botplatform.router import Router
from botplatform.terminal.text import json_told

if TYPE_CHECKING:
    from botplatform.event import Event
    from botplatform.plugins import Plugins


def show_plugins(plugins: Plugins, as_json: bool) -> None:
    """Print each plugin with what it listens to and what it may do."""
    for plugin in plugins.loaded.values():
        uses = sorted({effect for handler in plugin.handlers for effect in handler.uses})
        if as_json:
            click.echo(json_told(_plugin(plugin, uses)))
            continue
        click.echo(f"{click.style(plugin.name, bold=True)}: {plugin.info.summary or '(it has no docstring)'}")
        for handler in plugin.handlers:
            for subscription in handler.subscriptions:
                click.echo(f"    {subscription.source:<12}{subscription.summary:<44}{handler.name.partition('.')[2]}")
        if uses:
            click.echo(f"    {'may':<12}{', '.join(uses)}")
    _complain_of(plugins)


def _plugin(plugin: Any, uses: Sequence[str]) -> dict[str, Any]:
    listens = [
        {"source": s.source, "to": s.summary, "handler": handler.name}
        for handler in plugin.handlers
        for s in handler.subscriptions
    ]
    return {
        "plugin": plugin.name,
        "file": plugin.file,
        "summary": plugin.info.summary,
        "listens": listens,
        "uses": uses,
    }


def show_permissions(plugins: Plugins, as_json: bool) -> None:
    """Print what each function that the plugins become would be allowed to do on AWS, in words and as IAM has it."""
    from botplatform.deploy.functions import functions
    from botplatform.deploy.permissions import permissions, shown

    if as_json:
        for function in functions(plugins):
            may = [permission._asdict() for permission in permissions(function)]
            click.echo(json_told({"function": function.name, "plugins": function.plugins, "may": may}))
    else:
        click.echo(shown(functions(plugins)))
    _complain_of(plugins)


def _complain_of(plugins: Plugins) -> None:
    for mistake in plugins.mistakes:
        click.echo(click.style(str(mistake), fg="red"), err=True)


def show_explanation(event: Event, plugins: Plugins, as_json: bool) -> None:
    """Print who would handle an event, and why each other handler would not."""
    router = Router(plugins.handlers)
    taken = [match.handler.name for match in router.route(event)]
    others = [(h, s, why) for h, s, why in router.explain(event) if why and h.name not in taken]
    if as_json:
        refused = [{"handler": h.name, "listens": s.summary, "because": why} for h, s, why in others]
        click.echo(
            json_told(
                {"source": event.source, "id": event.id, "type": event.type, "handlers": taken, "others": refused}
            )
        )
        return
    click.echo(click.style(f"{event.type} {event.subject or ''}".strip(), bold=True) + f"  {event.id}")
    for name in taken:
        click.echo(click.style(f"    {name} handles it", fg="green"))
    owner = next((s for s in plugins.sources.values() if s.owns(event)), plugins.sources["cloudevents"])
    near = [(h, s, why) for h, s, why in others if s.source == owner.name]
    for handler, subscription, why in near:
        click.echo(f"    {handler.name} does not ({subscription.summary}): {why}")
    if len(others) > len(near):
        click.echo(f"    {len(others) - len(near)} more listen to other sources than {owner.name}")
    if not taken:
        click.echo(
            "    no handler; one would be:\n"
            + "\n".join(f"        {line}" for line in owner.suggest(event).split("\n"))
        )
