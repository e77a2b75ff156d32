"""Loads what one function needs, by name: no search for plugins, no import of what its handlers do not use."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any

from botplatform import codec
from botplatform.aws import lazily
from botplatform.effect import Effect, Host
from botplatform.errors import Rejected
from botplatform.handlers import handlers_in
from botplatform.router import Handler
from botplatform.source import Source
from botplatform.subscription import Subscription
from botplatform.work import PluginInfo

# The package of plugins in a bundle: the local loader gives their modules the same names.
PACKAGE = "botplatform_plugins"
# Effects that go through the host; the others are made with the settings.
_THROUGH_HOST = ("publish", "emit")


def names(text: str) -> list[str]:
    """The names in a list with commas."""
    return [name for name in map(str.strip, text.split(",")) if name]


def load_handlers(plugins: Iterable[str], sources: Collection[str]) -> Iterator[Handler]:
    """The handlers of plugins, with their subscriptions to these sources; those that have none are left out."""
    for plugin in plugins:
        module = import_module(f"{PACKAGE}.{plugin}")
        for handler in handlers_in(plugin, module, f"{PACKAGE}/{plugin}.py"):
            wanted = tuple(s for s in handler.subscriptions if s.source in sources)
            if wanted:
                yield handler._replace(subscriptions=wanted)


def load_sources(wanted: Iterable[str], hooks: Hooks) -> dict[str, Source]:
    """The sources of these names, and last CloudEvents, which takes what no other one owns."""
    brought = hooks.sources()
    ordered = dict.fromkeys([*(name for name in wanted if name != "cloudevents"), "cloudevents"])
    return {name: brought.get(name) or import_module(f"botplatform.sources.{name}").SOURCE for name in ordered}


def load_effects(wanted: Iterable[str], settings: Mapping[str, str], host: Host, hooks: Hooks) -> dict[str, Effect]:
    """The effects of these names; the built-in ones are imported when they are first performed."""
    brought = hooks.effects(settings, host)
    return {name: brought.get(name) or _deferred(name, settings, host) for name in wanted}


def infos(loaded: Iterable[Handler]) -> Sequence[PluginInfo]:
    """What all plugins of the platform say of themselves, as the bundle has it; where it does not, what is loaded."""
    from pathlib import Path

    folders = getattr(import_module(PACKAGE), "__path__", ())
    files = [file for file in (Path(folder, "plugins.json") for folder in folders) if file.is_file()]
    if files:
        return [_info(value) for value in codec.decode(files[0].read_bytes())]
    return [PluginInfo(handler.plugin, "", handler.subscriptions) for handler in loaded]


def _info(value: Mapping[str, Any]) -> PluginInfo:
    subscriptions = [
        Subscription(s["source"], s["summary"], options=s.get("options") or {}) for s in value["subscriptions"]
    ]
    return PluginInfo(value["name"], value["summary"], subscriptions)


def _deferred(name: str, settings: Mapping[str, str], host: Host) -> Effect:
    """A built-in effect. On AWS there is no outbox to look into: what would go there is given up, and says why."""

    def make() -> Effect:
        effect: Callable[[Any], Effect] = import_module(f"botplatform.effects.{name}").effect
        return effect(host if name in _THROUGH_HOST else settings)

    made = lazily(make)

    def perform(arguments: Mapping[str, Any], key: str) -> Mapping[str, Any]:
        result: Mapping[str, Any] = made().perform(arguments, key)
        if result.get("via") == "outbox":
            raise Rejected(f"the effect {name} is not connected to anything: is SLACK_BOT_TOKEN set?")
        return result

    return Effect(name, perform, "AWS")


class Hooks:
    """The modules of plugins that bring sources and effects of their own; without any, pluggy is not imported."""

    def __init__(self, modules: Sequence[str]) -> None:
        self._manager = _manager(modules) if modules else None

    def sources(self) -> dict[str, Source]:
        """The sources they bring, by name."""
        groups = self._manager.hook.sources() if self._manager else ()
        return {source.name: source for group in groups for source in group}

    def effects(self, settings: Mapping[str, str], host: Host) -> dict[str, Effect]:
        """The effects they bring, by name."""
        groups = self._manager.hook.effects(settings=settings, host=host) if self._manager else ()
        return {effect.name: effect for group in groups for effect in group}


def _manager(modules: Iterable[str]) -> Any:
    import pluggy

    from botplatform import hookspecs

    manager = pluggy.PluginManager("botplatform")
    manager.add_hookspecs(hookspecs)
    for name in modules:
        manager.register(import_module(name))
    return manager
